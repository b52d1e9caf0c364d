"""Peers: how they become known to one another, and how they stop being so."""

import json
import os
import threading

from conftest import eventually
from peers import await_all, meet, peer  # noqa: F401

GROUP = "239.255.77.{}:{}"


def group(number):
    """A multicast group of this process alone."""
    return GROUP.format(number, 20_000 + os.getpid() % 20_000)


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


def test_an_invitation_lets_one_peer_in_once_and_not_when_it_is_withdrawn_or_over(peer):
    ada, bob, cyd, dan, eve = (peer(name) for name in ("ada", "bob", "cyd", "dan", "eve"))
    used, withdrawn, over = ada.invite(note="used"), ada.invite(note="withdrawn"), ada.invite(note="over")
    assert redeem(bob, used).data == {"peer_id": ada.id, "status": "connected"}
    waiting = {one["note"]: one for one in ada.get("/v1/p2p/invitations", scope="admin")["invitations"]}
    assert waiting["used"]["redeemed_by"] == bob.id and waiting["over"]["redeemed_by"] is None
    assert not any(used.split("secret=")[1].split("&")[0] in json.dumps(one) for one in waiting.values())
    path = f"/v1/p2p/invitations/{waiting['withdrawn']['invitation_id']}"
    assert ada.ask("DELETE", path, scope="admin").data["withdrawn"] is True
    assert ada.ask("DELETE", path, scope="admin").status == 404
    # The shortest time is a minute; the store knows nothing of how long this test waits.
    ada.stop()
    with ada.database() as database:
        database.execute("UPDATE invitations SET expires_at = 1 WHERE note = 'over'")
    ada.start()
    answers = together(
        lambda: redeem(cyd, used), lambda: redeem(dan, withdrawn), lambda: redeem(eve, over),
    )
    for answer in answers:
        refused_as_unknown(answer)
    assert set(ada.peers()) == {bob.id}
    for stranger in (cyd, dan, eve):
        assert stranger.peers()[ada.id]["status"] in ("unknown", "dead"), "its operator has named it, in vain"


def test_an_invitation_of_its_own_is_a_conflict_and_a_forged_peer_is_told(peer):
    ada, bob = peer("ada"), peer("bob")
    link = ada.invite()
    assert redeem(ada, link).status == 409
    forged = link.replace(ada.id, bob.id[::-1])
    answer = redeem(bob, forged)
    assert answer.status == 502 and "Another peer answers" in answer.json()["message"]
    assert redeem(bob, link).status == 200, "a failure does not spend the invitation"


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


def test_a_secret_that_others_can_read_or_that_is_short_is_refused(peer, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret of the network that has 32 bytes or more\n")
    secret.chmod(0o644)
    ada = peer("ada")
    ada.stop()
    ada.start(network_secret_file=str(secret), wait=False)
    ada.gateway.log.find("network_secret_file can be read by others; give the file mode 0600")
    ada.stop()
    secret.chmod(0o600)
    secret.write_text("short")
    ada.start(network_secret_file=str(secret), wait=False)
    ada.gateway.log.find("network_secret_file must hold at least 32 bytes")
    assert "a secret of the network" not in ada.gateway.log.text(None)


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


def test_an_unknown_peer_gets_the_handshake_and_nothing_else(peer):
    ada, eve = peer("ada", wired=True), peer("eve")
    ada.wire.keeps = True
    refused_as_unknown(add(eve, ada))
    assert eventually(lambda: ada.dropped("unknown_peer"), what="ada counts it") >= 1
    assert not ada.peers() and not eve.knows(ada)
    kinds = [data[1] for kind, way, data in ada.wire.seen if way == "out"]
    assert set(kinds) == {2}, "second messages of handshakes alone came back"


def test_a_banned_peer_is_cut_off_at_once_until_it_is_added_again(peer):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    meet(ada, bob, cyd)
    assert ada.ask("DELETE", f"/v1/p2p/peers/{bob.id}", scope="admin").data["removed"] is True
    assert bob.id not in ada.peers()
    assert ada.ask("GET", f"/v1/p2p/peers/{bob.id}").status == 404
    body = {"recipient": bob.id, "message": {"payload": {}}}
    assert ada.ask("POST", "/v1/p2p/message", body).status == 404
    assert ada.ask("DELETE", f"/v1/p2p/peers/{bob.id}", scope="admin").status == 404
    # Neither its session, nor its old record, nor one that cyd passes on, nor cyd's flooding brings it back.
    lost = bob.write(f"ada@{ada.id}", {"text": "from a banned peer"}, wait_seconds=2)
    assert lost["status"] == "sent"
    bob.stop()
    bob.start()
    refused_as_unknown(add(bob, ada))
    eventually(lambda: bob.knows(cyd) and cyd.knows(bob), what="bob is back")
    ada.stop()
    ada.start()
    eventually(lambda: ada.knows(cyd), what="ada is back")
    assert bob.id not in ada.peers() and not ada.inbox("ada")
    assert add(ada, bob).status == 200
    eventually(lambda: ada.knows(bob) and bob.knows(ada), what="they are peers again")
    assert bob.write(f"ada@{ada.id}", {"text": "again"}, wait_seconds=10)["status"] == "delivered"


def test_an_invitation_that_is_redeemed_lifts_the_ban_of_who_made_it(peer):
    ada, bob = peer("ada"), peer("bob")
    meet(ada, bob)
    assert bob.ask("DELETE", f"/v1/p2p/peers/{ada.id}", scope="admin").status == 200
    bob.join(ada)
    eventually(lambda: bob.knows(ada), what="they are peers again")
    bob.stop()
    bob.start()
    eventually(lambda: bob.knows(ada), what="they still are")


def test_whoever_joins_one_peer_becomes_known_to_its_peers(peer):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    bob.join(ada)
    cyd.join(ada)
    await_all([ada, bob, cyd])
    assert bob.write(f"cyd@{cyd.id}", {"text": "hello"}, wait_seconds=10)["status"] == "delivered"


def test_a_peer_that_admits_no_introduced_ones_knows_those_it_has_met_alone(peer):
    ada, bob, cyd = peer("ada"), peer("bob", admit_introduced=False), peer("cyd")
    bob.join(ada)
    cyd.join(ada)
    eventually(lambda: ada.knows(bob, cyd) and cyd.knows(ada) and bob.knows(ada), what="ada knows both")
    refused_as_unknown(add(cyd, bob))
    assert set(bob.peers()) == {ada.id}


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
