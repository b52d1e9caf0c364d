"""A plugin's code is replaced while the gateway serves."""

import json
import re
import signal
import threading

import pytest

from conftest import eventually
from process import Process
from steady import Load, mixed
from subscriber import Subscriber
from swaps import data_file, generation, listed, put, reload, steps


@pytest.fixture
def swapped(start, fixture_library, tmp_path):
    """Starts a gateway with a library of its own of the fixture, which can be replaced."""

    def make(environment=None, **definitions):
        library = tmp_path / "libswapped.so"
        put(fixture_library("swapped", **definitions), library)
        gateway = start([library], **{"LIMIT_PROBATION_SECONDS": 0, **(environment or {})})
        gateway.library = library
        return gateway

    return make


def test_a_reload_says_step_by_step_what_was_done(swapped, fixture_library):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 1})
    put(fixture_library("swapped", BUILD=2), gateway.library)
    report = reload(gateway, "swapped")
    assert report["outcome"] in ("done", "unchanged"), report
    eventually(lambda: gateway.get("/v1/swapped").data["build"] == 2)
    report = reload(gateway, "swapped")
    assert report["generation_after"] == report["generation_before"] + 1
    assert [step["name"] for step in report["steps"]] == [
        "copy", "probe", "load", "create", "hold", "state", "activate", "switch"]
    assert all(step["milliseconds"] >= 0 and not step["failed"] for step in report["steps"])
    assert "kept for 1 s" in report["message"]
    # What comes later is in the list.
    later = eventually(lambda: (steps(listed(gateway, "swapped")["last_change"]).keys() >= {"unload"})
                       and steps(listed(gateway, "swapped")["last_change"]))
    assert later["unload"]["detail"] == "unloaded"
    assert {"probation", "drain"} <= later.keys()


def test_twenty_swaps_under_load_fail_no_request_and_lose_no_event(swapped, fixture_library):
    gateway = swapped()
    with Subscriber(gateway, "swapped.tick") as subscriber, Load(gateway.port, mixed("swapped"), rate=800) as load:
        for number in range(20):
            report = reload(gateway, "swapped")
            assert report["outcome"] == "done", report
        eventually(lambda: load.tally.answered > 200)
        tally = load.stop()
    assert tally.bad == 0 and tally.accounted == tally.sent, tally.text()
    assert len(tally.generations) > 5
    subscriber.check()
    assert len({event["generation"] for event in subscriber.events}) > 5
    eventually(lambda: len(Process(gateway.pid).images("swapped")) == 1, what="the old code's end")


def test_a_round_of_repeated_work_under_way_is_part_of_the_state(swapped):
    gateway = swapped(TICK_MS=40)
    with Subscriber(gateway, "swapped.tick") as subscriber:
        for number in range(5):
            assert reload(gateway, "swapped")["outcome"] == "done"
        eventually(lambda: any(event["generation"] == 6 for event in subscriber.events))
    subscriber.check()


def test_state_in_memory_goes_on_in_the_next_generation(swapped):
    gateway = swapped()
    for number in range(1, 6):
        assert gateway.post("/v1/swapped/count", b"").data["count"] == number
    assert reload(gateway, "swapped")["outcome"] == "done"
    assert gateway.get("/v1/swapped/count").data == {"build": 1, "generation": 2, "count": 5}


@pytest.mark.parametrize("build, reason", [
    ({"READS_FROM": 2, "READS_TO": 3}, r"hands over the state test\.swapped 1, and this one reads test\.swapped 2 to 3"),
    ({"SCHEMA": '"other"'}, r"this one reads other 1 to 1"),
    ({"STATE": 0}, r"this one takes none"),
    ({"UNFIT": 1}, r"this build is not fit to serve"),
    ({"NAME": '"stranger"'}, r"this file runs the plugin .swapped., and its library is now .stranger."),
])
def test_a_build_that_does_not_fit_is_refused_and_the_old_one_serves_on(swapped, fixture_library, build, reason):
    gateway = swapped(JOB=1, MOVES=1)
    gateway.post("/v1/swapped/count", b"")
    with Load(gateway.port, mixed("swapped"), connections=8, rate=200) as load:
        # In place, so that no watcher sees it: only the reload asks for it.
        gateway.library.unlink()
        gateway.library.write_bytes(fixture_library("swapped", BUILD=2, **build).read_bytes())
        report = reload(gateway, "swapped")
        tally = load.stop()
    assert report["outcome"] == "failed" and report["steps"][-1]["failed"]
    assert re.search(reason, report["message"]), report["message"]
    assert tally.bad == 0, tally.text()
    assert gateway.get("/v1/swapped/count").data == {"build": 1, "generation": 1, "count": 1}
    # Its job, which moves at a swap, runs.
    before = gateway.get("/v1/swapped/epoch").data["epoch"]
    eventually(lambda: gateway.get("/v1/swapped/epoch").data["epoch"] > before, what="the job")
    assert len(Process(gateway.pid).images("swapped")) == 1


def test_state_that_no_build_can_read_is_dropped_by_force(swapped, fixture_library):
    gateway = swapped()
    gateway.post("/v1/swapped/count", b"")
    gateway.library.unlink()
    gateway.library.write_bytes(fixture_library("swapped", BUILD=2, SCHEMA='"other"').read_bytes())
    assert reload(gateway, "swapped")["outcome"] == "failed"
    assert reload(gateway, "swapped", "--force")["outcome"] == "done"
    assert gateway.get("/v1/swapped/count").data["count"] == 0


@pytest.mark.parametrize("fixture, reason", [
    ("create_crashes", "SIGSEGV"), ("create_fails", "on strike"), ("wrong_major", "contract version 7"),
    ("no_entry", "gw_plugin_entry"),
])
def test_a_library_that_breaks_the_contract_replaces_nothing(swapped, fixture_library, fixture, reason):
    gateway = swapped()
    gateway.library.unlink()
    gateway.library.write_bytes(fixture_library(fixture).read_bytes())
    report = reload(gateway, "swapped")
    assert report["outcome"] == "failed" and reason in report["message"], report
    assert generation(gateway) == 1


def test_half_a_library_replaces_nothing_and_the_whole_one_does(swapped, fixture_library):
    gateway = swapped()
    whole = fixture_library("swapped", BUILD=2).read_bytes()
    half = gateway.library.with_name("half")
    half.write_bytes(whole[: len(whole) // 2])
    half.rename(gateway.library)
    gateway.log.find("plugin load failed")
    assert generation(gateway) == 1
    put(fixture_library("swapped", BUILD=2), gateway.library)
    eventually(lambda: gateway.get("/v1/swapped").data["build"] == 2)


# ---- going back ----


def test_a_build_that_fails_more_requests_is_gone_back_from(swapped, fixture_library):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 30})
    gateway.post("/v1/swapped/count", b"")
    gateway.library.unlink()
    gateway.library.write_bytes(fixture_library("swapped", BUILD=2, FAILING=2).read_bytes())
    assert reload(gateway, "swapped")["generation_after"] == 2
    for _ in range(20):
        gateway.get("/v1/swapped")
    eventually(lambda: listed(gateway, "swapped")["generation"] == 1, what="going back")
    last = listed(gateway, "swapped")["last_change"]
    assert last["change"] == "back" and "requests" in last["message"], last
    # It is the old instance itself, with what it had in memory, and it works.
    assert gateway.get("/v1/swapped/count").data == {"build": 1, "generation": 1, "count": 1}
    with Subscriber(gateway, "swapped.tick") as subscriber:
        subscriber.until(lambda event: event["generation"] == 1)
    eventually(lambda: len(Process(gateway.pid).images("swapped")) == 1)
    # A look at everything does not bring the bad build back; asking for it does.
    gateway.signal(signal.SIGHUP)
    assert json.loads(gateway.run("plugin", "rescan", "--json").stdout) == []
    assert reload(gateway, "swapped")["outcome"] == "done"


def test_a_build_that_says_it_is_ill_is_gone_back_from(swapped, fixture_library):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 30})
    data_file(gateway, "sick-2").write_text("")
    put(fixture_library("swapped", BUILD=2), gateway.library)
    gateway.log.find("went back to the generation before")
    assert generation(gateway) == 1
    assert "fitness is unhealthy" in listed(gateway, "swapped")["last_change"]["message"]
    assert gateway.get("/health").json()["services"]["swapped"]["status"] == "running"


def test_a_job_that_has_moved_goes_on_in_the_generation_that_is_gone_back_to(swapped, fixture_library):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 30}, JOB=1, MOVES=1)
    gateway.library.unlink()
    gateway.library.write_bytes(fixture_library("swapped", BUILD=2, FAILING=2, JOB=1, MOVES=1).read_bytes())
    assert reload(gateway, "swapped")["generation_after"] == 2
    for _ in range(20):
        gateway.get("/v1/swapped")
    eventually(lambda: listed(gateway, "swapped").get("replaced") is None, what="the bad build's end")
    assert generation(gateway) == 1
    assert {"switch", "drain", "unload"} <= steps(listed(gateway, "swapped")["last_change"]).keys()
    before = gateway.get("/v1/swapped/epoch").data["epoch"]
    eventually(lambda: gateway.get("/v1/swapped/epoch").data["epoch"] > before, what="the job")


def test_a_build_that_hangs_on_impatient_clients_does_not_pass_for_a_good_one(swapped, fixture_library):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 30})
    gateway.library.unlink()
    gateway.library.write_bytes(fixture_library("swapped", BUILD=2, FAILING=1).read_bytes())
    assert reload(gateway, "swapped")["generation_after"] == 2
    for _ in range(40):
        with gateway.client() as client:
            client.send(b"GET /v1/swapped/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            client.socket.recv(1)
    for _ in range(12):
        gateway.get("/v1/swapped")
    assert re.search(r"failed 1\d of 1\d requests", eventually(
        lambda: listed(gateway, "swapped")["last_change"]["change"] == "back"
        and listed(gateway, "swapped")["last_change"]["message"]))


def test_a_good_build_is_not_gone_back_from(swapped):
    gateway = swapped({"LIMIT_PROBATION_SECONDS": 1})
    reload(gateway, "swapped")
    for _ in range(20):
        gateway.get("/v1/swapped")
    eventually(lambda: "replaced" not in listed(gateway, "swapped"), what="the probation's end")
    assert generation(gateway) == 2


# ---- what is under way ----


def test_answers_begun_on_the_old_generation_end_on_it(swapped):
    gateway = swapped()
    with gateway.client() as stream, gateway.client() as waiting:
        stream.send(b"GET /v1/swapped/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.send(b"GET /v1/swapped/wait HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: listed(gateway, "swapped")["requests_under_way"] == 2)
        assert reload(gateway, "swapped")["outcome"] == "done"
        assert generation(gateway) == 2
        assert listed(gateway, "swapped")["replaced"]["requests_under_way"] == 2
        data_file(gateway, "release").write_text("")
        assert waiting.read().data["generation"] == 1
        lines = stream.read().body.decode().split("\n")
        assert lines[-2] == "end" and {line.split()[1] for line in lines[:-2]} == {"1"}
    eventually(lambda: "replaced" not in listed(gateway, "swapped"))
    assert len(Process(gateway.pid).images("swapped")) == 1


def test_a_request_that_never_ends_is_cut_at_the_drain_limit(swapped):
    gateway = swapped({"LIMIT_DRAIN_SECONDS": 0.5})
    with gateway.client() as stream:
        stream.send(b"GET /v1/swapped/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: listed(gateway, "swapped")["requests_under_way"] == 1)
        reload(gateway, "swapped")
        eventually(lambda: "replaced" not in listed(gateway, "swapped"))
        assert not stream.rest().endswith(b"0\r\n\r\n")
    drain = steps(listed(gateway, "swapped")["last_change"])["drain"]
    assert drain["detail"] == "cancelled 1 requests at the limit of LIMIT_DRAIN_SECONDS"
    assert len(Process(gateway.pid).images("swapped")) == 1


def test_a_body_under_way_reaches_the_generation_it_began_at(swapped):
    gateway = swapped()
    with gateway.client() as client:
        client.send(b"POST /v1/swapped/sum HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        eventually(lambda: listed(gateway, "swapped")["requests_under_way"] == 1)
        reload(gateway, "swapped")
        client.send(b"def")
        assert client.read().data == {"build": 1, "generation": 1, "bytes": 6, "sum": sum(b"abcdef")}


# ---- jobs ----


def test_a_job_that_moves_goes_on_where_it_was(swapped, fixture_library):
    gateway = swapped(JOB=1, MOVES=1)
    eventually(lambda: gateway.get("/v1/swapped/epoch").data["epoch"] >= 20)
    report = reload(gateway, "swapped")
    assert steps(report)["jobs"]["detail"].startswith("ended")
    ended = int(data_file(gateway, "ended-1").read_text())
    assert ended >= 20
    eventually(lambda: gateway.get("/v1/swapped/epoch").data["epoch"] > ended)
    assert generation(gateway) == 2


def test_a_job_that_does_not_move_ends_on_the_old_generation(swapped):
    gateway = swapped(JOB=1)
    assert reload(gateway, "swapped")["outcome"] == "done"
    eventually(lambda: "waiting for job train" in listed(gateway, "swapped")["replaced"]["state"])
    # Two live generations are the most.
    refused = reload(gateway, "swapped")
    assert refused["outcome"] == "failed" and "job 'train'" in refused["message"] and "--force" in refused["message"]
    assert generation(gateway) == 2
    data_file(gateway, "release").write_text("")
    eventually(lambda: "replaced" not in listed(gateway, "swapped"))
    assert data_file(gateway, "ended-1").exists()
    # How the old generation ended is no part of the change that was refused meanwhile.
    assert steps(listed(gateway, "swapped")["last_change"]) == {}


def test_a_job_that_does_not_move_is_ended_by_force(swapped):
    gateway = swapped(JOB=1)
    reload(gateway, "swapped")
    assert reload(gateway, "swapped", "--force")["generation_after"] == 3
    assert data_file(gateway, "ended-1").exists()


# ---- what stays mapped ----


def test_generations_that_cannot_be_unmapped_are_counted_up_to_a_budget(start, fixture_library, tmp_path):
    library = tmp_path / "libown_thread.so"
    put(fixture_library("own_thread"), library)
    gateway = start([library], LIMIT_PROBATION_SECONDS=0, LIMIT_RETIRED_COUNT=2)
    for number in (1, 2):
        assert reload(gateway, "own_thread")["outcome"] == "done"
        eventually(lambda: "replaced" not in listed(gateway, "own_thread"))
    refused = reload(gateway, "own_thread")
    assert refused["outcome"] == "failed" and "LIMIT_RETIRED_COUNT" in refused["message"]
    gateway.log.find("restart the gateway when it suits")
    health = gateway.get("/health").json()
    assert health["retired_generations"] == 2 and health["status"] == "degraded"
    metrics = gateway.get("/metrics", gateway.fields(scope="admin")).body.decode()
    assert "gateway_plugin_retired_generations 2" in metrics
    assert len(Process(gateway.pid).images("own_thread")) == 3


def test_many_swaps_leave_no_threads_and_no_descriptors(swapped):
    gateway = swapped()
    reload(gateway, "swapped")
    eventually(lambda: "replaced" not in listed(gateway, "swapped"))
    process = Process(gateway.pid)
    before = (process.threads, process.descriptors)
    for _ in range(5):
        reload(gateway, "swapped")
    eventually(lambda: "replaced" not in listed(gateway, "swapped"))
    eventually(lambda: (process.threads, process.descriptors) == before, what="the same threads and descriptors")


def test_changes_asked_for_at_once_are_made_one_after_the_other(swapped):
    gateway = swapped()
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(reload(gateway, "swapped"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report["generation_after"] for report in reports) == [2, 3, 4, 5]
