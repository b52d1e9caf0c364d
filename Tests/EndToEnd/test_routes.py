"""Which route a request meets, and what of the request its plugin sees."""

import json
import time

import pytest

from raw import request_bytes

HOST = "Host: gateway.test\r\n"


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


def test_a_plugins_log_line_about_a_request_has_its_id(gateway, fields):
    request = gateway.get("/v1/edge/seen/x", fields).get("X-Request-ID")
    gateway.log.find(rf"looked at a request\b.*\bplugin=edge\b.*\brequest_id={request}\b")


def test_a_plugin_gets_its_whole_time_however_slowly_the_body_came(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/seen/x", {**fields, "Content-Length": "1"}))
        for _ in range(50):
            gateway.get("/health/live")
        sent = time.monotonic()
        client.send(b"x")
        left = int(seen(client.read())["left"][0])
        assert left / 1e9 > 60 - (time.monotonic() - sent)


def test_a_streaming_route_that_says_it_answered_and_has_not_is_a_fault(gateway, fields):
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/edge/silent", {**fields, "Content-Length": "2"}) + b"x")
        answer = client.read()
        assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")


def test_the_index_lists_what_is_registered(gateway):
    data = gateway.get("/").data
    assert "GET /health" in data["endpoints"] and "POST /v1/edge/echo" in data["endpoints"]
    assert "POST /v1/upload" in data["endpoints"] and data["features"] == ["edge", "utilities"]
    document = json.loads(gateway.get("/openapi.json").body)
    assert document["openapi"].startswith("3.1") and "/v1/query" in document["paths"]
