"""HTTP/1.1 framing (RFC 9110, RFC 9112) in raw bytes."""

import json
import socket
import struct
import threading

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


@pytest.mark.parametrize("path", ["/", "/health", "/health/live", "/nowhere", "/openapi.json"])
def test_head_is_get_without_the_body(gateway, path):
    with gateway.client() as client:
        full, head = client.get(path), client.request("HEAD", path)
        assert head.status == full.status and head.body == b""
        assert head.get("Content-Type") == full.get("Content-Type")
        assert abs(int(head.get("Content-Length")) - len(full.body)) <= 8
        assert client.get("/health/live").status == 200, "bytes of a body followed the head"


@pytest.mark.parametrize("path", ["/v1/edge/text/2000", "/v1/edge/sized/3000", "/v1/edge/chunked/3000"])
def test_head_of_a_plugins_route_has_no_body(gateway, fields, path):
    with gateway.client() as client:
        assert client.request("HEAD", path, fields).status == 200
        assert client.get("/health/live").status == 200


def test_options_names_the_methods(gateway):
    with gateway.client() as client:
        answer = client.request("OPTIONS", "/v1/edge/echo")
        assert answer.status == 204 and answer.get("Allow") == "POST, OPTIONS"
        assert client.request("OPTIONS", "/health").get("Allow") == "GET, HEAD, OPTIONS"
        assert client.request("OPTIONS", "*").status == 204
        assert client.request("OPTIONS", "/nowhere").status == 404


@pytest.mark.parametrize("method,path,allow", [
    ("DELETE", "/health", "GET, HEAD, OPTIONS"), ("GET", "/v1/edge/echo", "POST, OPTIONS"),
    ("PATCH", "/v1/files/x", "GET, DELETE, HEAD, OPTIONS"), ("get", "/health", "GET, HEAD, OPTIONS"),
    ("BREW", "/", "GET, HEAD, OPTIONS")])
def test_a_wrong_method_is_405_with_the_right_ones(gateway, method, path, allow):
    with gateway.client() as client:
        answer = client.request(method, path)
        assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.get("Allow").split(", ")) == set(allow.split(", "))
        assert client.get("/health/live").status == 200


@pytest.mark.parametrize("path", [
    "/nowhere", "/v1", "/v1/", "/v1/edge", "/Health", "/health/", "//health", "/health//live", "/v1/edge/seen/", "/health%20"])
def test_what_is_not_there_is_404(gateway, fields, path):
    answer = gateway.get(path, fields)
    assert (answer.status, answer.code) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("path", [
    "/%", "/%4", "/%zz", "/a%00b", "/../health", "/a/../health", "/./health", "/%2e%2e/health", "/v1/%2E/x"])
def test_a_path_that_could_be_read_in_two_ways_is_400(gateway, path):
    answer = gateway.get(path)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


def test_an_absolute_target_is_served_by_its_path(gateway):
    with gateway.client() as client:
        client.send(f"GET http://gateway.test/health/live?x=1 HTTP/1.1\r\n{HOST}\r\n")
        assert client.read().status == 200


def seen(answer):
    facts = {}
    for line in answer.body.decode().splitlines():
        name, value = line.split("=", 1)
        facts.setdefault(name, []).append(bytes.fromhex(value))
    return facts


def test_literal_segments_match_percent_encoded_ones(gateway, fields):
    assert gateway.get("/v1/%65dge/t%65xt/3", fields).body == b"abc"


@pytest.mark.parametrize("sent,meant", [
    ("plain", b"plain"), ("a%20b", b"a b"), ("%2F", b"/"), ("%c3%a9", "é".encode()), ("%FF%FE", b"\xff\xfe"),
    ("a+b", b"a+b"), ("%25", b"%"), ("a%2e%2eb", b"a..b"), ("~!$&'()*,;=:@", b"~!$&'()*,;=:@")])
def test_a_parameter_is_decoded_once(gateway, fields, sent, meant):
    facts = seen(gateway.get(f"/v1/edge/seen/{sent}?q=%20{sent}", fields))
    assert facts["parameter"] == [meant]
    assert facts["path"] == [f"/v1/edge/seen/{sent}".encode()]
    assert facts["query"] == [f"q=%20{sent}".encode()]


def test_a_slash_that_was_encoded_does_not_part_segments(gateway, fields):
    assert seen(gateway.get("/v1/edge/seen/a%2Fb", fields))["parameter"] == [b"a/b"]
    assert gateway.get("/v1/edge%2Fseen/a", fields).status == 404


def test_duplicate_fields_stay_apart_and_in_order(gateway, fields):
    with gateway.client() as client:
        client.send(
            f"GET /v1/edge/seen/x HTTP/1.1\r\n{HOST}Authorization: {fields['Authorization']}\r\n"
            "X-Twice: one\r\nX-Other:\r\nx-twice:   two, three \t\r\nX-TWICE: \xe9\r\n\r\n".encode("latin-1"))
        facts = seen(client.read())
    pairs = [pair for pair in zip(facts["name"], facts["value"]) if pair[0] != b"Host"]
    assert pairs == [
        (b"X-Twice", b"one"), (b"X-Other", b""), (b"x-twice", b"two, three"), (b"X-TWICE", b"\xe9")]


def test_credentials_do_not_reach_a_plugin(gateway, fields):
    facts = seen(gateway.get("/v1/edge/seen/x", {**fields, "Cookie": "a=b", "X-API-Key": "k"}))
    assert not {name.lower() for name in facts["name"]} & {b"authorization", b"cookie", b"x-api-key"}
    assert facts["subject"] == [b"alice"] and facts["scopes"] == [b"read write"] and facts["tier"] == [b"bench"]
    assert facts["peer"] == [b"127.0.0.1"]


def test_the_plugin_knows_the_request_by_the_same_id(gateway, fields):
    answer = gateway.get("/v1/edge/seen/x", fields)
    assert seen(answer)["request_id"] == [answer.get("X-Request-ID").encode()]


def test_the_index_lists_what_is_registered(gateway):
    data = gateway.get("/").data
    assert "GET /health" in data["endpoints"] and "POST /v1/edge/echo" in data["endpoints"]
    assert "POST /v1/upload" in data["endpoints"] and data["features"] == ["edge", "utilities"]
    document = json.loads(gateway.get("/openapi.json").body)
    assert document["openapi"].startswith("3.1") and "/v1/query" in document["paths"]


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
