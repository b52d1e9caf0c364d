"""Peers that stop, are killed, or have their plugin replaced: who comes back is the same, and messages arrive once."""

import os
import signal
import threading

import pytest

from conftest import eventually, make_token
from peers import meet, peer  # noqa: F401
from subscriber import Subscriber
from swaps import reload


def indices(one, user="user"):
    return sorted(message["message"]["payload"]["index"] for message in one.inbox(user))


def send(sender, recipient, *indices, **more):
    return [sender.write(f"user@{recipient.id}", {"index": index}, **more)["message_id"] for index in indices]


def outgoing(sender, status):
    """How many messages that it has sent have a status."""
    return sender.get(f"/v1/p2p/messages?direction=out&limit=1&status={status}")["total_count"]


def settled(sender, sent):
    eventually(lambda: outgoing(sender, "sent") == 0, limit=30, what="every message has its end")
    assert all(sender.message(one)["status"] == "delivered" for one in sent)


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_a_recipient_that_was_away_gets_its_messages_once(peer, ends):
    ada, bob = peer("ada"), peer("bob")
    meet(ada, bob)
    before = (bob.id, bob.endpoint)
    getattr(bob, ends)()
    sent = send(ada, bob, *range(20))
    assert {ada.message(one)["status"] for one in sent} == {"sent"}
    bob.start()
    assert (bob.id, bob.endpoint) == before, "identity and port are kept"
    settled(ada, sent)
    assert indices(bob) == list(range(20))


def test_a_neighbour_keeps_no_more_than_a_share_of_one_sender_and_has_room_for_the_next(peer):
    ada, cyd, dan = peer("ada"), peer("cyd"), peer("dan")
    bob = peer("bob", bitchat={"stored_messages": 8})
    meet(bob, ada, cyd, dan)
    cyd.stop()
    send(ada, cyd, *range(8), priority="urgent", transport="bitchat")
    eventually(lambda: bob.count("dropped_full") > 0, what="bob keeps no more of ada's")
    assert bob.count("messages_stored") == 2
    send(dan, cyd, 100, priority="low", transport="bitchat")
    eventually(lambda: bob.count("messages_stored") == 3, what="bob keeps dan's")
    # Those who have them all are gone when cyd is back.
    ada.stop()
    dan.stop()
    cyd.start()
    eventually(lambda: len(indices(cyd)) == 3, limit=30, what="cyd has what bob kept")
    assert 100 in indices(cyd)


def test_a_sender_that_is_killed_sends_again_what_has_no_receipt(peer):
    ada, bob = peer("ada"), peer("bob")
    meet(ada, bob)
    bob.stop()
    sent = send(ada, bob, *range(20))
    ada.kill()
    bob.start()
    assert indices(bob) == [], "nobody has them but who was killed"
    ada.start()
    settled(ada, sent)
    assert indices(bob) == list(range(20))


@pytest.mark.parametrize("restarts", [False, True], ids=["a recipient that stays", "a recipient that restarts"])
def test_a_message_whose_receipt_found_nobody_is_delivered_once(peer, restarts):
    ada, bob = peer("ada"), peer("bob")
    meet(ada, bob)
    assert ada.message(*send(ada, bob, 0, wait_seconds=10))["status"] == "delivered"
    # Bob stands still while ada writes, and reads it when she is no more.
    os.kill(bob.gateway.pid, signal.SIGSTOP)
    sent = send(ada, bob, *range(1, 6))
    eventually(lambda: ada.count("messages_waiting") == 5, what="all have left")
    ada.kill()
    os.kill(bob.gateway.pid, signal.SIGCONT)
    eventually(lambda: indices(bob) == list(range(6)), what="bob has them")
    if restarts:
        bob.stop()
        bob.start()
    ada.start()
    settled(ada, sent)
    assert indices(bob) == list(range(6))


@pytest.mark.parametrize("transport", ["bitchat", "betanet"])
def test_a_reload_of_the_plugin_keeps_the_peer_and_loses_and_doubles_nothing(peer, transport):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    meet(ada, bob, cyd)
    more = {"transport": transport, **({"hops": 2} if transport == "betanet" else {})}
    before = (bob.id, bob.endpoint)
    sent, stop = [], threading.Event()

    def write():
        index = 0
        # No faster than one peer may write to another over circuits.
        while not stop.wait(0.02):
            sent.extend(send(ada, bob, index, **more))
            index += 1

    with Subscriber(ada.gateway, "p2p_event", token=make_token("alice")) as subscriber:
        writer = threading.Thread(target=write)
        writer.start()
        eventually(lambda: len(bob.inbox("user")) > 5, what="messages flow")
        report = reload(bob.gateway, "p2p_fog")
        assert report["outcome"] != "failed", report
        count = len(sent)
        eventually(lambda: len(sent) > count + 20, what="messages flow again")
        stop.set()
        writer.join()
        lost = [event for event in subscriber.of("p2p_event")
                if event.get("event") == "peer" and event["state"] in ("dead", "suspect")]
    bob.await_network()
    assert (bob.id, bob.endpoint) == before
    settled(ada, sent)
    received = [one["message_id"] for one in bob.get("/v1/p2p/messages?limit=200", user="user")["messages"]]
    total = bob.get("/v1/p2p/messages?limit=1", user="user")["total_count"]
    assert total == len(sent) and len(set(received)) == len(received)
    assert not lost, "a swap is no death"
    assert ada.health()["status"] == "healthy"


@pytest.mark.parametrize("transport", ["bitchat", "betanet"])
def test_a_sender_whose_plugin_is_reloaded_loses_and_doubles_nothing(peer, transport):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    meet(ada, bob, cyd)
    more = {"transport": transport, **({"hops": 2} if transport == "betanet" else {})}
    sent, stop = [], threading.Event()

    def write():
        index = 0
        # No faster than one peer may write to another over circuits.
        while not stop.wait(0.02):
            sent.extend(send(ada, bob, index, **more))
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    eventually(lambda: len(sent) > 10, what="messages flow")
    assert reload(ada.gateway, "p2p_fog")["outcome"] != "failed"
    count = len(sent)
    eventually(lambda: len(sent) > count + 20, what="messages flow again")
    stop.set()
    writer.join()
    settled(ada, sent)
    assert bob.get("/v1/p2p/messages?limit=1", user="user")["total_count"] == len(sent)
