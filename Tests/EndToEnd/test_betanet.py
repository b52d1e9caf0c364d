"""The private overlay: circuits over several gateways, what the wire between them shows, relays that die."""

import pytest

from conftest import eventually, make_token
from peers import await_all, meet, peer, shared_peer  # noqa: F401
from subscriber import Subscriber

SECRET = "the gold is under the old oak"
# Bytes of what is sealed: 16 of its tag, 5 of its head, and a cell or a ping.
CELL, PING = 16 + 5 + 517, 16 + 5 + 9


@pytest.fixture(scope="module")
def five(shared_peer):
    """Five peers, each behind a wire that keeps what passes."""
    peers = [shared_peer(name, wired=True) for name in ("ada", "bob", "cyd", "dan", "eve")]
    for one in peers:
        one.wire.keeps = True
    meet(*peers)
    return peers


def send(sender, recipient, index=0, user="user", **more):
    body = {"transport": "betanet", "hops": 3, **more}
    return sender.write(f"{user}@{recipient.id}", {"index": index, "text": SECRET}, **body)


def circuits(subscriber, state):
    return [event for event in subscriber.of("p2p_event")
            if event.get("event") == "circuit" and event["state"] == state]


def test_a_message_passes_three_hops_and_the_events_say_so(five):
    ada, eve = five[0], five[-1]
    with Subscriber(ada.gateway, "p2p_event", token=make_token("alice")) as subscriber:
        sent = send(ada, eve, user="three", wait_seconds=15)
        assert sent["status"] == "delivered" and sent["transport_used"] == "betanet", sent
        (built,) = eventually(lambda: circuits(subscriber, "built"), what="the circuit's event")
        assert built["hops"] == 3 and built["duration_ms"] > 0
        assert "recipient" not in built, "the topic is everybody's, and to whom a circuit leads is not"
        assert not {"path", "relays"} & set(built)
    (message,) = eve.inbox("three")
    assert message["message"]["payload"]["text"] == SECRET and message["sender"] == f"alice@{ada.id}"
    eventually(lambda: ada.count("active_circuits", "betanet") >= 1, what="the circuit is shown")
    # Two relays stand between the ends of three hops.
    eventually(lambda: sum(one.count("cells_relayed", "betanet") > 0 for one in five[1:-1]) == 2, what="two relays")


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_a_circuit_has_as_many_hops_as_the_message_asks_for(five, hops):
    ada, eve = five[0], five[-1]
    sent = send(ada, eve, user=f"hops{hops}", hops=hops, wait_seconds=15)
    assert sent["status"] == "delivered", sent
    assert len(eve.inbox(f"hops{hops}")) == 1


def test_too_few_peers_is_said_at_once_and_nothing_leaves(five):
    ada, eve = five[0], five[-1]
    sent = send(ada, eve, user="six", hops=6, wait_seconds=10)
    assert sent["status"] == "undelivered"
    assert sent["reason"] == "a circuit needs 5 peers, and 3 are there"
    assert not eve.inbox("six")


def test_the_wire_shows_neither_text_nor_ends_and_pieces_of_one_size(five):
    ada, *relays, eve = five
    for one in five:
        one.wire.seen.clear()
    sent = [send(ada, eve, index, user="reader", wait_seconds=15) for index in range(5)]
    assert all(one["status"] == "delivered" for one in sent), sent
    assert len(eve.inbox("reader")) == 5
    names = [SECRET.encode(), b"reader", b"alice", b"payload"]
    ids = [bytes.fromhex(one.id) for one in five] + [one.id.encode() for one in five]
    for one in five:
        wire = one.wire.bytes_of("tcp")
        everything = b"".join(wire)
        for text in names + ids:
            assert text not in everything, f"{text} is on the wire of {one.name}"
        for datagram in one.wire.bytes_of("udp"):
            # Names and keys of peers stand in sealed datagrams alone; no test message goes by the mesh.
            assert not any(text in datagram for text in names + ids)
    sizes = {size for one in five for sizes in map(records, one.wire.streams.values()) for size in sizes}
    assert sizes <= {CELL, PING} and CELL in sizes, "all that passes a link after its handshake is a cell or a ping"


def records(stream):
    """The lengths of the Noise messages of one direction of a link, without its version and its handshake."""
    assert stream[0] == 1
    sizes, offset = [], 1
    while offset + 2 <= len(stream):
        size = int.from_bytes(stream[offset:offset + 2])
        sizes.append(size)
        offset += 2 + size
    # Who dials sends the first and the third message of the handshake, the other the second.
    return sizes[2:] if sizes[0] == 32 else sizes[1:]


def test_a_relay_that_dies_in_mid_stream_loses_and_doubles_nothing(peer):
    peers = [peer(name) for name in ("ada", "bob", "cyd", "dan", "eve")]
    meet(*peers)
    ada, *relays, eve = peers
    total, sent = 150, []
    with Subscriber(ada.gateway, "p2p_event", token=make_token("alice")) as subscriber:
        sent.append(send(ada, eve, 0, wait_seconds=15)["message_id"])
        on_path = eventually(lambda: [one for one in relays if one.count("cells_relayed", "betanet")])
        for index in range(1, total):
            sent.append(send(ada, eve, index)["message_id"])
            if index == total // 3:
                on_path[0].kill()

        def all_settled():
            states = {one: ada.message(one)["status"] for one in sent}
            return "sent" not in states.values() and states

        states = eventually(all_settled, limit=45, what="every message has its end")
        assert set(states.values()) == {"delivered"}, states
        inbox = eve.inbox("user")
        assert sorted(one["message"]["payload"]["index"] for one in inbox) == list(range(total))
        failed = circuits(subscriber, "failed")
        assert failed and all(event["reason"] for event in failed), "the events tell of the loss"
        assert len(circuits(subscriber, "built")) >= 2, "and of the circuit that took its place"


def test_links_with_cover_traffic_are_never_silent(peer):
    cover = {"betanet": {"cover_cells_per_second": 20}}
    ada, bob, cyd = peer("ada", **cover), peer("bob", **cover), peer("cyd")
    meet(ada, bob, cyd)
    assert send(ada, bob, hops=2, wait_seconds=10)["status"] == "delivered"
    first = ada.count("padding_sent", "betanet")
    eventually(lambda: ada.count("padding_sent", "betanet") >= first + 40, limit=10, what="padding is sent")
    eventually(lambda: bob.count("padding_received", "betanet") + cyd.count("padding_received", "betanet") >= 40)


def test_without_cover_an_idle_link_is_silent(five):
    first = sum(one.count("padding_sent", "betanet") for one in five)
    assert first == 0


def test_messages_that_wait_for_their_receipt_survive_the_restart_of_their_sender(peer):
    ada, bob, cyd = peer("ada"), peer("bob", wired=True), peer("cyd", wired=True)
    meet(ada, bob, cyd)
    assert send(ada, bob, 0, hops=2, wait_seconds=10)["status"] == "delivered"
    for one in (bob, cyd):
        one.wire.cut = True
        one.wire.break_connections()
    sent = [send(ada, bob, index, hops=2)["message_id"] for index in (1, 2, 3)]
    ada.kill()
    for one in (bob, cyd):
        one.wire.cut = False
    ada.start()
    states = lambda: {ada.message(one)["status"] for one in sent}  # noqa: E731
    eventually(lambda: "sent" not in states(), limit=30, what="every message has its end")
    assert states() == {"delivered"}, [ada.message(one).get("reason") for one in sent]
    assert sorted(one["message"]["payload"]["index"] for one in bob.inbox("user")) == [0, 1, 2, 3]
