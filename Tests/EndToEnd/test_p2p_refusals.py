"""What comes over the wire from nobody: garbage, other versions, replays, floods, silence. The gateway serves on."""

import os
import random
import socket
import time

import pytest

from conftest import eventually
from peers import meet, peer, shared_peer  # noqa: F401

FIRST, SECOND, THIRD, DATA, COOKIE, BEACON, PROBE = range(1, 8)


@pytest.fixture(scope="module")
def pair(shared_peer):
    """Two peers that know one another; the first is behind a wire that keeps what passes."""
    ada, bob = shared_peer("ada", wired=True), shared_peer("bob")
    ada.wire.keeps = True
    meet(ada, bob)
    return ada, bob


@pytest.fixture
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        yield made


def first(version=1):
    """A first message of a handshake as a stranger may send it."""
    content = bytes([version, FIRST]) + os.urandom(4) + bytes(16) + os.urandom(32)
    return content + bytes(512 - len(content))


def serves(ada, bob):
    """The gateway is healthy, and its peer reaches it."""
    assert ada.health()["status"] == "healthy"
    assert bob.write(f"user@{ada.id}", {}, wait_seconds=10)["status"] == "delivered"


def answers(udp, ada):
    """All that came back before the answer to a true first message, which is not counted."""
    marker = first()
    udp.sendto(marker, ("127.0.0.1", ada.port))
    came = []
    while True:
        data = udp.recv(4096)
        if data[:2] == bytes([1, SECOND]) and data[2:6] == marker[2:6]:
            return came
        came.append(data)


def test_garbage_has_no_answer_and_is_counted(pair, udp):
    ada, bob = pair
    before, chosen = ada.dropped(), random.Random(7)
    garbage = [chosen.randbytes(size) for size in [1, 2, 3, 13, 14, 30, 511, 512, 513, 1199, 1200]]
    garbage += [bytes([1, kind]) + chosen.randbytes(size) for kind in range(10) for size in (0, 1, 12, 510, 1100)
                if (kind, size) != (FIRST, 510)]
    for data in garbage:
        udp.sendto(data, ("127.0.0.1", ada.port))
    assert answers(udp, ada) == []
    eventually(lambda: ada.dropped() >= before + len(garbage), what="all are counted")
    serves(ada, bob)


def test_a_handshake_of_another_version_has_no_answer(pair, udp):
    ada, bob = pair
    before = ada.dropped("malformed")
    for version in (0, 2, 3, 255):
        udp.sendto(first(version), ("127.0.0.1", ada.port))
    assert answers(udp, ada) == []
    eventually(lambda: ada.dropped("malformed") >= before + 4, what="all are counted")
    serves(ada, bob)


def test_what_is_longer_than_a_datagram_may_be_is_dropped(pair, udp):
    ada, bob = pair
    before = ada.dropped("oversized")
    for size in (1201, 2047, 2048, 2049, 9000, 65_000):
        udp.sendto(bytes([1, DATA]) + bytes(size - 2), ("127.0.0.1", ada.port))
    assert answers(udp, ada) == []
    eventually(lambda: ada.dropped("oversized") >= before + 6, what="all are counted")
    serves(ada, bob)


def test_what_was_on_the_wire_before_is_dropped_whole_or_altered(pair, udp):
    ada, bob = pair
    ada.wire.seen.clear()
    for index in range(10):
        assert bob.write(f"replay@{ada.id}", {"index": index}, wait_seconds=10)["status"] == "delivered"
    recorded = [data for kind, way, data in list(ada.wire.seen) if (kind, way) == ("udp", "in")]
    assert len(recorded) >= 10
    replays, forged = ada.dropped("replay"), ada.dropped("forged")
    endpoint = ada.peers()[bob.id]["endpoint"]
    for data in recorded:
        udp.sendto(data, ("127.0.0.1", ada.port))
    eventually(lambda: ada.dropped("replay", "no_session") >= replays + len(recorded), what="all are counted")
    for data in recorded:
        # The number raised, so that it is none that was seen; the seal is of another.
        udp.sendto(data[:6] + (1 << 40).to_bytes(8) + data[14:], ("127.0.0.1", ada.port))
    eventually(lambda: ada.dropped("forged") > forged, what="forgeries are counted")
    assert answers(udp, ada) == []
    assert len(ada.inbox("replay")) == 10 and ada.peers()[bob.id]["endpoint"] == endpoint
    serves(ada, bob)


def test_a_flood_of_handshakes_from_one_address_keeps_no_other_out(peer):
    ada, bob, cyd = peer("ada"), peer("bob"), peer("cyd")
    meet(ada, bob)
    link = ada.invite()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.bind(("127.0.0.2", 0))
        for _ in range(4000):
            flood.sendto(first(), ("127.0.0.1", ada.port))
        assert cyd.post("/v1/p2p/peers", {"invitation": link}, scope="admin")["status"] == "connected"
        received = []
        flood.setblocking(False)
        try:
            while True:
                received.append(flood.recv(4096))
        except BlockingIOError:
            pass
    assert {data[1] for data in received} <= {SECOND, COOKIE} and len(received) < 400
    eventually(lambda: ada.dropped("handshakes") > 1000, what="the flood is counted")
    assert 4000 - ada.dropped("handshakes") <= 200 + 256, "few cost a handshake"
    serves(ada, bob)


def test_a_connection_that_says_nothing_is_closed_after_five_seconds(pair):
    ada, bob = pair
    began = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", ada.port), timeout=10) for _ in range(3)]
    silent[1].sendall(b"\x01")
    silent[2].sendall(b"\x01\x00\x20" + os.urandom(32))
    for one in silent:
        drain(one)
        assert 4 <= time.monotonic() - began <= 7
        one.close()
    serves(ada, bob)


def drain(connection):
    """Reads until the other closes; gives what came."""
    data = b""
    try:
        while more := connection.recv(65_536):
            data += more
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize("said", [
    b"\x00", b"\x02\x00\x20" + bytes(32), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x01\xff\xff", b"\x01\x00\x00",
    b"\x01\x00\x20" + bytes(32), b"\x01\x00\x21" + bytes(33), bytes(1 << 16),
], ids=["version 0", "version 2", "HTTP", "too long", "empty", "a key of zeros", "one byte more", "zeros"])
def test_a_connection_that_says_garbage_is_closed_at_once(pair, said):
    ada, bob = pair
    with socket.create_connection(("127.0.0.1", ada.port), timeout=3) as one:
        try:
            one.sendall(said)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert len(drain(one)) <= 1, "a version at most"
    serves(ada, bob)


def test_more_silent_connections_than_there_is_room_for_are_closed_at_once(pair):
    ada, bob = pair
    many = [socket.create_connection(("127.0.0.1", ada.port), timeout=10) for _ in range(100)]
    began = time.monotonic()
    for one in many[70:]:
        drain(one)
    assert time.monotonic() - began < 3
    for one in many:
        one.close()
    eventually(lambda: ada.health()["status"] == "healthy")
    serves(ada, bob)
