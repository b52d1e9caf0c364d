"""An event loop that stands: its process is ended and begun again; what only looks like it is left alone."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import eventually
from raw import request_bytes
from swaps import listed, reload
from test_supervisor import crashes, metric

LIMIT = 1.0


@pytest.fixture(scope="session")
def stands(fixture_library):
    return fixture_library("stands")


def ask(gateway, route):
    """Asks for what keeps the loop; the client, which has no answer yet."""
    client = gateway.client(limit=15)
    client.send(request_bytes("GET", f"/v1/stands/{route}"))
    return client


def hold(gateway):
    """Has the loop held until `release`; the client whose request holds it."""
    client = ask(gateway, "held")
    eventually((gateway.data / "plugins/stands/reached").exists, what="the held loop")
    return client


def release(gateway):
    (gateway.data / "plugins/stands/release").write_text("")


def let_pass(seconds):
    """For what must not happen within a time, there is nothing else to wait for."""
    threading.Event().wait(seconds)


def stop(*pids):
    """Stops processes, and sees that all their threads are."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    eventually(lambda: all(") T " in (task / "stat").read_text() for task in tasks), what="the stop")


def resume(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_loop_that_hangs_is_noticed_and_the_gateway_serves_on(start, stands, edge, workers):
    gateway = start([stands, edge], LIMIT_HANG_SECONDS=LIMIT, WORKERS=workers)
    old, began = gateway.pid, time.monotonic()
    stuck = ask(gateway, "spin")
    eventually(lambda: gateway.pid != old, what="another process that serves")
    # A tenth of the limit, and what a start takes.
    assert LIMIT <= time.monotonic() - began < LIMIT * 1.1 + 5
    gateway.log.find(rf"error an event loop hangs, and its process is ended pid={old} thread=\d+ seconds=1 plugin=stands")
    assert gateway.get("/v1/stands").status == 200 and gateway.get("/health/live").status == 200
    report = eventually(lambda: [crash for crash in crashes(gateway) if "milliseconds" in crash])[0]
    assert {name: report[name] for name in ("plugin", "generation", "step", "code", "end", "pid")} == {
        "plugin": "stands", "generation": 1, "step": "request", "code": "GET /v1/stands/spin", "end": "hang", "pid": old}
    assert report["milliseconds"] < 10_000
    assert gateway.get("/health").json()["services"]["stands"]["crashes"] == 1
    assert "generation 1 (hang)" in gateway.run("plugin", "list").stdout
    assert (metric(gateway, "gateway_crashes_total"), metric(gateway, "gateway_restarts_total")) == (1, 1)
    stuck.close()
    assert gateway.stop() == 0


def test_a_loop_that_keeps_signals_out_is_killed_and_told_as_a_hang_too(start, stands):
    gateway = start([stands], LIMIT_HANG_SECONDS=LIMIT)
    old = gateway.pid
    stuck = ask(gateway, "deaf")
    eventually(lambda: gateway.pid != old, what="another process that serves")
    gateway.log.find(rf"error a process that was to end hangs and is killed pid={old}")
    report = crashes(gateway)[0]
    assert (report["plugin"], report["code"], report["end"]) == ("stands", "GET /v1/stands/deaf", "hang")
    stuck.close()


def test_a_plugin_that_hangs_too_often_is_subject_to_the_crash_policy(start, stands, edge):
    gateway = start([stands, edge], LIMIT_HANG_SECONDS=LIMIT, LIMIT_CRASHES_COUNT=2, CRASH_POLICY="leave_out")
    for _ in range(2):
        old = gateway.pid
        stuck = ask(gateway, "spin")
        eventually(lambda: gateway.pid != old, what="another process that serves")
        stuck.close()
    gateway.log.find("error a plugin is to be left out plugin=stands crashes=2")
    assert gateway.get("/v1/stands").status == 404 and gateway.get("/health/live").status == 200
    assert "request of GET /v1/stands/spin (hang)" in listed(gateway, "stands")["reason"]


def test_with_0_a_loop_may_stand(start, stands):
    gateway = start([stands], LIMIT_HANG_SECONDS=0)
    old = gateway.pid
    client = hold(gateway)
    let_pass(2 * LIMIT)
    release(gateway)
    assert client.read().status == 200
    assert gateway.pid == old and crashes(gateway) == []


def test_a_loop_without_work_does_not_stand(start, stands):
    gateway = start([stands], LIMIT_HANG_SECONDS=LIMIT, WORKERS=2)
    old = gateway.pid
    with gateway.client() as client:
        assert client.get("/v1/stands").status == 200
        let_pass(3 * LIMIT)
        assert client.get("/v1/stands").status == 200
    assert gateway.pid == old and crashes(gateway) == []


@pytest.mark.parametrize("who", ["both", "serving"])
def test_the_time_of_a_stop_does_not_count(start, stands, who):
    gateway = start([stands], LIMIT_HANG_SECONDS=2)
    old = gateway.pid
    client = hold(gateway)
    stopped = [gateway.process.pid, old] if who == "both" else [old]
    stop(*stopped)
    try:
        let_pass(3)
    finally:
        resume(*stopped)
    release(gateway)
    assert client.read().status == 200
    assert gateway.pid == old and crashes(gateway) == []
    # It is watched as before.
    stuck = ask(gateway, "spin")
    eventually(lambda: gateway.pid != old, what="another process that serves")
    assert [crash["end"] for crash in crashes(gateway)] == ["hang"]
    stuck.close()


def test_a_plugin_that_is_slow_to_start_ends_nothing(start, stands):
    gateway = start(files={"10-stands.json": {"library": str(stands), "settings": {"slow": True}}}, wait=False,
                    LIMIT_HANG_SECONDS=LIMIT)
    reached = gateway.data / "plugins/stands/reached"
    eventually(reached.exists, what="the slow start")
    let_pass(2 * LIMIT)
    release(gateway)
    gateway.port = int(gateway.log.find(r"serving\b.*?\bport=(\d+)")[1])
    old = gateway.pid
    for file in ("reached", "release"):
        (gateway.data / "plugins/stands" / file).unlink()
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(reload, gateway, "stands")
        eventually(reached.exists, what="the slow replacement")
        let_pass(2 * LIMIT)
        assert gateway.get("/v1/stands").status == 200
        release(gateway)
        assert change.result()["outcome"] == "done"
    assert gateway.get("/v1/stands").status == 200
    assert gateway.pid == old and crashes(gateway) == []


def test_a_handler_that_hangs_beside_the_loops_ends_nothing(start, fixture_library):
    settings = {"fault": "hang", "in": "pool", "armed": True}
    gateway = start(files={"10-faulty.json": {"library": str(fixture_library("faulty")), "settings": settings}},
                    LIMIT_HANG_SECONDS=LIMIT, LIMIT_ANSWER_SECONDS=2 * LIMIT, LIMIT_DRAIN_SECONDS=0.5)
    old = gateway.pid
    (gateway.data / "plugins/faulty/armed").write_text("")
    assert gateway.get("/v1/faulty/pool").status == 504
    assert gateway.get("/v1/faulty").status == 200
    assert gateway.pid == old and crashes(gateway) == []


def test_a_process_that_is_told_to_stop_while_a_loop_hangs_ends(start, stands):
    gateway = start([stands], LIMIT_HANG_SECONDS=LIMIT, LIMIT_DRAIN_SECONDS=30)
    stuck = ask(gateway, "deaf")
    gateway.log.find("an event loop hangs, and its process is ended")
    gateway.signal()
    # Not as late as a drain may take.
    assert gateway.wait(15) == 128 + signal.SIGKILL
    assert [(crash["plugin"], crash["end"]) for crash in crashes(gateway)] == [("stands", "hang")]
    stuck.close()
