"""HTTP/1.1 framing (RFC 9110, RFC 9112) in raw bytes."""

import pytest

from raw import request_bytes

HOST = "Host: gateway.test\r\n"

MALFORMED = {
    "both lengths": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths the other way round":
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "Content-Length twice": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "Content-Length twice and different":
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "Content-Length as a list": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "Content-Length with a sign": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "Content-Length below zero": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "Content-Length in hexadecimal": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    "Content-Length that is empty": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "Content-Length with words": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc",
    "Content-Length beyond 64 bits":
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\nabc",
    "a space before the colon": "GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
    "a space before the colon of a length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
    "a folded line": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "a folded line with a tab": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tc\r\n\r\n",
    "a folded first line": "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a bare CR in a value": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n",
    "a bare CR in the request line": "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bare LF after the request line": "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "a bare LF after a field": "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
    "a bare LF at the end": "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "a NUL in a value": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
    "a line without a colon": "GET / HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n",
    "a field without a name": "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "a name that is no token": "GET / HTTP/1.1\r\nHost: a\r\nX(A): b\r\n\r\n",
    "an unknown transfer coding": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a transfer coding before chunked": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding twice":
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding identity": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "chunked with a strange character": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding in HTTP/1.0": "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\nX-A: b\r\n\r\n",
    "a second Host": "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "a Host that is none": "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a Host with a path": "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "no version": "GET /\r\nHost: a\r\n\r\n",
    "two spaces": "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a control character in the target": "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes beyond ASCII in the target": "GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method that is no token": "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is no path": "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no words at all": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_framing_is_400_and_the_end_of_the_connection(gateway, name):
    with gateway.client() as client:
        client.send(MALFORMED[name].encode("latin-1") + request_bytes("GET", "/health"))
        answer = client.read()
        assert answer.status == 400, answer
        assert answer.closes
        assert answer.json()["success"] is False
        assert answer.code == "VALIDATION_ERROR"
        assert client.is_closed(), "the request behind the malformed one was answered"


BAD_CHUNKS = {
    "a size that is none": "xyz\r\nabc\r\n0\r\n\r\n",
    "an empty size": "\r\nabc\r\n0\r\n\r\n",
    "a size with a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "a size below zero": "-3\r\nabc\r\n0\r\n\r\n",
    "a size in C notation": "0x3\r\nabc\r\n0\r\n\r\n",
    "a size with a space before it": " 3\r\nabc\r\n0\r\n\r\n",
    "a size that ends in LF": "3\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": "10000000000000000\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": "3\r\nabcd\r\n0\r\n\r\n",
    "a chunk that ends in LF": "3\r\nabc\n0\r\n\r\n",
    "a chunk without line end": "3\r\nabc0\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
@pytest.mark.parametrize("path", ["/v1/edge/echo", "/v1/edge/sink"])
def test_a_bad_chunk_is_400_and_the_end_of_the_connection(gateway, fields, path, name):
    with gateway.client() as client:
        client.send(request_bytes("POST", path, {**fields, "Transfer-Encoding": "chunked"}))
        client.send(BAD_CHUNKS[name].encode() + request_bytes("GET", "/health"))
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (400, "VALIDATION_ERROR", True)
        assert client.is_closed()


@pytest.mark.parametrize("version,status", [("HTTP/2.0", 505), ("HTTP/1.2", 505), ("HTTP/0.9", 505), ("http/1.1", 400)])
def test_another_version_is_refused(gateway, version, status):
    with gateway.client() as client:
        client.send(f"GET / {version}\r\n{HOST}\r\n")
        answer = client.read()
        assert (answer.status, answer.closes) == (status, True)
        assert answer.json()["error_code"] == "VALIDATION_ERROR"
        assert client.is_closed()


def test_an_unknown_expectation_is_417(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/echo", {**fields, "Expect": "the-unexpected"}, "abc"))
        answer = client.read()
        assert (answer.status, answer.closes) == (417, True)


def test_a_head_cut_at_every_byte_is_read_the_same(gateway, fields):
    whole = request_bytes("POST", "/v1/edge/echo", fields, "body")
    with gateway.client() as client, gateway.client() as other:
        for cut in range(1, len(whole)):
            client.send(whole[:cut])
            other.get("/health/live")  # answered after the first part was read
            client.send(whole[cut:])
            answer = client.read()
            assert (answer.status, answer.body) == (200, b"body"), f"cut at {cut}"


def test_a_head_that_comes_byte_by_byte_is_read_the_same(gateway):
    with gateway.client() as client, gateway.client() as other:
        for byte in request_bytes("GET", "/health", {"X-Request-ID": "one-by-one"}):
            client.send(bytes([byte]))
            assert other.get("/health/live").status == 200
        assert client.read().get("X-Request-ID") == "one-by-one"


@pytest.mark.parametrize("body", ["3\r\nabc\r\n10;name=\"a;b\"\r\n0123456789abcdef\r\n0\r\nX-Trailer: t\r\n\r\n"])
def test_a_chunked_body_cut_at_every_byte_is_read_the_same(gateway, fields, body):
    head = request_bytes("POST", "/v1/edge/echo", {**fields, "Transfer-Encoding": "chunked"})
    with gateway.client() as client, gateway.client() as other:
        for cut in range(1, len(body)):
            client.send(head + body[:cut].encode())
            other.get("/health/live")
            client.send(body[cut:])
            answer = client.read()
            assert (answer.status, answer.body) == (200, b"abc0123456789abcdef"), f"cut at {cut}"


def test_empty_lines_before_a_request_are_passed_over(gateway):
    with gateway.client() as client:
        client.send(b"\r\n" + request_bytes("GET", "/health"))
        assert client.read().status == 200


def test_pipelined_requests_are_answered_in_order(gateway, fields):
    paths = ["/v1/edge/after/60", "/health/live", "/v1/edge/after/20", "/nowhere", "/v1/edge/text/5"] * 8
    with gateway.client() as client:
        client.send(b"".join(
            request_bytes("GET", path, {**fields, "X-Request-ID": f"n{n}"}) for n, path in enumerate(paths)))
        for number, path in enumerate(paths):
            answer = client.read()
            assert answer.get("X-Request-ID") == f"n{number}"
            assert answer.status == (404 if path == "/nowhere" else 200)


def test_pipelined_bodies_do_not_run_into_each_other(gateway, fields):
    with gateway.client() as client:
        client.send(b"".join(request_bytes("POST", "/v1/edge/echo", fields, f"body {n}" * n) for n in range(30)))
        for number in range(30):
            assert client.read().body == (f"body {number}" * number).encode()


def test_a_partial_head_behind_a_slow_request_is_finished_in_its_own_time(start, edge, fields):
    gateway = start([edge], LIMIT_HEAD_SECONDS=0.5)
    second = request_bytes("GET", "/health/live")
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/after/900", fields) + second[:10])
        assert client.read().status == 200
        client.send(second[10:])
        assert client.read().status == 200


def test_a_connection_is_kept_until_the_client_says_close(gateway):
    with gateway.client() as client:
        for _ in range(20):
            answer = client.get("/health/live")
            assert answer.status == 200 and answer.get("Connection") is None
        assert client.get("/health/live", {"Connection": "close"}).closes
        assert client.is_closed()


def test_close_is_found_among_other_connection_options(gateway):
    with gateway.client() as client:
        assert client.get("/health/live", {"Connection": "X-Other, Close"}).closes
        assert client.is_closed()


def test_http_1_0_closes_unless_asked_to_keep(gateway):
    with gateway.client() as client:
        client.send(f"GET /health/live HTTP/1.0\r\n{HOST}Connection: keep-alive\r\n\r\n")
        assert client.read().get("Connection") == "keep-alive"
        client.send("GET /health/live HTTP/1.0\r\n\r\n")
        assert client.read().closes
        assert client.is_closed()


def test_a_streamed_answer_to_http_1_0_ends_with_the_connection(gateway, fields):
    with gateway.client() as client:
        client.send(
            f"GET /v1/edge/chunked/5000 HTTP/1.0\r\n{HOST}Authorization: {fields['Authorization']}\r\n\r\n")
        answer = client.read()
        assert answer.get("Transfer-Encoding") is None and answer.closes
        assert len(answer.body) == 5000


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 300_000])
def test_an_answer_without_known_length_is_chunked(gateway, fields, count):
    with gateway.client() as client:
        answer = client.get(f"/v1/edge/chunked/{count}", fields)
        assert answer.get("Transfer-Encoding") == "chunked" and answer.get("Content-Length") is None
        assert answer.body == b"s" * count
        assert client.get("/health/live").status == 200


def test_a_streamed_answer_with_a_length_is_not_chunked(gateway, fields):
    with gateway.client() as client:
        answer = client.get("/v1/edge/sized/123456", fields)
        assert answer.get("Content-Length") == "123456" and answer.get("Transfer-Encoding") is None
        assert len(answer.body) == 123456
        assert client.get("/health/live").status == 200


def test_an_answer_that_ends_too_early_is_seen_as_such(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/short/5000", fields))
        data = client.rest()
        assert b"Content-Length: 5001\r\n" in data
        assert len(data.split(b"\r\n\r\n", 1)[1]) <= 5000


@pytest.mark.parametrize("path", ["/v1/edge/echo", "/v1/edge/inline"])
def test_a_chunked_body_reaches_a_buffered_route_whole(gateway, fields, path):
    with gateway.client() as client:
        client.send(request_bytes("POST", path, {**fields, "Transfer-Encoding": "chunked"}))
        for _ in range(100):
            client.send("A\r\n0123456789\r\n")
        client.send("0\r\n\r\n")
        assert client.read().body == b"0123456789" * 100


def test_a_body_streams_into_a_plugin_however_long(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/sink", {**fields, "Transfer-Encoding": "chunked"}))
        piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        for _ in range(31):
            client.send(piece)
        client.send("0\r\n\r\n")
        assert client.read().data == {"bytes": 31 * 0x8000}
        assert client.get("/health/live").status == 200


def test_the_go_ahead_comes_before_the_body(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes(
            "POST", "/v1/edge/echo", {**fields, "Expect": "100-continue", "Content-Length": "4"}))
        assert client.read().status == 100
        client.send("body")
        assert client.read().body == b"body"


def test_no_go_ahead_where_the_request_is_refused_by_its_head(gateway):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/echo", {"Expect": "100-continue", "Content-Length": "4"}))
        answer = client.read()
        assert (answer.status, answer.closes) == (401, True)
        assert client.is_closed()


def test_no_go_ahead_for_a_body_that_is_too_large(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes(
            "POST", "/v1/edge/echo", {**fields, "Expect": "100-continue", "Content-Length": "99999999"}))
        answer = client.read()
        assert (answer.status, answer.code, answer.closes) == (413, "PAYLOAD_TOO_LARGE", True)


def test_a_small_body_that_nobody_wants_is_read_over(gateway):
    with gateway.client() as client:
        assert client.post("/nowhere", "x" * 1000).status == 404
        assert client.post("/health", "y" * 1000).status == 405
        assert client.get("/health").status == 200


def test_a_large_body_that_nobody_wants_ends_the_connection_after_the_answer(gateway):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/nowhere", {"Content-Length": str(10_000_000)}))
        answer = client.read()
        assert (answer.status, answer.closes) == (404, True)
        client.send(b"x" * 500_000)
        assert client.is_closed() and not client.was_reset
