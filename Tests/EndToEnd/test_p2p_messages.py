"""Messages between peers: to whom, by which transport, what becomes of them, who sees them."""

import json
import socket
import threading

import pytest

from conftest import eventually, make_token
from messages import ask, library, receive
from peers import await_all, meet, peer, shared_peer  # noqa: F401
from subscriber import Subscriber


def has_ipv6():
    """Whether ::1 can be listened on."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def trio(shared_peer):
    """Three peers that know one another."""
    peers = [shared_peer(name) for name in ("ada", "bob", "cyd")]
    meet(*peers)
    return peers


@pytest.fixture
def user(request):
    """A name that no other test has."""
    return f"user-{abs(hash(request.node.name))}"


@pytest.mark.parametrize("transport", ["auto", "bitchat", "betanet"])
def test_a_message_reaches_a_user_of_a_peer(trio, user, transport):
    ada, bob, _ = trio
    more = {"hops": 2} if transport == "betanet" else {}
    sent = ada.write(f"{user}@{bob.id}", {"text": "hello"}, transport=transport, wait_seconds=10, **more)
    assert sent["status"] == "delivered" and sent["receipt_expected"] is True, sent
    assert sent["transport_used"] == ("betanet" if transport == "betanet" else "bitchat")
    assert sent["direction"] == "out" and sent["recipient"] == f"{user}@{bob.id}" and sent["priority"] == 5
    (message,) = bob.inbox(user)
    assert message["message_id"] == sent["message_id"] and message["sender"] == f"alice@{ada.id}"
    assert message["message"] == {"type": "text", "payload": {"text": "hello"}} and message["status"] == "received"
    assert message["transport_used"] == sent["transport_used"]
    assert sent["hops"] == message["hops"] if transport != "betanet" else sent["hops"] == 2
    assert ada.message(sent["message_id"])["status"] == "delivered"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
def test_peers_talk_over_ipv6(peer):
    trio = ada, bob, cyd = [peer(name, listen="[::1]:0") for name in ("ada", "bob", "cyd")]
    meet(*trio)
    assert all(one.endpoint.startswith("[::1]:") for one in trio)
    for transport, more in [("bitchat", {}), ("betanet", {"hops": 2})]:
        sent = ada.write(f"alice@{cyd.id}", {"by": transport}, transport=transport, wait_seconds=10, **more)
        assert sent["status"] == "delivered" and sent["transport_used"] == transport, sent
    assert [one["message"]["payload"]["by"] for one in cyd.inbox()] == ["betanet", "bitchat"]


def test_a_message_to_a_peer_itself_is_its_administrators_alone(trio, user):
    ada, bob, _ = trio
    sent = ada.write(bob.id, {"text": user}, wait_seconds=10)
    assert sent["status"] == "delivered" and sent["recipient"] == bob.id
    box = "/v1/p2p/messages?box=peer"
    found = [one for one in bob.get(box, scope="read,admin")["messages"] if one["message_id"] == sent["message_id"]]
    assert len(found) == 1 and found[0]["message"]["payload"] == {"text": user}
    assert bob.ask("GET", box).status == 403
    assert not any(one["message_id"] == sent["message_id"] for one in bob.inbox("alice"))


def test_a_message_to_a_user_of_the_same_gateway_needs_no_network(trio, user):
    ada = trio[0]
    for recipient in (user, f"{user}@{ada.id}"):
        sent = ada.write(recipient, {"to": recipient})
        assert sent["status"] == "delivered" and sent["transport_used"] == "local"
    second, first = ada.inbox(user)
    assert first["message"]["payload"] == {"to": user} and first["sender"] == f"alice@{ada.id}"
    assert second["number"] > first["number"]


def test_a_message_to_everyone_reaches_every_peer_once(trio, user):
    ada, bob, cyd = trio
    sent = ada.write("*", {"text": user}, priority="urgent")
    assert sent["status"] == "broadcast" and sent["receipt_expected"] is False and sent["recipient"] == "*"
    assert sent["transport_used"] == "bitchat", "the mesh alone floods"

    def of(one):
        messages = one.get("/v1/p2p/messages?box=peer&limit=200", scope="read,admin")["messages"]
        return [message for message in messages if message["message_id"] == sent["message_id"]]

    for one in (bob, cyd):
        (message,) = eventually(lambda: of(one), what=f"{one.name} has it")
        assert message["message"]["payload"] == {"text": user} and message["priority"] == 10
    assert not of(ada)


@pytest.mark.parametrize("transport", ["bitchat", "betanet"])
def test_the_largest_message_arrives_whole_and_one_byte_more_is_refused(trio, user, transport):
    ada, bob, _ = trio
    text = "".join(chr(33 + index % 90) for index in range(65_536)).replace("\\", "/").replace('"', "'")
    payload = {"text": text[: 65_536 - len('{"text":""}')]}
    more = {"transport": transport, **({"hops": 2} if transport == "betanet" else {})}
    sent = ada.write(f"{user}@{bob.id}", payload, wait_seconds=20, **more)
    assert sent["status"] == "delivered", {**sent, "message": "…"}
    (message,) = bob.inbox(user)
    assert message["message"]["payload"] == payload
    payload["text"] += "x"
    body = {"recipient": f"{user}@{bob.id}", "message": {"payload": payload}, **more}
    answer = ada.ask("POST", "/v1/p2p/message", body)
    assert answer.status == 422 and answer.code == "VALIDATION_ERROR", answer
    assert "65537 bytes as JSON; 65536 are allowed" in answer.content.decode()


def test_the_inbox_has_pages_and_a_since_and_messages_are_read_and_deleted(trio, user):
    ada, bob, _ = trio
    for index in range(7):
        kind = "note" if index % 2 else "text"
        body = {"recipient": f"{user}@{bob.id}", "message": {"type": kind, "payload": {"index": index}},
                "wait_seconds": 10}
        assert ada.post("/v1/p2p/message", body, status=202)["status"] == "delivered"

    def page(query=""):
        found = bob.get(f"/v1/p2p/messages?{query}", user=user)
        return [one["message"]["payload"]["index"] for one in found["messages"]], found["total_count"]

    assert page() == ([6, 5, 4, 3, 2, 1, 0], 7)
    assert page("limit=3&offset=2") == ([4, 3, 2], 7)
    assert page("type=note") == ([5, 3, 1], 3)
    assert page(f"peer={ada.id}&limit=1") == ([6], 7) and page(f"peer={bob.id}") == ([], 0)
    numbers = [one["number"] for one in bob.inbox(user)]
    assert page(f"after={numbers[3]}") == ([4, 5, 6], 3) and page(f"after={numbers[0]}") == ([], 0)
    assert bob.post("/v1/p2p/messages/read", {"up_to": numbers[4]}, user=user) == {"read": 3}
    assert bob.post("/v1/p2p/messages/read", {"up_to": numbers[4]}, user=user) == {"read": 0}
    assert page("status=read") == ([2, 1, 0], 3)
    (first, *_) = bob.inbox(user)
    path = f"/v1/p2p/messages/{first['message_id']}"
    for method in ("GET", "DELETE"):
        assert bob.ask(method, path, user="eve").status == 404
    assert bob.ask("DELETE", path, user=user).data == {"message_id": first["message_id"], "deleted": True}
    assert bob.ask("DELETE", path, user=user).status == 404 and bob.ask("GET", path, user=user).status == 404
    assert page()[1] == 6 and not bob.inbox("eve")
    assert ada.message(first["message_id"])["status"] == "delivered", "the sender's copy is its own"


def test_events_with_messages_are_for_who_may_read_them(trio, user):
    with library(trio[1].gateway, make_token(user, "write")) as socket:
        assert receive(socket)["type"] == "connection_established"
        refused = ask(socket, type="subscribe", topics=["p2p_event"])
        assert refused["code"] == "FORBIDDEN_TOPIC" and "scope read" in refused["message"], refused


def test_events_of_messages_are_their_users_alone(trio, user):
    ada, bob, _ = trio

    def messages(subscriber):
        return [event for event in subscriber.of("p2p_event") if event.get("event") in ("message", "receipt")]

    with Subscriber(bob.gateway, "p2p_event", token=make_token(user)) as his, \
            Subscriber(bob.gateway, "p2p_event", token=make_token("eve")) as hers, \
            Subscriber(ada.gateway, "p2p_event", token=make_token("alice")) as senders:
        sent = ada.write(f"{user}@{bob.id}", {"text": "hello"}, wait_seconds=10)
        (event,) = eventually(lambda: messages(his), what="the event")
        assert event["message_id"] == sent["message_id"] and event["message"]["payload"] == {"text": "hello"}
        assert event["event"] == "message" and event["sender"] == f"alice@{ada.id}"
        (event,) = eventually(lambda: messages(senders), what="the receipt")
        assert event["event"] == "receipt" and event["message_id"] == sent["message_id"]
        # A further message for her: whatever went before it would have come by now.
        ada.write(f"eve@{bob.id}", {"text": user}, wait_seconds=10)
        (event,) = eventually(lambda: messages(hers), what="her event")
        assert event["message"]["payload"] == {"text": user}
        assert len(messages(his)) == 1


def test_the_urgent_goes_before_the_rest_when_the_recipient_returns(peer):
    ada, bob = peer("ada"), peer("bob")
    meet(ada, bob)
    bob.stop()
    eventually(lambda: ada.peers()[bob.id]["status"] in ("left", "dead"), what="bob is gone")
    for priority in (1, 5, 10):
        sent = ada.write(f"bob@{bob.id}", {"priority": priority}, priority=priority)
        assert sent["status"] == "sent"
    bob.start()
    found = eventually(lambda: len(bob.inbox("bob")) == 3 and bob.inbox("bob"), what="all are there")
    assert [one["priority"] for one in reversed(found)] == [10, 5, 1]


def test_a_message_for_a_peer_that_is_away_is_kept_by_others_when_its_sender_goes_too(peer):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    meet(ada, bob, cyd)
    bob.stop()
    eventually(lambda: all(one.peers()[bob.id]["status"] == "left" for one in (ada, cyd)), what="bob has left")
    sent = [ada.write(f"bob@{bob.id}", {"index": index})["message_id"] for index in range(10)]
    eventually(lambda: cyd.count("messages_stored") == 10, what="cyd keeps them")
    ada.kill()
    bob.start()
    eventually(lambda: len(bob.inbox("bob")) == 10, what="bob has them")
    ada.start()
    eventually(lambda: all(ada.message(one)["status"] == "delivered" for one in sent), what="ada knows it")
    assert sorted(one["message"]["payload"]["index"] for one in bob.inbox("bob")) == list(range(10))
    eventually(lambda: cyd.count("messages_stored") == 0, what="cyd keeps nothing")


def test_peers_whose_datagrams_do_not_pass_between_them_are_reached_over_a_third(peer):
    ada, bob, cyd = (peer(name, wired=True) for name in ("ada", "bob", "cyd"))
    meet(ada, bob, cyd)
    ada.wire.apart, bob.wire.apart = {bob.port}, {ada.port}
    sent = ada.write(f"bob@{bob.id}", {"text": "around"}, transport="bitchat", wait_seconds=12)
    assert sent["status"] == "delivered" and sent["hops"] == 2, sent
    (message,) = bob.inbox("bob")
    assert message["hops"] == 2 and message["sender"] == f"alice@{ada.id}"
    assert ada.knows(bob) and bob.knows(ada), "others have probed them"


@pytest.mark.parametrize("transport", ["bitchat", "betanet"])
def test_a_message_that_cannot_be_stored_is_never_confirmed(peer, transport):
    ada, bob, cyd = peer("ada"), peer("bob", min_free_bytes=1 << 50), peer("cyd")
    meet(ada, bob, cyd)
    more = {"transport": transport, **({"hops": 2} if transport == "betanet" else {})}
    sent = ada.write(f"bob@{bob.id}", {"text": "hello"}, wait_seconds=6, **more)
    assert sent["status"] != "delivered", sent
    assert not bob.inbox("bob")
    health = eventually(lambda: bob.health()["status"] == "degraded" and bob.health())
    assert health["detail"]["reason"] == "what peers send cannot be stored"
    bob.stop()
    bob.start(min_free_bytes=0)
    if transport == "bitchat":
        eventually(lambda: ada.message(sent["message_id"])["status"] == "delivered", what="it is delivered at last")
        assert [one["message_id"] for one in bob.inbox("bob")] == [sent["message_id"]]
    # Whoever was met while nothing could be stored is known all the same.
    assert set(bob.peers()) == {ada.id, cyd.id}


def test_many_senders_at_once_lose_and_double_nothing(trio, user):
    ada, bob, cyd = trio
    sent = []

    def write(sender, recipient, count=40):
        for index in range(count):
            sent.append(sender.write(f"{user}@{recipient.id}", {"from": sender.name, "index": index})["message_id"])

    threads = [threading.Thread(target=write, args=pair) for pair in [(ada, bob), (bob, ada), (ada, cyd), (cyd, bob)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def received():
        return [message["message_id"] for one in trio for message in one.inbox(user)]

    eventually(lambda: len(received()) >= len(sent), what="all are there")
    assert sorted(received()) == sorted(sent) and len(set(sent)) == 160


def test_what_is_no_message_of_a_peer_is_refused(trio):
    ada, bob, _ = trio
    stranger = "ab" * 32
    cases = [
        ({"recipient": stranger}, 404), ({"recipient": f"bob@{stranger}"}, 404), ({"recipient": "bob@xyz"}, 422),
        ({"recipient": f"{'x' * 129}@{bob.id}"}, 422), ({"recipient": f"@{bob.id}"}, 422), ({"recipient": ""}, 422),
        ({"recipient": 7}, 422), ({}, 422), ({"recipient": "x" * 257}, 422),
        ({"recipient": bob.id, "priority": 0}, 422), ({"recipient": bob.id, "priority": 11}, 422),
        ({"recipient": bob.id, "priority": "soon"}, 422), ({"recipient": bob.id, "priority": 1.5}, 422),
        ({"recipient": bob.id, "transport": "pigeon"}, 422), ({"recipient": bob.id, "hops": 3}, 422),
        ({"recipient": bob.id, "transport": "betanet", "hops": 1}, 422),
        ({"recipient": bob.id, "transport": "betanet", "hops": 7}, 422),
        ({"recipient": "*", "transport": "betanet"}, 422), ({"recipient": bob.id, "wait_seconds": 31}, 422),
        ({"recipient": bob.id, "encryption": False}, 422), ({"recipient": bob.id, "delivery_receipt": False}, 422),
        ({"recipient": bob.id, "message": {"type": "Bad"}}, 422), ({"recipient": bob.id, "message": "text"}, 422),
        ({"recipient": bob.id, "message": {"type": "x" * 33}}, 422), ({"recipient": bob.id, "sender": "eve"}, 422),
    ]
    for case, status in cases:
        body = {"message": {"type": "text", "payload": {}}, **case}
        answer = ada.ask("POST", "/v1/p2p/message", body)
        assert answer.status == status, (case, answer)
        assert answer.code == ("VALIDATION_ERROR" if status == 422 else "RESOURCE_NOT_FOUND"), (case, answer)
    for body in (b"", b"{", b"[]", b"null"):
        with ada.gateway.client() as client:
            sent = {**ada.fields(), "Content-Type": "application/json"}
            assert client.request("POST", "/v1/p2p/message", sent, body).status in (400, 422), body
    assert ada.ask("POST", "/v1/p2p/message", {"recipient": bob.id, "message": {}}, scope="read").status == 403
    assert json.loads(ada.ask("GET", "/v1/p2p/status").content)["success"] is True


@pytest.mark.parametrize("transport", ["bitchat", "betanet"])
def test_a_peer_that_invents_users_has_so_many_messages_stored_and_no_more(peer, transport):
    ada, cyd = peer("ada"), peer("cyd")
    bob = peer("bob", max_messages_per_peer=3)
    meet(ada, bob, cyd)
    more = {"transport": transport, "wait_seconds": 20, **({"hops": 2} if transport == "betanet" else {})}
    for number in range(3):
        sent = ada.write(f"invented-{number}@{bob.id}", {"number": number}, **more)
        assert sent["status"] == "delivered", sent
    refused = ada.write(f"invented-3@{bob.id}", {"number": 3}, **more)
    assert refused["status"] == "undelivered", refused
    assert refused["reason"] == ("recipient_quota" if transport == "bitchat" else "the recipient refused it: quota")
    assert ada.message(refused["message_id"])["status"] == "undelivered"
    assert bob.inbox("invented-3") == [] and len(bob.inbox("invented-0")) == 1
    # Another peer has a quota of its own.
    assert cyd.write(f"invented-3@{bob.id}", {}, **more)["status"] == "delivered"
    # It outlives the process, and what a user deletes makes room.
    bob.stop()
    bob.start()
    await_all([ada, bob, cyd])
    assert ada.write(f"invented-4@{bob.id}", {}, **more)["status"] == "undelivered"
    (first,) = bob.inbox("invented-0")
    assert bob.ask("DELETE", f"/v1/p2p/messages/{first['message_id']}", user="invented-0").status == 200
    eventually(lambda: ada.write(f"invented-5@{bob.id}", {}, **more)["status"] == "delivered", what="room again")
    assert ada.write(f"invented-6@{bob.id}", {}, **more)["status"] == "undelivered"


def test_a_peer_has_so_many_bytes_stored_and_no_more(peer):
    ada, bob = peer("ada"), peer("bob", max_message_bytes_per_peer=20_000)
    meet(ada, bob)
    outcomes = [ada.write(f"invented-{number}@{bob.id}", {"text": "x" * 9000}, wait_seconds=20)["status"]
                for number in range(5)]
    # Each takes 9,000 and some more; with the third the limit is passed.
    assert outcomes == ["delivered"] * 3 + ["undelivered"] * 2
