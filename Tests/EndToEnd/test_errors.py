"""One form of error for every status, and the id that joins answer, log and plugin."""

import re

import pytest

from raw import request_bytes

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CODES = {
    401: "AUTHENTICATION_REQUIRED", 403: "INSUFFICIENT_PERMISSIONS", 404: "RESOURCE_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED", 408: "REQUEST_TIMEOUT", 409: "CONFLICT", 413: "PAYLOAD_TOO_LARGE",
    422: "VALIDATION_ERROR", 429: "RATE_LIMIT_EXCEEDED", 503: "SERVICE_UNAVAILABLE", 504: "SERVICE_UNAVAILABLE",
}


def check_envelope(answer, status):
    assert answer.status == status
    assert answer.get("Content-Type") == "application/json"
    body = answer.json()
    assert set(body) - {"details"} == {"success", "error_code", "message", "timestamp", "request_id"}
    assert body["success"] is False and body["message"]
    assert STAMP.fullmatch(body["timestamp"])
    assert body["request_id"] == answer.get("X-Request-ID")
    return body


def test_every_status_of_a_plugin_has_the_envelope(gateway):
    with gateway.client() as client:
        for status in range(400, 600):
            body = check_envelope(client.get(f"/v1/edge/fail/{status}"), status)
            default = "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR"
            assert body["error_code"] == CODES.get(status, default)


@pytest.mark.parametrize("request_,status", [
    ((("GET", "/nowhere")), 404), ((("DELETE", "/health")), 405), ((("GET", "/v1/files")), 401),
    ((("GET", "/%00")), 400), ((("GET", "/ws")), 426)])
def test_the_hosts_own_errors_have_the_envelope(gateway, request_, status):
    with gateway.client() as client:
        check_envelope(client.request(*request_), status)


def test_a_malformed_request_has_the_envelope(gateway):
    with gateway.client() as client:
        client.send("nonsense\r\n\r\n")
        check_envelope(client.read(), 400)


@pytest.mark.parametrize("accept", [
    "application/problem+json", "application/problem+json, application/json;q=0.5",
    "text/html, application/problem+json;q=0.9, application/json;q=0.1"])
@pytest.mark.parametrize("path,status", [("/nowhere", 404), ("/v1/files", 401), ("/v1/edge/fail/503", 503)])
def test_who_prefers_problem_json_gets_it(gateway, accept, path, status):
    answer = gateway.get(path, {"Accept": accept})
    assert answer.status == status and answer.get("Content-Type") == "application/problem+json"
    body = answer.json()
    assert body["type"] == "about:blank" and body["status"] == status and body["title"] and body["detail"]
    assert body["error_code"] == CODES[status] and body["request_id"] == answer.get("X-Request-ID")
    assert STAMP.fullmatch(body["timestamp"])


@pytest.mark.parametrize("accept", [
    "*/*", "application/json", "application/*", "application/json, application/problem+json;q=0.5",
    "application/problem+json;q=0", "text/html", "", "nonsense;;;q=x"])
def test_everyone_else_gets_the_envelope(gateway, accept):
    check_envelope(gateway.get("/nowhere", {"Accept": accept}), 404)


def test_a_success_has_the_envelope(gateway, fields):
    answer = gateway.get("/v1/files", fields)
    body = answer.json()
    assert set(body) == {"success", "data", "message", "timestamp", "request_id"}
    assert body["success"] is True and STAMP.fullmatch(body["timestamp"])
    assert body["request_id"] == answer.get("X-Request-ID")


@pytest.mark.parametrize("sent", ["a", "req-123_ABC.def", "x" * 128])
def test_a_sane_request_id_is_taken_over(gateway, sent):
    answer = gateway.get("/nowhere", {"X-Request-ID": sent})
    assert answer.get("X-Request-ID") == sent == answer.json()["request_id"]
    gateway.log.find(rf"id={re.escape(sent)} ")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("sent,is_taken", [
    (f"00-{TRACE}-00f067aa0ba902b7-01", True), (f"cc-{TRACE}-00f067aa0ba902b7-01-more", True), ("", False),
    (f"00-{'0' * 32}-00f067aa0ba902b7-01", False), (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", False),
    (f"ff-{TRACE}-00f067aa0ba902b7-01", False), (f"00-{TRACE}-{'0' * 16}-01", False), (f"00-{TRACE}", False)])
def test_a_trace_goes_on_or_begins(gateway, fields, sent, is_taken):
    answer = gateway.get("/v1/edge/seen/x", {**fields, "traceparent": sent})
    facts = dict(line.split("=", 1) for line in answer.body.decode().splitlines())
    trace = bytes.fromhex(facts["trace_id"]).decode()
    assert (trace == TRACE) == is_taken and re.fullmatch("[0-9a-f]{32}", trace) and set(trace) != {"0"}
    gateway.log.find(rf"id={answer.get('X-Request-ID')} trace={trace} ")


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", 'a"b', "<a>", "a\tb", "\u00e9", "a,b", "a/b"])
def test_another_request_id_is_replaced(gateway, sent):
    with gateway.client() as client:
        client.send(request_bytes("GET", "/nowhere", {"X-Request-ID": sent}))
        answer = client.read()
    assert re.fullmatch(r"req-[0-9a-f]{16}", answer.get("X-Request-ID"))
    assert answer.json()["request_id"] == answer.get("X-Request-ID")


def test_made_request_ids_differ(gateway):
    with gateway.client() as client:
        ids = {client.get("/health/live").get("X-Request-ID") for _ in range(500)}
    assert len(ids) == 500


def test_validation_lists_every_bad_field(gateway, fields):
    answer = gateway.post("/v1/query", '{"query":"","max_results":51,"mode":"x","bogus":1}', fields)
    body = check_envelope(answer, 422)
    assert body["error_code"] == "VALIDATION_ERROR"
    details = {detail["field"]: detail for detail in body["details"]}
    assert set(details) == {"query", "max_results", "mode", "bogus"}
    assert all(detail["reason"] for detail in details.values())
    assert details["mode"]["allowed"] == ["fast", "balanced", "comprehensive", "creative", "analytical"]


def test_validation_in_problem_json_keeps_the_details(gateway, fields):
    answer = gateway.post("/v1/query", "{}", {**fields, "Accept": "application/problem+json"})
    assert answer.get("Content-Type") == "application/problem+json"
    assert answer.json()["details"][0]["field"] == "query"


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[1]", '"text"', '{"query":"a","query":"b"}', "\xff"])
def test_a_body_that_is_no_object_is_a_validation_error(gateway, fields, body):
    check_envelope(gateway.post("/v1/query", body.encode("latin-1"), fields), 422)


def test_no_error_tells_a_path_of_the_server(gateway, fields):
    with gateway.client() as client:
        for path in ["/nowhere", "/v1/files/x", "/%", "/v1/edge/fail/500"]:
            text = client.get(path, fields).body.decode()
            assert str(gateway.directory) not in text and "/tmp" not in text and ".swift" not in text
