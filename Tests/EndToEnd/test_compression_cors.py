"""gzip, CORS, security fields, and the access log."""

import json
import re
import zlib

import pytest

from conftest import make_token
from raw import bearer, request_bytes

LETTERS = bytes(ord("a") + n % 26 for n in range(3_000_000))


def gzip_of(gateway, path, fields, accept="gzip"):
    return gateway.get(path, {**fields, "Accept-Encoding": accept})


@pytest.mark.parametrize("count", [1001, 5000, 32_768, 32_769, 200_000, 3_000_000])
def test_a_long_text_is_compressed_for_who_takes_it(gateway, fields, count):
    answer = gzip_of(gateway, f"/v1/edge/text/{count}", fields)
    assert answer.status == 200 and answer.get("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in ", ".join(answer.all("Vary"))
    assert len(answer.body) < count
    unpacked = zlib.decompressobj(wbits=31)
    assert unpacked.decompress(answer.body) + unpacked.flush() == LETTERS[:count]
    assert unpacked.eof and unpacked.unused_data == b""


@pytest.mark.parametrize("path", ["/v1/edge/text/999", "/v1/edge/image/5000", "/v1/edge/chunked/5000"])
def test_what_gains_nothing_is_sent_as_it_is(gateway, fields, path):
    answer = gzip_of(gateway, path, fields)
    assert answer.get("Content-Encoding") is None and len(answer.body) == int(path.rsplit("/", 1)[1])


@pytest.mark.parametrize("accept,is_packed", [
    ("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("*", True), ("x-gzip", True), ("gzip;q=0", False),
    ("identity", False), ("br", False), ("", False), ("gzip;q=0, *", False), ("deflate, gzip;q=0.001", True)])
def test_the_client_decides_over_gzip(gateway, fields, accept, is_packed):
    answer = gzip_of(gateway, "/v1/edge/text/5000", fields, accept)
    assert (answer.get("Content-Encoding") == "gzip") == is_packed
    assert answer.content == LETTERS[:5000]
    assert "Accept-Encoding" in ", ".join(answer.all("Vary")), "a cache must tell the two apart"


def test_head_of_a_compressed_answer_has_no_body(gateway, fields):
    with gateway.client() as client:
        answer = client.request("HEAD", "/v1/edge/text/5000", {**fields, "Accept-Encoding": "gzip"})
        assert answer.status == 200 and answer.get("Content-Encoding") == "gzip"
        assert client.get("/health/live").status == 200


def test_compressed_answers_stay_in_order_when_pipelined(gateway, fields):
    with gateway.client() as client:
        counts = [3_000_000, 10, 100_000, 2000, 50_000] * 2
        client.send(b"".join(
            request_bytes("GET", f"/v1/edge/text/{count}", {**fields, "Accept-Encoding": "gzip"}) for count in counts))
        assert [len(client.read().content) for _ in counts] == counts


# CORS


@pytest.fixture(scope="module")
def pages(start_shared, edge):
    return start_shared([edge], CORS_ORIGINS="https://app.example,http://localhost:3000", LOG_FORMAT="json")


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def cors_fields(answer):
    return [name for name, _ in answer.fields if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/health", "/v1/files", "/nowhere", "/v1/edge/echo"])
def test_without_configuration_no_page_may_read_anything(gateway, path):
    with gateway.client() as client:
        assert cors_fields(client.get(path, {"Origin": "https://app.example"})) == []
        assert cors_fields(client.request("OPTIONS", path, {"Origin": "https://app.example", **PREFLIGHT})) == []


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:3000"])
@pytest.mark.parametrize("path,status", [("/health", 200), ("/nowhere", 404), ("/v1/edge/text/1", 401)])
def test_pages_of_a_known_origin_may_read_answers_and_errors(pages, origin, path, status):
    answer = pages.get(path, {"Origin": origin})
    assert answer.status == status and answer.get("Access-Control-Allow-Origin") == origin
    assert "Origin" in ", ".join(answer.all("Vary"))
    assert "X-Request-ID" in answer.get("Access-Control-Expose-Headers")


@pytest.mark.parametrize("origin", [
    "https://evil.example", "https://app.example.evil", "http://app.example", "https://app.example:8443", "null",
    "https://APP.example", "*", ""])
def test_pages_of_another_origin_may_not(pages, origin):
    with pages.client() as client:
        answer = client.get("/health", {"Origin": origin})
        assert answer.status == 200 and cors_fields(answer) == []
        assert "Origin" in ", ".join(answer.all("Vary"))
        assert cors_fields(client.request("OPTIONS", "/v1/edge/echo", {"Origin": origin, **PREFLIGHT})) == []


def test_a_preflight_is_answered_without_credentials(pages):
    with pages.client() as client:
        answer = client.request("OPTIONS", "/v1/edge/echo", {"Origin": "https://app.example", **PREFLIGHT})
    assert answer.status == 204 and answer.get("Access-Control-Allow-Origin") == "https://app.example"
    assert "POST" in answer.get("Access-Control-Allow-Methods").split(", ")
    allowed = answer.get("Access-Control-Allow-Headers").lower().split(", ")
    assert {"authorization", "content-type", "x-api-key"} <= set(allowed)
    assert int(answer.get("Access-Control-Max-Age")) > 0


# Security fields


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/v1/edge/text/5", "/v1/edge/chunked/5", "/v1/edge/fail/500"])
def test_every_answer_carries_the_security_fields(gateway, fields, path):
    answer = gateway.get(path, fields)
    assert answer.get("X-Content-Type-Options") == "nosniff" and answer.get("X-Frame-Options") == "DENY"
    assert answer.get("Referrer-Policy") == "no-referrer" and "default-src 'none'" in answer.get("Content-Security-Policy")
    assert answer.get("Cache-Control") == "no-store" and answer.get("Server") is None


# The access log


def test_the_log_in_json_has_one_object_a_request(pages):
    pages.get("/v1/edge/text/7?secret=1", {**bearer(make_token('q"\\é')), "X-Request-ID": "json-line"})
    line = pages.log.find(r".*json-line.*")[0]
    entry = json.loads(line)
    assert (entry["message"], entry["method"], entry["path"]) == ("access", "GET", "/v1/edge/text/7")
    assert (entry["status"], entry["bytes"], entry["peer"]) == (200, 7, "127.0.0.1")
    assert entry["request_id"] == "json-line" and entry["subject"] == 'q"\\é' and entry["us"] >= 0
    for line in pages.log.lines:
        assert isinstance(json.loads(line), dict)
    assert sum("json-line" in line for line in pages.log.lines) == 1


def test_the_log_in_text_has_one_line_a_request(gateway, fields):
    with gateway.client() as client:
        for number in range(20):
            client.get("/v1/edge/text/3", {**fields, "X-Request-ID": f"text-line-{number}"})
    gateway.log.find("text-line-19 ")
    for number in range(20):
        lines = [line for line in gateway.log.lines if f"id=text-line-{number} " in line]
        assert len(lines) == 1
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ access GET /v1/edge/text/3 200 bytes=3 us=\d+ "
            rf'id=text-line-{number} trace=[0-9a-f]{{32}} peer=127\.0\.0\.1 subject="alice"', lines[0])


def test_refused_requests_are_logged_too(gateway):
    with gateway.client() as client:
        client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nX-Request-ID: refused-one\r\nContent-Length: x\r\n\r\n")
        made = client.read().get("X-Request-ID")
    gateway.log.find(f"400 .*id={made} ")


def test_no_request_can_forge_a_line(gateway):
    gateway.get("/a%0d%0a2026-01-01T00:00:00Z%20access%20GET%20/forged")
    gateway.get("/marker-of-the-end")
    gateway.log.find("/marker-of-the-end")
    assert not any(line.startswith("2026-01-01") for line in gateway.log.lines)


def test_the_access_log_can_be_switched_off(start, edge):
    gateway = start([edge], ACCESS_LOG="false")
    gateway.get("/health")
    gateway.stop()
    assert not any(" access " in line for line in gateway.log.lines)
