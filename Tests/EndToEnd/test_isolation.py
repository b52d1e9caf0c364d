"""Plugins in a process of their own: the same answers, and what happens when that process dies or wants too much."""

import errno
import json
import os
import re
import signal
import struct
import threading
import time
from pathlib import Path

import pytest

from conftest import ROOT, Gateway, eventually, make_token, run_gateway
from raw import bearer, request_bytes
from steady import Ask, Load
from swaps import put

# The contract is one: these tests of others run here once more, against the fixtures below.
from test_drain import (  # noqa: F401
    test_a_long_answer_under_way_is_finished, test_a_plugin_that_blocks_its_thread_does_not_hinder_the_end,
    test_beyond_the_limit_requests_are_cancelled,
)
from test_limits import (  # noqa: F401
    answered, chunked, hasty, padded_head, small, test_a_body_of_exactly_the_limit_is_taken,
    test_a_body_one_byte_beyond_the_limit_is_413, test_a_client_that_takes_nothing_is_cut_and_costs_little,
    test_a_full_pool_is_503_and_inline_routes_go_on, test_a_plugin_that_does_not_answer_in_time_is_504,
    test_a_plugin_that_takes_no_more_of_a_body_in_time_is_504, test_a_slow_reader_gets_all_of_a_long_answer,
    test_as_many_requests_of_a_route_as_the_limit_wait_and_the_next_is_503,
)
from test_plugins import (  # noqa: F401
    REFUSED, check, message, test_a_handler_that_claims_to_have_answered_is_500_and_logged,
    test_an_answer_for_a_client_that_has_left_is_dropped, test_buffers_come_back_once,
    test_no_answer_is_504_and_a_late_one_is_dropped, test_the_second_answer_is_dropped,
    test_what_a_failed_plugin_declared_is_gone, test_what_may_not_be_sent_is_refused,
)
from test_routes import *  # noqa: F401,F403
from test_swap import *  # noqa: F401,F403
from test_utilities import *  # noqa: F401,F403
from test_websocket import *  # noqa: F401,F403

# A generation in a process of its own can always be ended.
del test_generations_that_cannot_be_unmapped_are_counted_up_to_a_budget  # noqa: F821


def isolated(library, *grants, **more):
    content = {"library": str(library), "isolation": "process", **more}
    return {**content, "grants": list(grants)} if grants else content


def files(*libraries):
    return {f"{10 + n}-{library.stem.removeprefix('lib')}.json": isolated(library, "spawn")
            for n, library in enumerate(libraries)}


class Isolating(Gateway):
    """A gateway that isolates each plugin of which nothing else is said."""

    def write_plugin(self, name, content):
        if isinstance(content, dict) and "isolation" not in content:
            content = {**content, "isolation": "process", "grants": ["spawn"]}
        super().write_plugin(name, content)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, edge, utilities):
    gateway = Isolating(tmp_path_factory.mktemp("isolating"), [edge, utilities])
    yield gateway
    assert gateway.process.poll() is None, "the isolating gateway has ended by itself"
    assert gateway.stop() == 0


def starter(tmp_path_factory, kind):
    started = []

    def start(*arguments, **environment):
        started.append(kind(tmp_path_factory.mktemp("isolating"), *arguments, **environment))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def start(tmp_path_factory):
    yield from starter(tmp_path_factory, Isolating)


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory):
    yield from starter(tmp_path_factory, Isolating)


@pytest.fixture(scope="module")
def odd(start_shared, fixture_library, edge):
    return start_shared([fixture_library("answers"), edge], LIMIT_ANSWER_SECONDS=0.3)


@pytest.fixture(scope="module")
def company(start_shared, fixture_library, edge):
    refused = [name for name, words in REFUSED.items() if words and name != "create_hangs"]
    names = ["good", *refused, "duplicate_route"]
    return start_shared([edge], files={
        f"{20 + n}-{name}.json": {"library": str(fixture_library(name))} for n, name in enumerate(names)})


def test_a_plugin_that_cannot_be_started_in_its_process_is_refused_for_the_same_reason(company):
    log = company.log.text(10_000)
    services = company.get("/health").json()["services"]
    own = {"create_crashes": "crashes in create .SIGSEGV", "duplicate_route": "belongs to good"}
    for name, words in {**REFUSED, **own}.items():
        if words and name != "create_hangs":
            assert re.search(rf":1:13: error: .*({words})", message(log, name)), name
            assert services[name]["status"] == "error"
    assert services["edge"]["status"] == "running" and services["good"]["available"]


def listed(gateway, name):
    return next(p for p in json.loads(gateway.run("plugin", "list", "--json").stdout) if p["name"] == name)


def process(gateway, name):
    """The number of a plugin's process, once there is one."""
    return eventually(lambda: listed(gateway, name)["pid"], what=f"a process of {name}")


def health(gateway, name):
    service = gateway.get("/health").json()["services"][name]
    return service, service["checks"]["isolation"].get("detail", {})


def metric(gateway, line):
    text = gateway.get("/metrics", bearer(make_token(scope="admin"))).body.decode()
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True


# Where it runs


def test_the_list_names_the_process_and_what_keeps_it_in(start, edge, fixture_library):
    gateway = start(files={"10-edge.json": isolated(edge), "20-good.json": {
        "library": str(fixture_library("good")), "isolation": "none"}})
    pid = process(gateway, "edge")
    assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1] == b"plugin-process"
    assert int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) == gateway.pid
    text = gateway.run("plugin", "list").stdout
    assert re.search(rf"^edge\s.*\bprocess {pid}$", text, re.M) and re.search(r"^good\s.*\bnone$", text, re.M)
    assert re.search(r"kept in by rlimits, no-new-privs", text)
    assert listed(gateway, "edge")["breaker"] == "closed" and listed(gateway, "good")["isolation"] == "none"


def test_the_process_is_told_no_secret_and_has_no_descriptor_of_the_gateway(start, edge):
    gateway = start([edge], API_KEY_1="ci:a-key-for-tests-of-isolation:read:bench")
    pid = process(gateway, "edge")
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    names = {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry}
    assert names <= {b"LANG", b"LC_ALL", b"PATH", b"TZ", b"HOME", b"TMPDIR"}
    assert b"secret" not in environment and b"a-key-for-tests" not in environment
    opened = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    assert not [name for name in opened if name.startswith(str(gateway.data)) or name.endswith(".db")], opened
    assert sum(name.startswith("socket:") for name in opened) == 1, opened


def test_the_process_ends_with_the_gateway(start, edge):
    gateway = start([edge])
    pid = process(gateway, "edge")
    gateway.signal(signal.SIGKILL)
    gateway.wait()
    eventually(lambda: is_gone(pid), 5, "the end of the process")


def test_a_stopped_gateway_leaves_no_process(start, edge):
    gateway = start([edge])
    pid = process(gateway, "edge")
    assert gateway.stop() == 0 and is_gone(pid)


# What the kernel keeps it from


@pytest.fixture(scope="module")
def prober(start_shared, fixture_library):
    content = isolated(fixture_library("prober"), limits={"memory_bytes": 64 << 20})
    return start_shared(files={"10-prober.json": content})


def tried(gateway, what, query=""):
    return gateway.get(f"/v1/prober/{what}" + (f"?{query}" if query else "")).data


def test_only_the_own_directory_can_be_written(prober, tmp_path):
    if "landlock" not in listed(prober, "prober")["sandbox"]:
        pytest.skip("this kernel has no Landlock")
    secret = tmp_path / "secret"
    secret.write_text("x")
    assert tried(prober, "own") == 0
    others = [prober.data / "new", "/tmp/gateway-isolation-new", prober.plugins / "99-new.json"]
    for path in [tmp_path / "new", secret, *others]:
        assert tried(prober, "writes", path) == errno.EACCES, path
    for path in [secret, prober.data / "gateway.db", f"/proc/{prober.pid}/environ"]:
        assert tried(prober, "reads", path) == errno.EACCES, path
    assert tried(prober, "reads", "/etc/passwd") == 0


def test_what_no_service_needs_is_refused(prober):
    if "seccomp" not in listed(prober, "prober")["sandbox"]:
        pytest.skip("this kernel has no seccomp filters")
    for what in ("traces", "mounts", "connects", "spawns", "leaves", "outlives", "forks", "pairs", "limits", "slows",
                 "stays"):
        assert tried(prober, what) == errno.EPERM, what
    assert tried(prober, "connects", "unix") == errno.EPERM
    if "signals-to-others" not in prober.log.text(10_000):
        assert tried(prober, "signals") == errno.EPERM
    assert tried(prober, "pairs", "stream") == 0 and tried(prober, "core") == 0


def test_what_it_writes_to_its_standard_error_is_a_line_of_its_own_in_the_log(prober):
    assert tried(prober, "complains", "2026-01-01T00:00:00Z+error+forged") == errno.EINVAL
    prober.log.find(r"^\S+ warning its standard error plugin=prober generation=1 line=\S+forged")
    assert not re.search(r"^\S+error\+forged", prober.log.text(10_000), re.M)


def test_memory_is_bounded(prober):
    assert tried(prober, "takes", 32) == 0 and tried(prober, "takes", 80) == errno.ENOMEM


def test_grants_give_what_they_say_and_no_more(start, fixture_library, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "w").mkdir()
    (tmp_path / "r/file").write_text("x")
    gateway = start(files={"10-prober.json": isolated(
        fixture_library("prober"), "network", "spawn", f"read:{tmp_path}/r", f"write:{tmp_path}/w")})
    assert tried(gateway, "connects") == 0 and tried(gateway, "spawns") == 0
    assert tried(gateway, "reads", tmp_path / "r/file") == 0 and tried(gateway, "writes", tmp_path / "w/new") == 0
    if "landlock" in listed(gateway, "prober")["sandbox"]:
        assert tried(gateway, "writes", tmp_path / "r/new") == errno.EACCES
        assert tried(gateway, "reads", __file__) == errno.EACCES
    if "seccomp" in listed(gateway, "prober")["sandbox"]:
        assert tried(gateway, "connects", "unix") == errno.EPERM


@pytest.mark.parametrize("more,words", [
    ({"isolation": "thread"}, '"isolation" must be "process" or "none"'),
    ({"isolation": "process", "grants": ["netwrok"]}, 'there is no grant "netwrok"; there are network, spawn'),
    ({"isolation": "process", "grants": ["read:relative"]}, 'no grant "read:relative"'),
    ({"isolation": "process", "grants": "network"}, '"grants" must be a list'),
    ({"isolation": "process", "limits": {"memory_bytes": (16 << 20) - 1}},
     '"memory_bytes" must be a whole number from 16777216'),
    ({"grants": ["network"]}, 'bind a process of the plugin\'s own; add "isolation": "process"'),
    ({"limits": {"memory_bytes": 16 << 20}}, 'bind a process of the plugin\'s own; add "isolation": "process"')])
def test_what_a_file_says_wrong_of_isolation_is_refused(tmp_path, more, words):
    status, output = check(tmp_path, json.dumps({"library": "x", **more}))
    assert status == 1 and words in output


def test_a_process_that_left_another_on_its_link_is_begun_again(start, fixture_library):
    gateway = start([fixture_library("prober")], LIMIT_PROCESS_SILENCE_SECONDS=1)
    pid = process(gateway, "prober")
    assert tried(gateway, "forks") == 0
    child = int("".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")))
    try:
        os.kill(pid, signal.SIGKILL)
        gateway.log.find("the plugin's process is back")
        assert gateway.get("/v1/prober/own").status == 200 and process(gateway, "prober") != pid
    finally:
        os.kill(child, signal.SIGKILL)


# When it lies


def frame(kind, payload=b"", length=None):
    return struct.pack("<IB", len(payload) if length is None else length, kind) + payload


JOB, DELIVERED, PONG, DECLARE, REPLY = 84, 86, 87, 67, 70


def says(gateway, *frames, times=1, route="says"):
    return gateway.get(f"/v1/prober/{route}?{times:08x}{b''.join(frames).hex()}")


@pytest.mark.parametrize("frames", [
    [frame(PONG, length=0xFFFFFFFF)], [frame(PONG, length=(1 << 13) + 1)], [frame(1)], [frame(200)], [frame(JOB)],
    [frame(JOB, struct.pack("<II", 7, 1) + b"x")] * 2, [frame(DELIVERED, struct.pack("<I", 0))],
    [frame(DECLARE, struct.pack("<II", 1, 0))]], ids=[
    "4 GiB", "one byte too long", "of the gateway", "of nobody", "cut", "a job twice", "never sent", "declares nothing"])
def test_a_process_that_breaks_the_protocol_is_begun_again(start, fixture_library, frames):
    gateway = start([fixture_library("prober")])
    says(gateway, *frames)
    gateway.log.find("the plugin's process has ended.*it broke the protocol of the link")
    eventually(lambda: gateway.get("/v1/prober/own").status == 200)


def test_half_a_message_is_not_waited_for(start, fixture_library):
    gateway = start([fixture_library("prober")], LIMIT_PROCESS_SILENCE_SECONDS=1)
    with gateway.client() as client:
        client.send(f"GET /v1/prober/says?00000001{frame(REPLY, length=200 << 20).hex()} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read().status == 503
    gateway.log.find("it hangs: its loop has not answered")
    eventually(lambda: gateway.get("/v1/prober/own").status == 200)


def test_answers_to_requests_of_others_are_of_no_effect(start, fixture_library, edge):
    gateway = start(files={"10-prober.json": isolated(fixture_library("prober")), "20-edge.json": isolated(edge)})
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/hold", bearer(make_token())))
        eventually(lambda: gateway.get("/v1/edge/waiting").data["waiting"] == 1)
        for gate in range(8):
            for sequence in range(1, 9):
                says(gateway, frame(REPLY, struct.pack("<QHIII", gate << 32 | sequence, 200, 0, 0, 0)))
        assert gateway.get("/v1/edge/waiting").data["waiting"] == 1
        pid = process(gateway, "prober")
        assert gateway.get("/v1/edge/release").status == 200 and client.read().status == 200
    assert process(gateway, "prober") == pid


def test_who_asks_and_never_reads_the_answers_costs_little(start, fixture_library):
    gateway = start([fixture_library("prober")], LIMIT_PROCESS_SILENCE_SECONDS=5)
    before = gateway.reset_peak()
    with gateway.client(limit=30) as client:
        declares = frame(DECLARE, struct.pack("<IIB", 1, 4000, 1))
        client.send(f"GET /v1/prober/floods?{3_000_000:08x}{declares.hex()} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read().status == 503
    gateway.log.find("it hangs: its loop has not answered")
    assert gateway.memory() - before < 100 << 20
    eventually(lambda: gateway.get("/v1/prober/own").status == 200)


# When it dies


@pytest.fixture
def faulty(start, fixture_library):
    """A gateway with the faulty plugin, isolated, which waits for its file; and a good one, which is not."""

    def begin(fault, place, **environment):
        gateway = start(files={
            "10-faulty.json": isolated(fixture_library("faulty"), settings={"fault": fault, "in": place, "armed": True}),
            "20-good.json": {"library": str(fixture_library("good")), "isolation": "none"}}, **environment)
        gateway.armed = gateway.data / "plugins/faulty/armed"
        return gateway

    return begin


def good(gateway):
    return gateway.get("/v1/good/x", bearer(make_token())).status


# How a place of faulty.c is reached. `None`: by itself.
REACHED = {
    "inline": "/v1/faulty", "pool": "/v1/faulty/pool", "end": "/v1/faulty/end", "event": "/v1/faulty/event",
    "job": "/v1/faulty/job", "serve": "/v1/faulty/serve", "check": None, "tick": None,
}


@pytest.mark.parametrize("place", [*REACHED, "body", "cancel", "writable"])
def test_a_crash_in_any_callback_stays_in_the_process_and_it_is_back_by_itself(faulty, place):
    gateway = faulty("crash_once", place)
    before = process(gateway, "faulty")
    gateway.armed.write_text("")
    if place == "body":
        gateway.post("/v1/faulty/body", b"xyz")
    elif place == "cancel":
        with gateway.client() as client:
            client.send("GET /v1/faulty/cancel HTTP/1.1\r\nHost: a\r\n\r\n")
    elif place == "writable":
        with gateway.client() as client:
            client.send("GET /v1/faulty/writable HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: client.socket.recv(65536) == b"", what="the cut")
    elif REACHED[place]:
        assert gateway.get(REACHED[place]).status in (200, 503)
    gateway.log.find(r"the plugin's process has ended.*SIGSEGV")
    assert good(gateway) == 200
    gateway.log.find("the plugin's process is back")
    assert process(gateway, "faulty") != before
    assert gateway.get("/v1/faulty").status == 200 and gateway.get("/v1/faulty/pool").status == 200
    assert good(gateway) == 200


def test_a_request_under_way_is_503_when_the_process_dies(start, edge):
    gateway = start([edge])
    fields = bearer(make_token())
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/hold", fields))
        eventually(lambda: gateway.get("/v1/edge/waiting").data["waiting"] == 1)
        os.kill(process(gateway, "edge"), signal.SIGKILL)
        answer = client.read()
        assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE") and answer.get("Retry-After")
        # The connection goes on, and so does the plugin.
        eventually(lambda: client.get("/v1/edge/text/3", fields).status == 200)
    detail = eventually(lambda: (d := health(gateway, "edge")[1])["restarts"] == 1 and d)
    assert detail["last_exit"] == "SIGKILL" and detail["breaker"] == "closed"
    assert metric(gateway, 'gateway_plugin_restarts_total{plugin="edge"}') == 1


def test_kill_under_load_costs_that_plugin_only(start, edge, fixture_library):
    gateway = start(files={"10-edge.json": isolated(edge), "20-good.json": {
        "library": str(fixture_library("good")), "isolation": "none"}})
    token = make_token()
    pid = process(gateway, "edge")
    struck = Load(gateway.port, [Ask("GET", "/v1/edge/waiting", token)], connections=16, rate=800, grows=False)
    others = Load(gateway.port, [Ask("GET", "/v1/good/x", token)], connections=16, rate=800,
                  grows=False)
    with struck, others:
        threading.Event().wait(0.5)
        os.kill(pid, signal.SIGKILL)
        gateway.log.find("the plugin's process is back")
        again = struck.tally.answered
        eventually(lambda: struck.tally.answered > again + 100, what="answers after the restart")
    assert others.tally.bad == 0, others.tally.text()
    assert others.tally.answered > 200
    assert struck.tally.reset == struck.tally.lost == struck.tally.refused == struck.tally.closed == 0, struck.tally.text()
    assert 0 < struck.tally.failed < struck.tally.sent / 2, struck.tally.text()
    assert all("503" in str(kind) for kind in struck.tally.kinds), struck.tally.text()
    print("\nkilled under load:", struck.tally.sent, "sent,", struck.tally.failed, "failed")


def test_a_process_that_dies_again_and_again_opens_the_breaker(faulty):
    gateway = faulty("crash", "pool")
    gateway.armed.write_text("")

    def struck():
        gateway.get("/v1/faulty/pool")
        return listed(gateway, "faulty")["breaker"] == "open"

    eventually(struck, what="an open breaker")
    assert metric(gateway, 'gateway_plugin_breaker{plugin="faulty"}') == 2
    answer = gateway.get("/v1/faulty")
    assert answer.status == 503 and int(answer.get("Retry-After")) >= 1
    body = eventually(lambda: (b := gateway.get("/health").json())["services"]["faulty"]["status"] == "degraded" and b)
    detail = eventually(lambda: (d := health(gateway, "faulty")[1])["breaker"] == "open" and d)
    assert body["status"] == "degraded" and detail["last_exit"] == "SIGSEGV" and detail["restarts"] >= 4
    assert good(gateway) == 200
    # Half-open: one request is let through, and its answer closes it.
    gateway.armed.unlink()
    eventually(lambda: listed(gateway, "faulty")["breaker"] == "half-open", what="a half-open breaker")
    eventually(lambda: gateway.get("/v1/faulty/pool").status == 200)
    eventually(lambda: listed(gateway, "faulty")["breaker"] == "closed", what="a closed breaker")
    eventually(lambda: metric(gateway, 'gateway_plugin_breaker{plugin="faulty"}') == 0)
    eventually(lambda: gateway.get("/health").json()["services"]["faulty"]["status"] == "running")


def test_a_process_that_declares_something_else_than_at_first_stays_down(start, fixture_library):
    gateway = start([fixture_library("prober")])
    pid, more = process(gateway, "prober"), gateway.data / "plugins/prober/more"
    more.write_text("")
    os.kill(pid, signal.SIGKILL)
    gateway.log.find("its process declares other routes")
    answer = gateway.get("/v1/prober/own")
    assert answer.status == 503 and gateway.get("/v1/prober/more").status == 404
    detail = eventually(lambda: (d := health(gateway, "prober")[1])["pid"] == 0 and "declares" in d["last_exit"] and d)
    assert detail["restarts"] == 0
    more.unlink()
    eventually(lambda: gateway.get("/v1/prober/own").status == 200)


def test_a_plugin_whose_process_is_down_is_replaced(start, fixture_library, tmp_path):
    library = tmp_path / "swapped.so"
    put(fixture_library("swapped", BUILD=1), library)
    gateway = start([library])
    (gateway.data / "plugins/swapped/doomed-1").write_text("")
    os.kill(process(gateway, "swapped"), signal.SIGKILL)
    gateway.log.find("the plugin crashes in create")
    put(fixture_library("swapped", BUILD=2), library)
    eventually(lambda: (a := gateway.get("/v1/swapped")).status == 200 and a.data["build"] == 2)
    assert listed(gateway, "swapped")["breaker"] == "closed"


@pytest.mark.parametrize("place", ["create", "activate"])
def test_a_crash_while_it_is_begun_again_is_waited_out(faulty, place):
    gateway = faulty("crash_once", place)
    pid = process(gateway, "faulty")
    gateway.armed.write_text("")
    os.kill(pid, signal.SIGKILL)
    gateway.log.find(rf"the plugin crashes in {place} .SIGSEGV")
    eventually(lambda: gateway.get("/v1/faulty").status == 200)
    assert listed(gateway, "faulty")["restarts"] == 1


@pytest.mark.parametrize("way,reason", [("babbles", "it broke the protocol of the link"), ("exits", "exit status 3")])
def test_a_process_that_misbehaves_otherwise_is_begun_again(start, fixture_library, way, reason):
    gateway = start([fixture_library("prober")])
    pid = process(gateway, "prober")
    assert gateway.get(f"/v1/prober/{way}").status in (200, 503)
    gateway.log.find(f"the plugin's process has ended.*{reason}")
    eventually(lambda: gateway.get("/v1/prober/own").status == 200)
    assert is_gone(pid) and gateway.get("/health/live").status == 200
    eventually(lambda: reason in health(gateway, "prober")[1]["last_exit"])


def test_what_a_crash_has_begun_to_stream_is_cut(start, edge):
    gateway = start([edge])
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/edge/sized/50000000", bearer(make_token())))
        client.socket.recv(4096)
        os.kill(process(gateway, "edge"), signal.SIGKILL)
        received = 0
        while more := client.socket.recv(1 << 20):
            received += len(more)
    assert received < 50_000_000


def test_a_service_call_to_a_process_that_dies_ends(faulty):
    gateway = faulty("crash", "serve")
    gateway.armed.write_text("")
    assert gateway.get("/v1/faulty/serve").status in (200, 503)
    gateway.log.find("the plugin's process has ended")
    gateway.armed.unlink()
    gateway.log.find("the plugin's process is back")
    began = time.monotonic()
    assert gateway.stop() == 0 and time.monotonic() - began < 5, "nothing of it was waited for"


def test_a_loop_that_hangs_is_ended_and_begun_again(faulty):
    gateway = faulty("hang", "inline", LIMIT_PROCESS_SILENCE_SECONDS=1)
    gateway.armed.write_text("")
    with gateway.client(limit=30) as client:
        client.send("GET /v1/faulty HTTP/1.1\r\nHost: a\r\n\r\n")
        assert good(gateway) == 200
        answer = client.read()
        assert answer.status == 503
    gateway.armed.unlink()
    gateway.log.find("it hangs: its loop has not answered")
    gateway.log.find("the plugin's process is back")
    assert gateway.get("/v1/faulty").status == 200


def test_a_plugin_that_hangs_at_its_stop_is_ended(faulty):
    gateway = faulty("hang", "quiesce", LIMIT_DRAIN_SECONDS=1)
    pid = process(gateway, "faulty")
    gateway.armed.write_text("")
    gateway.signal()
    assert gateway.wait() == 0 and is_gone(pid)


# What is shared with others


def test_events_services_jobs_and_metrics_cross_the_link(start, fixture_library):
    gateway = start([fixture_library("caller")])

    def seen(what):
        return metric(gateway, f'caller_seen{{what="{what}"}}')

    eventually(lambda: seen("events") == 100, what="a hundred events")
    assert seen("disorder") == 0 and seen("undeclared") == -1 and seen("not_an_object") == -1 and seen("nobody") == -10
    eventually(lambda: seen("status") == -7, what="the call's timeout")
    eventually(lambda: (seen("rounds") or 0) > 3, what="repeated work")
    eventually(lambda: seen("sum") == 500_500, what="the parallel sum")
    began = time.monotonic()
    assert gateway.stop() == 0 and time.monotonic() - began < 8, "its job was waited for, and told to end"


def test_a_log_line_of_an_isolated_plugin_names_its_request(gateway):
    gateway.get("/v1/edge/seen/x", {**bearer(make_token()), "X-Request-ID": "a-line-of-mine"})
    gateway.log.find("looked at a request .*plugin=edge.*request_id=a-line-of-mine")


def test_a_large_body_takes_constant_memory_in_both_processes(start, edge):
    gateway = start([edge], LIMIT_BODY_BYTES=1 << 30)
    pid = process(gateway, "edge")
    gateway.post("/v1/edge/sink", b"x" * 1_000_000, bearer(make_token()))
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = gateway.reset_peak()

    def peak():
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024

    child = peak()
    piece, count = b"y" * (1 << 20), 300
    with gateway.client(limit=120) as client:
        client.send(request_bytes("POST", "/v1/edge/sink", {**bearer(make_token()), "Transfer-Encoding": "chunked"}))
        for _ in range(count):
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send("0\r\n\r\n")
        assert client.read().data == {"bytes": count << 20}
    assert gateway.memory() - before < 16 << 20 and peak() - child < 16 << 20
