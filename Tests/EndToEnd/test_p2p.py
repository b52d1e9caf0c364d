"""Peers: meeting, writing to one another, being refused."""

import json

import pytest

from conftest import eventually
from peers import Peer, meet
from wire import Wire


@pytest.fixture
def peer(tmp_path_factory):
    """Starts peers that live as long as the test."""
    started, wires = [], []

    def start(name, wired=False, **more):
        if wired:
            more["wire"] = Wire()
            wires.append(more["wire"])
        started.append(Peer(tmp_path_factory.mktemp(name), name, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()
    for wire in wires:
        wire.close()


def test_two_peers_meet_by_invitation_and_write_to_one_another(peer):
    ada, bob = peer("ada"), peer("bob")
    assert ada.status()["bitchat"]["connected"] is False
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
