"""What pollers see: shape, readiness, a plugin that failed, a check that hangs."""

import re
import signal

from conftest import eventually, make_token
from raw import bearer


def test_health_has_the_shape_of_the_guide(gateway):
    answer = gateway.get("/health")
    body = answer.json()
    assert answer.status == 200 and set(body) == {"status", "timestamp", "services", "version"}
    assert body["status"] == "healthy" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["timestamp"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])
    for name in ["edge", "utilities"]:
        assert body["services"][name]["status"] == "running" and body["services"][name]["available"] is True
    assert isinstance(body["services"]["websocket"]["active_connections"], int)
    assert gateway.get("/healthz").json()["services"].keys() == body["services"].keys()


def test_live_and_ready_stand_apart(gateway):
    assert gateway.get("/health/live").json() == {"status": "alive"}
    assert gateway.get("/health/ready").json() == {"status": "ready"}


def test_a_plugin_adds_its_checks(start, fixture_library):
    gateway = start([fixture_library("good")])

    def degraded():
        body = gateway.get("/health").json()
        return body if body["status"] == "degraded" else None

    body = eventually(degraded)
    check = body["services"]["good"]["checks"]["self"]
    assert check == {"status": "degraded", "detail": {"why": "fixture"}}
    assert body["services"]["good"]["status"] == "degraded" and body["services"]["good"]["available"] is True
    assert gateway.get("/health").status == 200


def test_a_plugin_that_failed_is_shown_and_the_others_run(start, fixture_library, edge):
    gateway = start([fixture_library("create_fails"), edge])
    body = gateway.get("/health").json()
    assert body["status"] == "degraded"
    failed = body["services"]["create_fails"]
    assert failed["status"] == "error" and failed["available"] is False
    # Health is for everyone: the reason itself stands in the log.
    assert "gateway check" in failed["reason"] and str(gateway.directory) not in failed["reason"]
    gateway.log.find("create_fails.json:1:13: error: create failed: the database is on strike")
    assert body["services"]["edge"]["status"] == "running"
    assert gateway.get("/v1/edge/text/1", bearer(make_token())).status == 200


def test_nothing_that_runs_is_unhealthy_with_503(start, fixture_library):
    gateway = start([fixture_library("create_fails")])
    answer = gateway.get("/health")
    assert answer.status == 503 and answer.json()["status"] == "unhealthy"
    assert gateway.get("/health/live").status == 200


def test_a_check_that_hangs_is_stale_and_hangs_nobody(start, fixture_library, edge):
    gateway = start([fixture_library("hanging_check"), edge])

    def stale():
        body = gateway.get("/health").json()
        return body if body["services"]["hanging_check"]["status"] == "stale" else None

    body = eventually(stale)
    assert body["status"] == "degraded" and body["services"]["hanging_check"]["available"] is False
    assert body["services"]["hanging_check"]["checks"]["hangs"]["status"] == "stale"
    assert body["services"]["edge"]["available"] is True
    with gateway.client() as client:
        assert [client.get("/health").status for _ in range(50)] == [200] * 50


def test_ready_is_503_while_draining_before_the_listener_closes(start, edge):
    gateway = start([edge], LIMIT_DRAIN_NOTICE_SECONDS=1.5)
    with gateway.client() as kept:
        assert kept.get("/health/ready").status == 200
        gateway.signal(signal.SIGTERM)
        gateway.log.find("draining")
        answer = gateway.get("/health/ready")
        assert answer.status == 503 and answer.json() == {"status": "not ready"}
        assert answer.closes
        assert gateway.get("/health/live").status == 200
        assert kept.get("/health/ready").status == 503
    assert gateway.wait() == 0
