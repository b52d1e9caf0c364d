"""Peers: how they become known to one another, and what health says when they are lost."""

import os

from admission import add, together
from conftest import eventually
from peers import await_all, meet, peer  # noqa: F401

GROUP = "239.255.77.{}:{}"


def group(number):
    """A multicast group of this process alone."""
    return GROUP.format(number, 20_000 + os.getpid() % 20_000)


def test_two_peers_meet_by_invitation_and_write_to_one_another(peer):
    ada, bob = peer("ada"), peer("bob")
    assert ada.status()["bitchat"]["connected"] is False
    assert ada.health()["status"] == "healthy", "a gateway alone is healthy"
    meet(ada, bob)
    sent = ada.write(f"bob@{bob.id}", {"text": "hello"}, wait_seconds=10)
    assert sent["status"] == "delivered", sent
    assert sent["transport_used"] == "bitchat" and sent["hops"] >= 1 and sent["delivery_time_ms"] > 0
    (message,) = bob.inbox("bob")
    assert message["message"] == {"type": "text", "payload": {"text": "hello"}}
    assert message["sender"] == f"alice@{ada.id}"
    assert not bob.inbox("eve")
    counted = eventually(lambda: ada.status()["bitchat"]["messages_delivered"] and ada.status()["bitchat"])
    assert counted["connected"] and counted["messages_delivered"] == counted["messages_sent"] == 1


def test_peers_that_name_one_another_in_their_settings_meet(peer):
    ada, bob = peer("ada"), peer("bob")
    ada.stop()
    bob.stop()
    ada.start(peers=[f"{bob.id}@{bob.endpoint}"], wait=False)
    bob.start(peers=[f"{ada.id}@{ada.endpoint}"], wait=False)
    for one in (ada, bob):
        one.await_network()
    await_all([ada, bob])
    assert ada.write(bob.id, {}, wait_seconds=10)["status"] == "delivered"
    assert [message["sender"] for message in bob.get("/v1/p2p/messages?box=peer", scope="read,admin")["messages"]] == [
        f"alice@{ada.id}"
    ]


def test_a_named_peer_that_does_not_know_the_way_back_is_met_when_it_comes_late(peer, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret of the network that has 32 bytes or more\n")
    secret.chmod(0o600)
    ada = peer("ada", network_secret_file=str(secret))
    bob = peer("bob", wired=True, network_secret_file=str(secret))
    bob.wire.cut = True
    assert add(ada, bob).status == 502
    bob.wire.cut = False
    eventually(lambda: ada.knows(bob), limit=15, what="ada meets bob")


def test_an_invitation_in_the_settings_is_redeemed_when_its_peer_comes_late(peer):
    ada, bob = peer("ada", wired=True), peer("bob")
    link = ada.invite()
    bob.stop()
    ada.wire.cut = True
    bob.start(join=[link])
    eventually(lambda: ada.wire.dropped >= 6, what="the first handshake is given up")
    ada.wire.cut = False
    eventually(lambda: bob.knows(ada) and ada.knows(bob), limit=15, what="they meet")


def test_a_peer_that_is_added_twice_or_from_both_sides_is_connected_at_once(peer):
    ada, bob = peer("ada", wired=True), peer("bob", wired=True)
    answers = together(lambda: add(ada, bob), lambda: add(bob, ada), lambda: add(ada, bob))
    answers.append(add(ada, bob))
    assert [answer.status for answer in answers] == [200] * 4, answers
    # What was answered is true for the next request.
    assert ada.peers()[bob.id]["endpoint"] == bob.endpoint
    assert ada.write(bob.id, {}, wait_seconds=10)["status"] == "delivered"


def test_peers_of_one_network_secret_find_one_another(peer, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret of the network that has 32 bytes or more\n")
    secret.chmod(0o600)
    more = {"discovery_group": group(1), "network_secret_file": str(secret)}
    ada, bob = peer("ada", **more), peer("bob", **more)
    stranger = peer("eve", discovery_group=group(1))
    await_all([ada, bob])
    found = stranger.post("/v1/p2p/discover", {"timeout_seconds": 5, "max_peers": 2})
    assert {one["peer_id"] for one in found["peers_found"]} == {ada.id, bob.id}
    assert not any(one["known"] for one in found["peers_found"])
    assert not ada.knows(stranger) and stranger.id not in ada.peers() and not stranger.peers()


def test_discovery_finds_who_is_there_and_lets_nobody_in(peer):
    ada, bob, cyd = (peer(name, discovery_group=group(2)) for name in ("ada", "bob", "cyd"))
    hidden = peer("dan")
    found = ada.post("/v1/p2p/discover", {"timeout_seconds": 10, "max_peers": 2})
    assert found["total_peers"] == 2 and found["discovery_duration_ms"] < 10_000
    by_id = {one["peer_id"]: one for one in found["peers_found"]}
    for other in (bob, cyd):
        assert by_id[other.id] == {
            "peer_id": other.id, "transport": "bitchat", "name": other.name, "endpoint": other.endpoint, "known": False,
        }
    assert not ada.peers()
    bob.join(ada)
    found = ada.post("/v1/p2p/discover", {"timeout_seconds": 10, "max_peers": 2})
    assert {one["peer_id"]: one["known"] for one in found["peers_found"]} == {bob.id: True, cyd.id: False}
    answer = hidden.ask("POST", "/v1/p2p/discover", {})
    assert answer.status == 409 and "discovery_group" in answer.json()["message"]


def test_whoever_joins_one_peer_becomes_known_to_its_peers(peer):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    bob.join(ada)
    cyd.join(ada)
    await_all([ada, bob, cyd])
    assert bob.write(f"cyd@{cyd.id}", {"text": "hello"}, wait_seconds=10)["status"] == "delivered"


def test_health_is_degraded_while_a_peer_is_lost_and_no_longer(peer):
    fast = {"bitchat": {"probe_milliseconds": 100}}
    ada, bob = peer("ada", **fast), peer("bob", **fast)
    meet(ada, bob)
    assert eventually(lambda: ada.health()["detail"]["reachable"] == 1 and ada.health())["status"] == "healthy"
    bob.kill()
    lost = eventually(lambda: ada.health()["status"] == "degraded" and ada.health(), what="ada has lost bob")
    assert lost["detail"]["lost"] == 1 and "do not answer" in lost["detail"]["reason"]
    assert ada.gateway.get("/health").json()["status"] == "degraded"
    bob.start()
    eventually(lambda: ada.health()["status"] == "healthy", what="ada is healthy again")
    # Who says goodbye is not lost.
    bob.stop()
    eventually(lambda: ada.peers()[bob.id]["status"] == "left", what="bob has left")
    assert eventually(lambda: ada.health()["detail"]["reachable"] == 0 and ada.health())["status"] == "healthy"
