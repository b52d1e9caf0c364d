"""Twenty peers on wires that lose one datagram in twenty, and halves of them that lose one another."""

import random
import threading
import time

import pytest

from conftest import eventually
from peers import shared_peer  # noqa: F401

PEERS, MESSAGES, LOSS = 20, 1000, 0.05


def at_once(work, items):
    """Runs `work` for all of `items` on threads; gives what each gave."""
    results = [None] * len(items)

    def run(index):
        results[index] = work(items[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in results, "a thread has failed"
    return results


@pytest.fixture(scope="module")
def network(shared_peer):
    """Peers that have all joined the first; datagrams are lost from the beginning."""
    peers = [shared_peer(f"peer-{number}", wired=True, wait=False) for number in range(PEERS)]
    for one in peers:
        one.await_network()
        one.wire.loss = LOSS
    at_once(lambda one: one.join(peers[0]), peers[1:])
    eventually(lambda: all(sees_all(one) for one in peers), limit=60, what="all see all")
    return peers


def states(one):
    return [peer["status"] for peer in one.peers().values()]


def sees_all(one):
    return states(one).count("alive") == PEERS - 1


def counted(one, status):
    """How many of its messages have a status."""
    return one.get(f"/v1/p2p/messages?direction=out&limit=1&status={status}")["total_count"]


def test_of_a_thousand_messages_nearly_all_arrive_and_none_twice(network, record_property):
    chosen = random.Random(5)
    plans = [(one, [chosen.choice([other for other in network if other is not one]) for _ in range(MESSAGES // PEERS)])
             for one in network]
    began = time.monotonic()

    def write(plan):
        sender, recipients = plan
        return [sender.write(f"user@{other.id}", {"from": sender.name, "index": index}, transport="bitchat")["message_id"]
                for index, other in enumerate(recipients)]

    sent = [message for messages in at_once(write, plans) for message in messages]

    def settled():
        return sum(counted(one, "delivered") + counted(one, "undelivered") for one in network) == MESSAGES

    eventually(settled, limit=60, what="every message has its end")
    took = time.monotonic() - began
    received = [message["message_id"] for one in network for message in one.inbox("user")]
    share = len(set(received) & set(sent)) / MESSAGES
    traffic = [one.status()["bitchat"] for one in network]
    record_property("delivered", share)
    lost = sum(one.wire.dropped for one in network)
    passed = sum(one.wire.passed for one in network)
    print(f"\n{MESSAGES} messages of {PEERS} peers in {took:.1f} s: {share:.2%} delivered, "
          f"{lost} of {lost + passed} datagrams lost, "
          f"{sum(one['retransmissions'] for one in traffic)} sent again")
    assert lost / (lost + passed) > LOSS / 2, "the wires do lose"
    assert share >= 0.999
    assert len(received) == len(set(received)), "some came twice"
    assert sum(counted(one, "delivered") for one in network) >= 0.999 * MESSAGES


def test_halves_that_lost_one_another_agree_within_five_seconds_after_the_heal(network):
    left, right = network[: PEERS // 2], network[PEERS // 2:]
    for half, other in ((left, right), (right, left)):
        for one in half:
            one.wire.apart = {far.port for far in other}

    def is_apart(one, half):
        peers = one.peers()
        return all(peers[other.id]["status"] == ("alive" if other in half else "dead")
                   for other in network if other is not one)

    eventually(lambda: all(is_apart(one, half) for half in (left, right) for one in half), limit=90,
               what="each half has lost the other")
    waiting = [(left[0], right[0]), (right[1], left[1])]
    kept = [(sender.write(f"late@{other.id}", {}, transport="bitchat")["message_id"], sender) for sender, other in waiting]
    for one in network:
        one.wire.apart = set()
    healed = time.monotonic()
    eventually(lambda: all(sees_all(one) for one in network), limit=30, what="all see all")
    took = time.monotonic() - healed
    print(f"\nall {PEERS} peers saw all {took:.2f} s after the heal")
    assert took < 5
    eventually(lambda: all(sender.message(one)["status"] == "delivered" for one, sender in kept), what="what waited arrives")
    for _, other in waiting:
        assert len(other.inbox("late")) == 1
