"""How a test makes peers known to one another, and what strangers are told."""

import threading


def together(*works):
    """Runs all at once; gives what each gave."""
    results = [None] * len(works)

    def run(index):
        results[index] = works[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def redeem(peer, link):
    return peer.ask("POST", "/v1/p2p/peers", {"invitation": link}, scope="admin")


def add(peer, other, endpoint=None):
    """Makes `other` known at `peer` by its id and address."""
    return peer.ask(
        "POST", "/v1/p2p/peers", {"peer_id": other.id, "endpoint": endpoint or other.endpoint}, scope="admin"
    )


def refused_as_unknown(answer):
    assert answer.status == 502 and answer.code == "PEER_UNREACHABLE", answer
    assert "neither used nor expired" in answer.json()["message"]
