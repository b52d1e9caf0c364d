"""Plugins that hang where they are told to, while they are replaced: the others and the gateway go on."""

import pytest

from conftest import eventually
from swaps import data_file, listed, reload, steps


@pytest.fixture
def faulty(start, fixture_library):
    def make(place, fault="hang", **environment):
        settings = {"fault": fault, "in": place, "armed": True}
        gateway = start(
            files={"10-faulty.json": {"library": str(fixture_library("faulty")), "settings": settings}},
            **{"LIMIT_PROBATION_SECONDS": 0, "LIMIT_DRAIN_SECONDS": 0.5, "LIMIT_HANDOVER_SECONDS": 0.5, **environment})
        (gateway.data / "plugins/faulty/armed").write_text("")
        return gateway

    return make


@pytest.mark.parametrize("place", ["snapshot", "restore"])
def test_a_hand_over_that_hangs_is_given_up_and_the_old_one_serves_on(faulty, place):
    gateway = faulty(place)
    report = reload(gateway, "faulty")
    assert report["outcome"] == "failed" and f"{place} has not returned in time" in report["message"]
    assert gateway.get("/v1/faulty").data["generation"] == 1
    # Requests that waited meanwhile are answered, and its repeated work goes on.
    assert gateway.get("/v1/faulty/pool").data["generation"] == 1
    retired = gateway.get("/v1/admin/plugins", gateway.fields(scope="admin")).data["retired"]
    assert [one["generation"] for one in retired] == ([] if place == "snapshot" else [2])


@pytest.mark.parametrize("place, reason", [
    ("quiesce", "still waiting for its answer to quiesce"), ("destroy", "its destroy has not returned"),
    ("tick", "1 repeated jobs"),
])
def test_an_old_generation_that_hangs_at_its_end_is_retired_by_name(faulty, place, reason):
    gateway = faulty(place)
    if place == "tick":
        eventually(data_file(gateway, "armed.reached", "faulty").exists)
    assert reload(gateway, "faulty")["outcome"] == "done"
    assert gateway.get("/v1/faulty").data["generation"] == 2
    eventually(lambda: "replaced" not in listed(gateway, "faulty"))
    assert reason in steps(listed(gateway, "faulty")["last_change"])["unload"]["detail"]
    assert gateway.get("/health").json()["retired_generations"] == 1


def test_a_request_that_never_returns_holds_nobody_up(faulty):
    gateway = faulty("pool")
    with gateway.client() as stuck:
        stuck.send(b"GET /v1/faulty/pool HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: listed(gateway, "faulty")["requests_under_way"] == 1)
        assert reload(gateway, "faulty")["outcome"] == "done"
        assert gateway.get("/v1/faulty").data["generation"] == 2
        eventually(lambda: "replaced" not in listed(gateway, "faulty"))
    assert "1 requests" in steps(listed(gateway, "faulty")["last_change"])["unload"]["detail"]


def test_a_self_test_that_crashes_or_hangs_is_refused(start, fixture_library):
    for fault in ("crash", "hang"):
        settings = {"fault": fault, "in": "selftest"}
        gateway = start(files={"10-faulty.json": {"library": str(fixture_library("faulty")), "settings": settings}})
        reason = listed(gateway, "faulty")["reason"]
        assert ("SIGSEGV" if fault == "crash" else "the self-test has not returned in time") in reason
