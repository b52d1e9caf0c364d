"""Stopping: what is under way finishes, within a limit, and the process ends with 0."""

import signal
import socket
import time

import pytest

from conftest import eventually, make_token
from frames import RawSocket
from raw import Closed, bearer, request_bytes
from test_utilities import FORM, file_form


def is_listening(gateway):
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=5).close()
        return True
    except OSError:
        return False


def hold(gateway, path="/v1/edge/hold"):
    """A request that waits in the plugin."""
    client = gateway.client()
    client.send(request_bytes("GET", path, bearer(make_token())))
    eventually(lambda: gateway.get("/v1/edge/waiting").data["waiting"] == 1)
    return client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_stopped_gateway_that_is_idle_ends_at_once_with_0(start, edge, number, workers):
    gateway = start([edge], WORKERS=workers)
    idle = [gateway.client() for _ in range(5)]
    assert [client.get("/health").status for client in idle] == [200] * 5
    began = time.monotonic()
    gateway.signal(number)
    assert gateway.wait() == 0
    assert time.monotonic() - began < 4
    assert all(client.is_closed() for client in idle)
    gateway.log.find("stopped")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_under_way_is_finished(start, edge, workers):
    gateway = start([edge], WORKERS=workers)
    client = hold(gateway, "/v1/edge/after/1200")
    gateway.signal()
    eventually(lambda: not is_listening(gateway))
    assert gateway.process.poll() is None
    answer = client.read()
    assert answer.status == 200 and answer.data == {"held": True} and answer.closes
    assert client.is_closed()
    assert gateway.wait() == 0


def test_an_upload_under_way_is_finished(start, utilities):
    gateway = start([utilities])
    body = file_form(b"u" * 500_000, "u.bin", "application/octet-stream")
    client = gateway.client()
    client.send(request_bytes(
        "POST", "/v1/upload", {**bearer(make_token()), **FORM, "Content-Length": str(len(body))}) + body[:250_000])
    eventually(lambda: list((gateway.data / "plugins/utilities/incoming").iterdir()))
    gateway.signal()
    eventually(lambda: not is_listening(gateway))
    client.send(body[250_000:])
    assert client.read().data["size"] == 500_000
    assert gateway.wait() == 0


def test_a_long_answer_under_way_is_finished(start, edge):
    gateway = start([edge])
    client = gateway.client(receive_buffer=16384)
    client.send(request_bytes("GET", "/v1/edge/sized/8000000", bearer(make_token())))
    assert client.read(head=True).status == 200
    gateway.signal()
    eventually(lambda: not is_listening(gateway))
    assert len(client.take(8_000_000)) == 8_000_000
    assert gateway.wait() == 0


def test_a_connection_whose_answer_is_being_taken_ends_behind_it(start, edge):
    gateway = start([edge])
    token = bearer(make_token())
    with gateway.client(receive_buffer=4096) as client:
        client.send(request_bytes("GET", "/v1/edge/image/20000000", token))
        eventually(lambda: gateway.log.find(r"/v1/edge/image/20000000 200"))
        began = time.monotonic()
        gateway.signal()
        eventually(lambda: not is_listening(gateway))
        assert len(client.read().body) == 20_000_000
        assert client.is_closed()
        assert gateway.wait() == 0
        assert time.monotonic() - began < 10


def test_beyond_the_limit_requests_are_cancelled(start, edge):
    gateway = start([edge], LIMIT_DRAIN_SECONDS=0.5)
    client = hold(gateway)
    began = time.monotonic()
    gateway.signal()
    with pytest.raises((Closed, ConnectionResetError)):
        client.read()
    assert gateway.wait() == 0
    assert 0.4 < time.monotonic() - began < 5
    gateway.log.find("drain limit")


def test_a_second_signal_does_not_wait(start, edge):
    gateway = start([edge])
    client = hold(gateway)
    gateway.signal()
    gateway.log.find("draining")
    eventually(lambda: not is_listening(gateway))
    began = time.monotonic()
    gateway.signal(signal.SIGINT)
    with pytest.raises((Closed, ConnectionResetError)):
        client.read()
    assert gateway.wait() == 0
    assert time.monotonic() - began < 5


def test_sockets_are_told_that_the_gateway_goes_away(start, edge):
    gateway = start([edge])
    sockets = [RawSocket(gateway.port) for _ in range(3)]
    gateway.signal()
    assert [client.close_code() for client in sockets] == [1001] * 3
    for client in sockets:
        client.close()
    assert gateway.wait() == 0


def test_during_the_notice_requests_are_still_answered_and_connections_end(start, edge):
    gateway = start([edge], LIMIT_DRAIN_NOTICE_SECONDS=1)
    with gateway.client() as client:
        assert not client.get("/health").closes
        gateway.signal()
        gateway.log.find("draining")
        answer = client.get("/v1/edge/text/1", bearer(make_token()))
        assert answer.status == 200 and answer.closes
        assert gateway.get("/health/live").status == 200
    assert gateway.wait() == 0


def test_a_plugin_that_blocks_its_thread_does_not_hinder_the_end(start, edge):
    gateway = start([edge], LIMIT_DRAIN_SECONDS=0.3)
    client = gateway.client()
    client.send(request_bytes("GET", "/v1/edge/block", bearer(make_token())))
    gateway.signal()
    assert gateway.wait() == 0
    client.close()
