"""What holds a thread of the gateway for as long as its client likes has seats, and no user has all of them."""

from contextlib import ExitStack

import pytest

from fog import ENDS, FogPeer, eventually
from raw import request_bytes

USERS = ("alice", "bob", "carol")
# More than all buffers between a file and a client that does not read.
LARGE = 24 << 20


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    peer = FogPeer(tmp_path_factory.mktemp("ada"), "ada", node={"memory_mb": 1024, "disk_mb": 512, "max_jobs": 4},
                   fog={"payment": "off", "max_log_bytes": LARGE})
    eventually(lambda: peer.has(peer, capability="process"), ENDS, "the node ada")
    yield peer
    peer.stop()


@pytest.fixture
def begin(ada):
    """Sends a request and reads no more of its answer than the status."""
    with ExitStack() as stack:
        def begin(path, user):
            client = stack.enter_context(ada.gateway.client(receive_buffer=4096))
            client.send(request_bytes("GET", path, ada.fields(user)))
            return client, int(client._line().split()[1])

        yield begin


def jobs(ada, script, **more):
    """A job of each user, by their names."""
    more["requirements"] = {"disk_mb": 64, "max_duration_s": 120}
    return {user: ada.submit(ada.order(script, user=user, **more), user)["job_id"] for user in USERS}


def check_seats(ada, begin, paths, what):
    """Three seats, two of them for one user: each refusal names what is full, and a seat that is left is free again."""
    path = paths["alice"]
    (first, status), (_, other) = begin(path, "alice"), begin(path, "alice")
    assert status == other == 200
    refused = ada.ask("GET", path, user="alice")
    assert refused.status == 429 and int(refused.get("Retry-After")) > 0, refused
    assert f"2 {what} for you already" in refused.json()["message"]
    # However often the one asks, there is a seat for the next.
    assert begin(paths["bob"], "bob")[1] == 200
    refused = ada.ask("GET", paths["carol"], user="carol")
    assert refused.status == 503 and int(refused.get("Retry-After")) > 0, refused
    assert f"3 {what} already" in refused.json()["message"]
    first.close()
    eventually(lambda: begin(paths["carol"], "carol")[1] == 200, ENDS, "the seat that is free again")


def test_one_user_cannot_follow_as_many_logs_as_all_may(ada, begin):
    running = jobs(ada, "echo begun; while [ ! -e never ]; do sleep 0.1; done")
    for user, job in running.items():
        ada.begun(job, user)
    paths = {user: f"/v1/fog/jobs/{job}/logs?follow=true" for user, job in running.items()}
    check_seats(ada, begin, paths, "logs are followed")
    # Whoever has no seat to follow can read.
    assert "begun" in ada.log_of(running["bob"], "bob")
    for user, job in running.items():
        assert ada.ask("POST", f"/v1/fog/jobs/{job}/cancel", {}, user=user).status == 200


def test_one_user_cannot_hold_all_downloads(ada, begin):
    done = jobs(ada, f"mkdir -p outputs; head -c {LARGE} /dev/zero > outputs/large")
    for user, job in done.items():
        ada.completed(job, user)
    check_seats(ada, begin, {user: f"/v1/fog/jobs/{job}/files/content?path=large" for user, job in done.items()},
                "result files are sent")


def test_one_user_that_reads_logs_slowly_leaves_others_a_seat(ada, begin):
    done = jobs(ada, f"head -c {LARGE - 100} /dev/zero | tr '\\0' x")
    for user, job in done.items():
        ada.completed(job, user)
    paths = {user: f"/v1/fog/jobs/{job}/logs" for user, job in done.items()}
    assert [begin(paths["alice"], "alice")[1] for _ in range(3)] == [200] * 3
    refused = ada.ask("GET", paths["alice"], user="alice")
    assert refused.status == 429 and "3 logs are sent for you already" in refused.json()["message"], refused
    assert begin(paths["bob"], "bob")[1] == 200
    refused = ada.ask("GET", paths["carol"], user="carol")
    assert refused.status == 503 and "4 logs are sent already" in refused.json()["message"], refused
