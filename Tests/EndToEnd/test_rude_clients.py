"""Clients that leave, flood, or do not read."""

import socket
import struct
import threading

import pytest

from raw import request_bytes


def test_a_client_that_leaves_in_the_middle_harms_nobody(gateway, fields):
    whole = request_bytes("POST", "/v1/edge/sink", fields, "x" * 5000)
    for keep in [1, 20, len(whole) - 5000, len(whole) - 1, len(whole)]:
        for path in [b"/v1/edge/sink", b"/v1/edge/echo"]:
            with gateway.client() as client:
                client.send(whole.replace(b"/v1/edge/sink", path)[:keep])
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/sized/50000000", fields))
        client.read(head=True)
    assert gateway.get("/health").status == 200


def test_a_reset_in_the_middle_harms_nobody(gateway, fields):
    for path in ["/v1/edge/sized/50000000", "/v1/edge/after/50", "/health"]:
        with gateway.client() as client:
            client.send(request_bytes("GET", path, fields))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gateway.get("/health").status == 200


def test_a_stream_whose_client_leaves_at_once_keeps_no_thread(start, edge, fields):
    gateway = start([edge], LIMIT_POOL_THREAD_COUNT=2)
    for _ in range(200):
        with gateway.client() as client:
            client.send(request_bytes("GET", "/v1/edge/sized/50000000", fields))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gateway.get("/v1/edge/text/3", fields).body == b"abc"
    assert gateway.stop() == 0


def test_an_answer_to_a_half_closed_connection_of_the_hosts_own_comes_whole(gateway):
    with gateway.client() as client:
        client.send(request_bytes("GET", "/health"))
        client.end()
        assert client.read().status == 200
        assert client.is_closed()


def test_a_flood_of_pipelined_requests_is_answered_to_the_last(gateway):
    request, count = request_bytes("GET", "/health/live"), 20_000
    with gateway.client() as client:
        sender = threading.Thread(target=client.send, args=(request * count,))
        sender.start()
        for _ in range(count):
            assert client.read().status == 200
        sender.join()


def test_answers_that_nobody_reads_do_not_pile_up(gateway):
    request = request_bytes("GET", "/openapi.json")
    before = gateway.reset_peak()
    with gateway.client(receive_buffer=4096) as client:
        client.socket.settimeout(1)
        with pytest.raises((TimeoutError, ConnectionError)):
            while True:
                client.send(request * 1000)
    assert gateway.memory() - before < 32 << 20


def test_early_answers_do_not_end_a_connection_whose_body_is_read(gateway, fields):
    with gateway.client() as client:
        for _ in range(3):
            client.send(request_bytes("POST", "/v1/edge/sink", {"Content-Length": "60000"}) + b"y" * 60000)
            assert client.read().status == 401
        assert client.get("/health/live").status == 200
