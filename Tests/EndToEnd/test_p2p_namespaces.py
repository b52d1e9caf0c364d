"""Two gateways in namespaces of their own, with a cable between that is pulled and put back."""

import time

import pytest

import netns
from conftest import eventually
from peers import Peer


@pytest.fixture
def cable():
    made = netns.Cable()
    yield made
    made.close()


@pytest.mark.skipif(not netns.can_make(), reason="needs the right to make network namespaces (root)")
def test_peers_find_one_another_again_when_the_cable_is_put_back(cable, tmp_path):
    peers = []
    try:
        for name, namespace, address in zip(("ada", "bob"), cable.names, cable.addresses):
            with netns.inside(namespace):
                peers.append(Peer(tmp_path / name, name, listen=f"{address}:7946", discovery_group="239.255.77.7:7947"))
        ada, bob = peers

        def at(one, work):
            with netns.inside(cable.names[peers.index(one)]):
                return work()

        found = at(ada, lambda: ada.post("/v1/p2p/discover", {"timeout_seconds": 5, "max_peers": 1}))
        assert [(one["peer_id"], one["endpoint"]) for one in found["peers_found"]] == [(bob.id, "10.77.0.2:7946")]
        link = at(ada, ada.invite)
        at(bob, lambda: bob.post("/v1/p2p/peers", {"invitation": link}, scope="admin"))
        for one, other in ((ada, bob), (bob, ada)):
            eventually(lambda: at(one, lambda: one.knows(other)), what="they know one another")
        cable.set("down")
        eventually(lambda: at(ada, lambda: ada.peers()[bob.id]["status"]) == "dead", limit=45, what="bob is lost")
        sent = at(ada, lambda: ada.write(f"bob@{bob.id}", {"text": "when you are back"}))["message_id"]
        assert at(ada, lambda: eventually(lambda: ada.health()["status"] == "degraded"))
        cable.set("up")
        began = time.monotonic()
        for one, other in ((ada, bob), (bob, ada)):
            eventually(lambda: at(one, lambda: one.knows(other)), what="they know one another again")
        took = time.monotonic() - began
        print(f"\nthe peers knew one another {took:.2f} s after the cable was put back")
        assert took < 5
        eventually(lambda: at(ada, lambda: ada.message(sent)["status"]) == "delivered", what="what waited arrives")
        assert len(at(bob, lambda: bob.inbox("bob"))) == 1
        eventually(lambda: at(ada, lambda: ada.health()["status"]) == "healthy", what="ada is healthy again")
    finally:
        for one in peers:
            one.stop()
