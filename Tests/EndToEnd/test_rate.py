"""Rate limits: both windows, their fields, and exactness over threads and loops."""

import re
import threading
import time

import pytest

from conftest import make_token
from raw import bearer, request_bytes

READ = "/v1/edge/text/1"


@pytest.fixture(scope="module")
def limited(start_shared, edge):
    return start_shared(
        [edge], WORKERS=2, API_KEY_1="key-one:carol:read:tiny",
        RATE_LIMIT_TIERS="tiny:5:100,hourly:100:7,exact:50:1000,bench:0:0,standard:0:0",
    )


def limit_fields(answer):
    return {name: int(answer.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset")}


def test_the_request_after_the_last_of_a_minute_is_429(limited):
    fields = bearer(make_token("minute", tier="tiny"))
    with limited.client() as client:
        for number in range(5):
            answer = client.get(READ, fields)
            shown = limit_fields(answer)
            assert answer.status == 200 and answer.get("X-RateLimit-Tier") == "tiny"
            assert (shown["Limit"], shown["Remaining"]) == (5, 4 - number)
            assert 0 <= shown["Reset"] - time.time() <= 61.5
            assert re.fullmatch(rf'"minute";r={4 - number};t=\d+', answer.get("RateLimit"))
            assert answer.get("RateLimit-Policy") == '"minute";q=5;w=60, "hour";q=100;w=3600'
            assert answer.get("Retry-After") is None
        answer = client.get(READ, fields)
        assert (answer.status, answer.code) == (429, "RATE_LIMIT_EXCEEDED")
        # Windows slide in steps of a sixtieth or so, and a request counts until its whole step has passed.
        assert 1 <= int(answer.get("Retry-After")) <= 62
        assert limit_fields(answer)["Remaining"] == 0 and answer.get("X-RateLimit-Tier") == "tiny"
        assert "tiny" in answer.json()["message"]


def test_the_request_after_the_last_of_an_hour_is_429(limited):
    fields = bearer(make_token("hour", tier="hourly"))
    with limited.client() as client:
        answers = [client.get(READ, fields) for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 7 + [429]
    assert 60 < int(answers[7].get("Retry-After")) <= 3660
    assert answers[7].get("RateLimit").startswith('"hour";r=0;')
    assert answers[6].get("X-RateLimit-Remaining") == "0"


def test_a_refused_request_does_not_reach_the_plugin(limited):
    fields = bearer(make_token("waits", tier="tiny"))
    with limited.client() as client:
        assert [client.get(READ, fields).status for _ in range(5)] == [200] * 5
        assert client.get("/v1/edge/hold", fields).status == 429
        assert client.get("/v1/edge/waiting").data["waiting"] == 0


def test_callers_do_not_use_up_each_others_share(limited):
    with limited.client() as client:
        for user in ["one", "two", "three"]:
            fields = bearer(make_token(user, tier="tiny"))
            assert [client.get(READ, fields).status for _ in range(6)] == [200] * 5 + [429]
        assert [client.get(READ, {"X-API-Key": "key-one"}).status for _ in range(6)] == [200] * 5 + [429]


def test_two_tokens_of_one_subject_share(limited):
    with limited.client() as client:
        statuses = [client.get(READ, bearer(make_token("twin", tier="tiny"))).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_the_limit_is_exact_under_eight_threads_on_two_loops(limited):
    token = make_token("many", tier="exact")
    statuses, barrier, lock = [], threading.Barrier(8), threading.Lock()

    def ask():
        with limited.client() as client:
            barrier.wait()
            client.send(request_bytes("GET", READ, bearer(token)) * 20)
            own = [client.read().status for _ in range(20)]
        with lock:
            statuses.extend(own)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(429)) == (50, 110)


def test_an_unlimited_tier_names_itself_alone(limited):
    answer = limited.get(READ, bearer(make_token()))
    assert answer.get("X-RateLimit-Tier") == "bench" and answer.get("X-RateLimit-Limit") is None


def test_an_unknown_tier_is_standard(limited):
    assert limited.get(READ, bearer(make_token(tier="golden"))).get("X-RateLimit-Tier") == "standard"


@pytest.mark.parametrize("tier,minute,hour", [
    ("standard", 60, 1000), ("premium", 200, 5000), ("enterprise", 500, 10000)])
def test_the_tiers_of_the_guide_are_built_in(start_shared, edge, tier, minute, hour):
    gateway = start_shared([edge], RATE_LIMIT_TIERS="")
    answer = gateway.get(READ, bearer(make_token(tier=tier)))
    assert answer.get("X-RateLimit-Limit") == str(minute)
    assert answer.get("RateLimit-Policy") == f'"minute";q={minute};w=60, "hour";q={hour};w=3600'
    gateway.stop()


@pytest.fixture
def strict(start, edge):
    return start([edge], RATE_LIMIT_TIERS="standard:10:1000,bench:0:0")


def test_failed_logins_count_and_good_tokens_still_pass(strict):
    with strict.client() as client:
        assert [client.get(READ, bearer(f"guess-{n}")).status for n in range(11)] == [401] * 10 + [429]
        assert client.get(READ, {"X-API-Key": "guess"}).status == 429
        assert client.get(READ, bearer(make_token())).status == 200
    assert strict.get("/").status == 429, "another connection of the address"


def test_strangers_are_counted_by_address(strict):
    with strict.client() as client:
        paths = ["/", "/nowhere", READ, "/openapi.json", "/v1/edge/fail/400"] * 2
        assert 429 not in [client.get(path).status for path in paths]
        for path in ["/", "/nowhere", "/v1/edge/fail/400", "/%", "/ws"]:
            assert client.get(path).status == 429


def test_health_is_never_limited(strict):
    with strict.client() as client:
        for path in ["/health", "/healthz", "/health/live", "/health/ready"] * 25:
            answer = client.get(path)
            assert answer.status == 200 and answer.get("X-RateLimit-Tier") is None
