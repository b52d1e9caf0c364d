"""Many clients that do nothing, and clients that do as little as they can."""

import resource
import socket
import time

import pytest

from conftest import make_token
from raw import bearer, request_bytes

CONNECTIONS = 10_000


@pytest.fixture
def descriptors():
    """Room for one end of all connections in this process, and for the other in the gateway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the hard limit of open files is {hard}, and {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections_are_held_while_requests_are_answered(start, edge, descriptors):
    gateway = start([edge])
    with gateway.client() as client:
        client.get("/health")
        before = gateway.memory("VmRSS")
        request = request_bytes("GET", "/health/live")
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(socket.create_connection(("127.0.0.1", gateway.port), timeout=10))
            connections[-1].sendall(request)
            assert connections[-1].recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        fields = bearer(make_token())
        took = []
        for _ in range(300):
            began = time.monotonic()
            assert client.get("/v1/edge/text/3", fields).body == b"abc"
            took.append(time.monotonic() - began)
        assert sorted(took)[150] < 0.02
        per_connection = (gateway.memory("VmRSS") - before) / CONNECTIONS
        assert per_connection < 4096, f"{per_connection:.0f} bytes for each idle connection"
        metrics = client.get("/metrics", bearer(make_token(scope="admin"))).content.decode()
        assert f"gateway_connections {CONNECTIONS + 1}\n" in metrics
    for connection in connections[::100]:
        connection.sendall(request)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    for connection in connections:
        connection.close()


def drip(client, data, seconds=15):
    """Sends one byte a second until an answer comes."""
    client.socket.settimeout(1.0)
    end = time.monotonic() + seconds
    for byte in data:
        assert time.monotonic() < end, f"still no answer after {seconds} s"
        client.send(bytes([byte]))
        try:
            return client.read()
        except TimeoutError:
            continue


def test_a_head_of_one_byte_a_second_is_408(start, edge):
    gateway = start([edge], LIMIT_HEAD_SECONDS=2.5)
    with gateway.client() as client:
        answer = drip(client, request_bytes("GET", "/health"))
        assert (answer.status, answer.closes) == (408, True)


def test_a_body_of_one_byte_a_second_is_408_while_others_are_served(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/sink", {**fields, "Content-Length": "1000"}))
        assert gateway.get("/health").status == 200
        answer = drip(client, b"x" * 1000)
        assert (answer.status, answer.code, answer.closes) == (408, "REQUEST_TIMEOUT", True)
