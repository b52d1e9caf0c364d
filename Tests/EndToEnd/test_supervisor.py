"""The process that is started again when it dies: reports, restarts, plugins left out, signals, the sockets."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BINARY, SECRET, Gateway, clean_environment, eventually, run_gateway
from raw import Closed
from steady import Load, mixed
from test_drain import is_listening
from swaps import listed, reload


@pytest.fixture(scope="session")
def faulty(fixture_library):
    return fixture_library("faulty")


def start_faulty(start, faulty, place, *more, **environment):
    """A gateway whose plugin crashes in `place` while the file `armed` is there."""
    settings = {"fault": "crash", "in": place, "when": "armed", "more": list(more)}
    return start(files={"10-faulty.json": {"library": str(faulty), "settings": settings}}, **environment)


def arm(gateway):
    (gateway.data / "plugins/faulty/armed").write_text("")


def disarm(gateway):
    (gateway.data / "plugins/faulty/armed").unlink()


def provoke(gateway, method, path, body=b""):
    """Asks for what crashes; the connection ends without an answer, or after it."""
    with gateway.client(limit=5) as client:
        try:
            client.request(method, path, body=body) if body else client.get(path)
        except (Closed, OSError):
            pass


def crashes(gateway):
    path = gateway.data / "crashes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def await_restart(gateway, old):
    eventually(lambda: gateway.pid != old, what="another process that serves")


PLACES = [
    ("inline", "GET", "/v1/faulty", "request", "GET /v1/faulty"),
    ("pool", "GET", "/v1/faulty/pool", "request", "GET /v1/faulty/pool"),
    ("end", "GET", "/v1/faulty/end", "end", "GET /v1/faulty/end"),
    ("job", "GET", "/v1/faulty/job", "job", "job work"),
    ("event", "GET", "/v1/faulty/event", "event", "topic faulty.said"),
    ("serve", "GET", "/v1/faulty/serve", "serve", "service faulty.service"),
    ("body", "POST", "/v1/faulty/body", "body", "POST /v1/faulty/body"),
    ("tick", None, None, "tick", "job tick"),
    ("check", None, None, "check", "check check"),
]


@pytest.mark.parametrize("place, method, path, step, code", PLACES, ids=[place[0] for place in PLACES])
def test_a_crash_is_reported_with_the_code_that_ran_and_the_gateway_serves_on(
    start, faulty, place, method, path, step, code
):
    gateway = start_faulty(start, faulty, place, "crash_once")
    old = gateway.pid
    arm(gateway)
    if path:
        provoke(gateway, method, path, b"b" if method == "POST" else b"")
    await_restart(gateway, old)
    assert gateway.get("/v1/faulty").status == 200
    report = eventually(lambda: [crash for crash in crashes(gateway) if "milliseconds" in crash])[0]
    assert {name: report[name] for name in ("plugin", "generation", "step", "code", "end", "pid")} == {
        "plugin": "faulty", "generation": 1, "step": step, "code": code, "end": "SIGSEGV", "pid": old}
    assert 0 <= report["milliseconds"] < 10_000
    gateway.log.find(rf"error the serving process has crashed pid={old} end=SIGSEGV plugin=faulty generation=1 step={step}")
    gateway.log.find(r"warning serving again after a crash .*milliseconds=\d+")
    assert gateway.stop() == 0


@pytest.mark.parametrize("place, method, path", [("cancel", "GET", "/v1/faulty/cancel"),
                                                 ("writable", "GET", "/v1/faulty/writable")])
def test_a_crash_in_what_the_loop_calls_later_is_named_too(start, faulty, place, method, path):
    gateway = start_faulty(start, faulty, place, "crash_once")
    old = gateway.pid
    arm(gateway)
    client = gateway.client(limit=5)
    client.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    if place == "writable":
        try:
            client.rest()
        except (Closed, OSError):
            pass
    else:
        count = 'route="/v1/faulty/cancel"} 1'
        eventually(lambda: count in gateway.get("/metrics", gateway.fields(scope="admin")).body.decode())
    client.close()
    await_restart(gateway, old)
    report = crashes(gateway)[0]
    assert (report["step"], report["code"]) == (place, f"{method} {path}")


@pytest.mark.parametrize("name, end", [("exit", "exit status 0"), ("_exit", "exit status 3"), ("abort", "SIGABRT"),
                                       ("overflow", "SIGSEGV"), ("unheard", "SIGSEGV")])
def test_other_ways_to_end_the_process_are_named_too(start, fixture_library, name, end):
    gateway = start([fixture_library("ends")])
    old = gateway.pid
    provoke(gateway, "GET", f"/v1/ends/{name}")
    await_restart(gateway, old)
    report = crashes(gateway)[0]
    assert (report["plugin"], report["step"], report["code"]) == ("ends", "request", f"GET /v1/ends/{name}")
    assert report["end"] == end
    shown = eventually(lambda: (found := listed(gateway, "ends")["crashes"]) and "milliseconds" in found[-1] and found)
    assert shown == crashes(gateway)
    assert "crashed 1 time," in gateway.run("plugin", "list").stdout
    assert gateway.get("/health").json()["services"]["ends"]["crashes"] == 1
    assert gateway.stop() == 0


def metric(gateway, name):
    text = gateway.get("/metrics", gateway.fields(scope="admin")).body.decode()
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")), None)


def test_a_child_that_a_plugin_forks_ends_without_a_word_about_the_gateway(start, fixture_library):
    gateway = start([fixture_library("ends")])
    old = gateway.pid
    assert gateway.get("/v1/ends/fork").status == 200
    os.kill(old, signal.SIGKILL)
    await_restart(gateway, old)
    assert "plugin" not in crashes(gateway)[0]


def test_crashes_and_restarts_are_counted_across_the_processes(start, edge):
    gateway = start([edge])
    assert (metric(gateway, "gateway_crashes_total"), metric(gateway, "gateway_restarts_total")) == (0, 0)
    for count in (1, 2):
        old = gateway.pid
        os.kill(old, signal.SIGKILL)
        await_restart(gateway, old)
        assert (metric(gateway, "gateway_crashes_total"), metric(gateway, "gateway_restarts_total")) == (count, count)


def test_a_log_without_a_reader_does_not_end_the_supervisor(tmp_path):
    (tmp_path / "p").mkdir()
    process = subprocess.Popen(
        [str(BINARY), "serve"], stderr=subprocess.PIPE,
        env=clean_environment(JWT_SECRET_KEY=SECRET, DATA_DIR=tmp_path / "d", PLUGINS_DIR=tmp_path / "p", PORT=0))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        assert any(b" serving " in line for line in process.stderr)
        process.stderr.close()
        old = children.read_text()
        os.kill(int(old), signal.SIGKILL)
        eventually(lambda: process.poll() is not None or children.read_text() not in ("", old))
        assert process.poll() is None
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()


def test_a_process_that_hangs_at_a_stop_is_killed(start, edge):
    gateway = start([edge], LIMIT_DRAIN_SECONDS=0)
    os.kill(gateway.pid, signal.SIGSTOP)
    gateway.signal()
    assert gateway.wait() == 128 + signal.SIGKILL
    gateway.log.find(f"error a process that was to end hangs and is killed pid={gateway.pid}")
    assert crashes(gateway) == []


def test_what_keeps_a_process_from_starting_again_may_pass(start, edge):
    gateway = start([edge])
    old, database = gateway.pid, gateway.data / "gateway.db"
    database.rename(gateway.data / "saved")
    database.mkdir()
    os.kill(old, signal.SIGKILL)
    gateway.log.find("error the serving process cannot start reason=")
    database.rmdir()
    await_restart(gateway, old)
    assert gateway.get("/health/ready").status == 200
    assert [crash["end"] for crash in crashes(gateway)] == ["SIGKILL"]


def test_a_report_of_another_run_is_not_about_this_start(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    line = '{"time":"2026-01-01T00:00:00.000Z","pid":1,"end":"SIGSEGV"}\n'
    (data / "crashes.jsonl").write_text(line)
    gateway = Gateway(tmp_path)
    assert gateway.stop() == 0
    assert "serving again" not in gateway.log.text() and (data / "crashes.jsonl").read_text() == line


def test_a_process_that_dies_young_again_and_again_is_paused(start, edge):
    gateway = start([edge])
    began = time.monotonic()
    for _ in range(4):
        old = gateway.pid
        os.kill(old, signal.SIGKILL)
        await_restart(gateway, old)
    # Nothing after the first death, then 0.1, 0.2 and 0.4 s.
    assert 0.7 < time.monotonic() - began < 10
    assert gateway.stop() == 0


def test_a_plugin_that_crashes_too_often_is_left_out_until_it_is_reloaded(start, faulty, utilities):
    settings = {"fault": "crash", "in": "pool", "when": "armed"}
    gateway = start([utilities], files={"50-faulty.json": {"library": str(faulty), "settings": settings}},
                    LIMIT_CRASHES_COUNT=2, CRASH_POLICY="leave_out")
    arm(gateway)
    for _ in range(2):
        old = gateway.pid
        provoke(gateway, "GET", "/v1/faulty/pool")
        await_restart(gateway, old)
    gateway.log.find("error a plugin is to be left out plugin=faulty crashes=2")
    assert gateway.get("/v1/faulty").status == 404
    assert gateway.get("/health").json()["services"]["faulty"]["status"] == "error"
    assert listed(gateway, "utilities")["state"] == "active"
    reason = listed(gateway, "faulty")["reason"]
    assert "crashed the gateway 2 times" in reason and "request of GET /v1/faulty/pool (SIGSEGV)" in reason
    disarm(gateway)
    # Nobody has asked for it, and its library is the same.
    assert json.loads(gateway.run("plugin", "rescan", "--json").stdout) == []
    assert gateway.get("/v1/faulty").status == 404
    assert reload(gateway, "faulty")["outcome"] == "done"
    assert gateway.get("/v1/faulty/pool").status == 200
    # The supervisor knows: it is there again after a crash that is not its fault.
    old = gateway.pid
    os.kill(old, signal.SIGKILL)
    await_restart(gateway, old)
    assert gateway.get("/v1/faulty/pool").status == 200


def test_a_plugin_that_crashes_too_often_runs_in_a_process_of_its_own(start, faulty):
    gateway = start_faulty(start, faulty, "pool", LIMIT_CRASHES_COUNT=2)
    arm(gateway)
    for _ in range(2):
        old = gateway.pid
        provoke(gateway, "GET", "/v1/faulty/pool")
        await_restart(gateway, old)
    gateway.log.find("error a plugin is to be isolated plugin=faulty crashes=2")
    serving = gateway.pid
    assert gateway.get("/v1/faulty").status == 200
    assert gateway.get("/v1/faulty/pool").status == 503
    assert gateway.pid == serving
    disarm(gateway)
    eventually(lambda: gateway.get("/v1/faulty/pool").status == 200, what="the isolated plugin's return")
    assert gateway.pid == serving
    assert gateway.stop() == 0


def test_one_crash_short_of_the_limit_leaves_the_plugin_in(start, faulty):
    gateway = start_faulty(start, faulty, "pool", LIMIT_CRASHES_COUNT=3)
    arm(gateway)
    for _ in range(2):
        old = gateway.pid
        provoke(gateway, "GET", "/v1/faulty/pool")
        await_restart(gateway, old)
    assert gateway.get("/v1/faulty").status == 200


def test_a_plugin_that_crashes_in_its_start_is_left_out_and_the_gateway_starts(start, faulty):
    gateway = start_faulty(start, faulty, "activate", LIMIT_CRASHES_COUNT=2, CRASH_POLICY="leave_out")
    arm(gateway)
    old = gateway.pid
    os.kill(old, signal.SIGKILL)
    await_restart(gateway, old)
    assert gateway.get("/v1/faulty").status == 404
    assert [crash.get("step") for crash in crashes(gateway)] == [None, "activate", "activate"]


def test_a_killed_process_is_replaced_and_no_connection_is_refused(start, fixture_library):
    gateway = start([fixture_library("swapped")])
    with Load(gateway.port, mixed("swapped"), grows=False) as load:
        eventually(lambda: load.tally.answered > 500)
        old, before = gateway.pid, load.tally.answered
        os.kill(old, signal.SIGKILL)
        await_restart(gateway, old)
        seen = load.tally.answered
        eventually(lambda: load.tally.answered > seen + 1000)
    tally = load.stop()
    print(tally.text(), f"longest time without a good answer {tally.gap * 1e3:.1f} ms")
    assert tally.refused == 0 and tally.failed == 0 and tally.lost == 0
    assert tally.reset <= 64  # at most what each connection had under way
    assert tally.gap < 5
    report = crashes(gateway)[0]
    assert report["end"] == "SIGKILL" and "plugin" not in report


@pytest.mark.parametrize("workers", [1, 3])
def test_what_connects_while_nothing_serves_waits(start, edge, workers):
    gateway = start([edge], WORKERS=workers)
    old = gateway.pid
    os.kill(old, signal.SIGSTOP)
    tasks = list(Path(f"/proc/{old}/task").iterdir())
    eventually(lambda: all(" T " in (task / "stat").read_text() for task in tasks), what="the stop")
    clients = [gateway.client() for _ in range(12)]
    for client in clients:
        client.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    os.kill(old, signal.SIGKILL)
    assert [client.read().status for client in clients] == [200] * 12
    assert gateway.stop() == 0


def test_the_serving_process_dies_with_its_supervisor(start, edge):
    gateway = start([edge])
    serving = gateway.pid
    gateway.process.kill()
    gateway.process.wait()
    eventually(lambda: not is_listening(gateway), what="the end of the serving process")
    eventually(lambda: not Path(f"/proc/{serving}").exists() or ") Z" in Path(f"/proc/{serving}/stat").read_text())


def test_a_gateway_whose_supervisor_was_killed_can_be_started_again_at_once(start, edge):
    gateway = start([edge])
    old = gateway.pid
    gateway.process.kill()
    gateway.process.wait()
    again = subprocess.Popen([str(BINARY), "serve"], env=clean_environment(**{**gateway.environment, "PORT": gateway.port}),
                             cwd=gateway.directory, stderr=subprocess.DEVNULL)
    try:
        children = Path(f"/proc/{again.pid}/task/{again.pid}/children")
        eventually(lambda: again.poll() is not None or children.read_text(), what="the new serving process")
        eventually(lambda: not Path(f"/proc/{old}").exists() or ") Z" in Path(f"/proc/{old}/stat").read_text())
        assert gateway.get("/health/ready").status == 200
        again.terminate()
        assert again.wait(20) == 0
    finally:
        again.kill()


def test_a_signal_to_every_process_stops_it_in_order_once(start, edge):
    gateway = start([edge])
    serving = gateway.pid
    client = gateway.client()
    client.send(b"GET /v1/edge/after/500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                + gateway.fields()["Authorization"].split()[1].encode() + b"\r\n\r\n")
    eventually(lambda: gateway.get("/v1/edge/waiting", gateway.fields()).data["waiting"] == 1)
    for pid in (serving, gateway.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert client.read().status == 200
    assert gateway.wait() == 0
    assert "second stop signal" not in gateway.log.text()


def test_what_cannot_start_is_not_started_again(tmp_path, start, edge):
    gateway = start([edge])
    (tmp_path / "p").mkdir()
    other = {"JWT_SECRET_KEY": SECRET, "DATA_DIR": gateway.data, "PLUGINS_DIR": tmp_path / "p", "HOST": "127.0.0.1"}
    began = time.monotonic()
    ended = run_gateway("serve", **other, PORT=0)
    assert ended.returncode == 1 and "another gateway uses" in ended.stderr
    ended = run_gateway("serve", **{**other, "DATA_DIR": tmp_path / "d"}, PORT=gateway.port)
    assert ended.returncode == 1 and "in use" in ended.stderr and ended.stderr.count("gateway:") == 1
    (tmp_path / "d/gateway.db").mkdir()
    ended = run_gateway("serve", **{**other, "DATA_DIR": tmp_path / "d"}, PORT=0)
    assert ended.returncode == 1 and ended.stderr.count("gateway:") == 1
    assert time.monotonic() - began < 10


def test_without_supervision_one_process_serves(start, edge):
    gateway = start([edge], SUPERVISE="false")
    assert gateway.pid == gateway.process.pid
    assert gateway.get("/health/ready").status == 200
    ended = gateway.run("upgrade")
    assert ended.returncode == 1 and "no gateway is running" in ended.stderr
    assert gateway.stop() == 0
