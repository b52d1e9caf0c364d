"""Peers that are not let in: strangers, who comes with a used invitation, who was banned."""

import json

from admission import add, redeem, refused_as_unknown, together
from conftest import eventually
from peers import meet, peer  # noqa: F401


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


def test_a_peer_that_admits_no_introduced_ones_knows_those_it_has_met_alone(peer):
    ada, bob, cyd = peer("ada"), peer("bob", admit_introduced=False), peer("cyd")
    bob.join(ada)
    cyd.join(ada)
    eventually(lambda: ada.knows(bob, cyd) and cyd.knows(ada) and bob.knows(ada), what="ada knows both")
    refused_as_unknown(add(cyd, bob))
    assert set(bob.peers()) == {ada.id}
