"""Every limit at its edge and one past it."""

import select
import time

import pytest

from conftest import eventually
from raw import Closed, RawClient, request_bytes


@pytest.fixture(scope="module")
def small(start_shared, edge):
    """A gateway whose size limits are as small as they can be."""
    return start_shared(
        [edge], LIMIT_HEAD_BYTES=1024, LIMIT_HEAD_FIELD_COUNT=8, LIMIT_BODY_BYTES=1024,
        LIMIT_REQUESTS_PER_ROUTE_COUNT=2, LIMIT_ANSWER_SECONDS=0.3, LIMIT_STREAM_BYTES=65536,
    )


@pytest.fixture(scope="module")
def hasty(start_shared, edge):
    """A gateway whose time limits are short."""
    return start_shared(
        [edge], LIMIT_HEAD_SECONDS=0.3, LIMIT_IDLE_SECONDS=0.3, LIMIT_WRITE_STALL_SECONDS=0.4,
        LIMIT_BODY_BYTES_PER_SECOND=1000,
    )


def padded_head(size):
    bare = request_bytes("GET", "/health/live", {"X-Pad": ""})
    return request_bytes("GET", "/health/live", {"X-Pad": "p" * (size - len(bare))})


def test_a_head_of_exactly_the_limit_is_taken(small):
    with small.client() as client:
        client.send(padded_head(1024))
        assert client.read().status == 200


@pytest.mark.parametrize("size", [1025, 1400, 100_000])
def test_a_head_beyond_the_limit_is_431_and_the_end(small, size):
    with small.client() as client:
        client.send(padded_head(size))
        answer = client.read()
        assert (answer.status, answer.closes) == (431, True)
        assert client.is_closed()


def test_a_head_beyond_the_limit_is_refused_before_it_ends(small):
    with small.client() as client:
        client.send(padded_head(3000)[:1100])
        assert client.read().status == 431


def test_a_request_line_beyond_the_limit_is_414(small):
    with small.client() as client:
        client.send("GET /" + "a" * 2000)
        assert client.read().status == 414
        assert client.is_closed()


def test_as_many_fields_as_the_limit_are_taken_and_no_more(small):
    with small.client() as client:
        assert client.get("/health/live", {f"X-{n}": n for n in range(7)}).status == 200
        answer = client.get("/health/live", {f"X-{n}": n for n in range(8)})
        assert (answer.status, answer.closes) == (431, True)


def chunked(size, piece=100):
    body, left = b"", size
    while left:
        count = min(left, piece)
        body += b"%x\r\n%s\r\n" % (count, b"c" * count)
        left -= count
    return body + b"0\r\n\r\n"


@pytest.mark.parametrize("path", ["/v1/edge/echo", "/v1/edge/sink", "/v1/edge/inline"])
def test_a_body_of_exactly_the_limit_is_taken(small, fields, path):
    with small.client() as client:
        assert client.post(path, "b" * 1024, fields).status == 200
        client.send(request_bytes("POST", path, {**fields, "Transfer-Encoding": "chunked"}) + chunked(1024))
        assert client.read().status == 200


@pytest.mark.parametrize("path", ["/v1/edge/echo", "/v1/edge/sink", "/v1/edge/inline"])
def test_a_body_one_byte_beyond_the_limit_is_413(small, fields, path):
    with small.client() as client:
        answer = client.post(path, "b" * 1025, fields)
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    with small.client() as client:
        client.send(request_bytes("POST", path, {**fields, "Transfer-Encoding": "chunked"}) + chunked(1025))
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (413, "PAYLOAD_TOO_LARGE", True)


def test_as_many_requests_of_a_route_as_the_limit_wait_and_the_next_is_503(start, edge, fields):
    gateway = start([edge], LIMIT_REQUESTS_PER_ROUTE_COUNT=2)
    clients = [gateway.client() for _ in range(3)]
    for client in clients[:2]:
        client.send(request_bytes("GET", "/v1/edge/hold", fields))
    eventually(lambda: gateway.get("/v1/edge/waiting").data["waiting"] == 2)
    answer = clients[2].get("/v1/edge/hold", fields)
    assert (answer.status, answer.code, answer.get("Retry-After")) == (503, "SERVICE_UNAVAILABLE", "1")
    assert clients[2].get("/v1/edge/text/1", fields).status == 200, "other routes are not concerned"
    gateway.get("/v1/edge/release")
    assert [client.read().status for client in clients[:2]] == [200, 200]
    clients[2].send(request_bytes("GET", "/v1/edge/hold", fields))
    eventually(lambda: gateway.get("/v1/edge/waiting").data["waiting"] == 1)
    gateway.get("/v1/edge/release")
    assert clients[2].read().status == 200


def test_a_full_pool_is_503_and_inline_routes_go_on(start, edge, fields):
    gateway = start([edge], LIMIT_POOL_THREAD_COUNT=1, LIMIT_POOL_QUEUE_COUNT=4)
    clients = [gateway.client() for _ in range(12)]
    for client in clients:
        client.send(request_bytes("GET", "/v1/edge/block", fields))
    # One runs and four wait; what the host itself submits may have taken a place.
    refused = [client for client in clients if client in answered(clients, gateway)]
    assert 7 <= len(refused) <= 9
    assert gateway.get("/health").status == 200
    assert gateway.post("/v1/edge/inline", "on the loop", fields).body == b"on the loop"
    waiting = [client for client in clients if client not in refused]
    assert [client.read().status for client in refused] == [503] * len(refused)
    for client in waiting:
        # The one thread takes them one after the other, and each waits for a release of its own.
        gateway.get("/v1/edge/release")
        client.socket.settimeout(0.3)
        status = None
        while status is None:
            try:
                status = client.read().status
            except TimeoutError:
                gateway.get("/v1/edge/release")
        assert status == 200


def answered(clients, gateway):
    """Those for whom an answer has come, once the gateway has dealt with all of them."""

    def stable():
        ready, _, _ = select.select([client.socket for client in clients], [], [], 0)
        return [client for client in clients if client.socket in ready] if len(ready) >= 7 else None

    return eventually(stable)


def test_a_plugin_that_takes_no_more_of_a_body_in_time_is_504(start_shared, edge, fields):
    gateway = start_shared([edge], LIMIT_ANSWER_SECONDS=0.3, LIMIT_BODY_BYTES=64 << 20)
    with gateway.client() as client:
        client.socket.setblocking(False)
        body = bytes(1 << 20)
        client.socket.send(request_bytes("POST", "/v1/edge/stuck", {**fields, "Content-Length": str(len(body) * 64)}))

        def has_answered():
            try:
                client.socket.send(body)
            except BlockingIOError:
                pass
            return select.select([client.socket], [], [], 0)[0]

        eventually(has_answered)
        client.socket.settimeout(5)
        answer = client.read()
        assert (answer.status, answer.get("Connection")) == (504, "close")
    gateway.get("/v1/edge/release")


def test_a_plugin_that_does_not_answer_in_time_is_504(small, fields):
    began = time.monotonic()
    answer = small.get("/v1/edge/hold", fields)
    assert (answer.status, answer.code) == (504, "SERVICE_UNAVAILABLE")
    assert 0.25 < time.monotonic() - began < 3


def test_a_head_that_does_not_end_in_time_is_408_and_the_end(hasty):
    with hasty.client() as client:
        began = time.monotonic()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n")
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (408, "REQUEST_TIMEOUT", True)
        assert 0.25 < time.monotonic() - began < 3
        assert client.is_closed()


def test_a_byte_now_and_then_does_not_lengthen_the_time_of_a_head(hasty):
    with hasty.client() as client, hasty.client() as other:
        client.socket.settimeout(0.02)
        began = time.monotonic()
        answer = None
        while answer is None:
            assert time.monotonic() - began < 3
            client.send("x")
            try:
                answer = client.read()
            except TimeoutError:
                other.get("/health/live")
        assert answer.status == 408


def test_a_connection_that_never_says_anything_is_closed_without_a_word(hasty):
    with hasty.client() as client:
        assert client.is_closed()


def test_an_idle_connection_is_closed_without_a_word(hasty):
    with hasty.client() as client:
        assert client.get("/health/live").status == 200
        began = time.monotonic()
        assert client.is_closed()
        assert 0.25 < time.monotonic() - began < 3


def test_a_request_under_way_is_not_idle(hasty, fields):
    with hasty.client() as client:
        assert client.get("/v1/edge/after/900", fields).status == 200


@pytest.mark.parametrize("path", ["/v1/edge/echo", "/v1/edge/sink"])
def test_a_body_slower_than_the_limit_is_408_after_the_grace(hasty, fields, path):
    with hasty.client() as client:
        began = time.monotonic()
        client.send(request_bytes("POST", path, {**fields, "Content-Length": "100000"}) + b"a few bytes")
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (408, "REQUEST_TIMEOUT", True)
        assert 4.5 < time.monotonic() - began < 9


def test_a_client_that_takes_nothing_is_cut_and_costs_little(hasty, fields):
    hasty.get("/v1/edge/chunked/1000000", fields)
    before = hasty.reset_peak()
    with hasty.client(receive_buffer=4096) as client:
        start = len(hasty.log.lines)
        client.send(request_bytes("GET", "/v1/edge/sized/200000000", fields))
        hasty.log.find(r"GET /v1/edge/sized/200000000 499", start=start)
        with pytest.raises((Closed, ConnectionResetError)):
            client.read()
    assert hasty.memory() - before < 8 << 20


def test_a_slow_reader_gets_all_of_a_long_answer(small, fields):
    before = small.reset_peak()
    with small.client(receive_buffer=16384) as client:
        assert len(client.get("/v1/edge/sized/20000000", fields).body) == 20_000_000
    assert small.memory() - before < 8 << 20


def test_as_many_connections_from_an_address_as_the_limit_are_let_in(start, edge):
    gateway = start([edge], LIMIT_CONNECTIONS_PER_ADDRESS_COUNT=3)
    clients = [gateway.client() for _ in range(3)]
    assert [client.get("/health").status for client in clients] == [200, 200, 200]
    with gateway.client() as fourth:
        answer = fourth.read()
        assert (answer.status, answer.code, answer.closes) == (503, "SERVICE_UNAVAILABLE", True)
        assert answer.get("Retry-After") == "1"
    with RawClient(gateway.port, host="127.0.0.1") as other:
        assert other.read().status == 503
    clients.pop().close()

    def is_let_in():
        try:
            return gateway.get("/health").status == 200
        except (ConnectionResetError, BrokenPipeError):
            return False

    eventually(is_let_in)


def test_connections_beyond_those_of_the_process_are_closed(start, edge):
    gateway = start([edge], LIMIT_CONNECTION_COUNT=3)
    clients = [gateway.client() for _ in range(3)]
    assert [client.get("/health").status for client in clients] == [200, 200, 200]
    with gateway.client() as fourth:
        assert fourth.is_closed()
    assert clients[0].get("/health").status == 200
