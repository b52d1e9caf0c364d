"""A plugin's own process dies or hangs: that plugin answers 503 until it is back, and nobody else notices."""

import os
import signal
import threading
import time

import pytest

from conftest import eventually, make_token
from isolating import health, is_gone, isolated, listed, metric, process, start  # noqa: F401
from raw import bearer, request_bytes
from steady import Ask, Load
from swaps import put


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


def test_the_time_in_which_the_gateway_was_stopped_too_is_no_silence(faulty):
    gateway = faulty("hang", "inline", LIMIT_PROCESS_SILENCE_SECONDS=1)
    isolated = process(gateway, "faulty")
    stopped = [gateway.process.pid, gateway.pid, isolated]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    threading.Event().wait(2)
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    # Longer than the silence that is allowed.
    threading.Event().wait(1.5)
    assert process(gateway, "faulty") == isolated and gateway.get("/v1/faulty").status == 200


def test_a_start_that_is_slower_than_the_silence_allowed_is_no_silence(start, fixture_library):
    gateway = start(files={"10-stands.json": isolated(fixture_library("stands"), settings={"slow": True})}, wait=False,
                    LIMIT_PROCESS_SILENCE_SECONDS=1)
    data = gateway.data / "plugins/stands"
    eventually((data / "reached").exists, what="the slow start")
    threading.Event().wait(1.5)
    (data / "release").write_text("")
    gateway.port = int(gateway.log.find(r"serving\b.*?\bport=(\d+)")[1])
    before = process(gateway, "stands")
    threading.Event().wait(1.5)
    assert process(gateway, "stands") == before and gateway.get("/v1/stands").status == 200


def test_a_plugin_that_hangs_at_its_stop_is_ended(faulty):
    gateway = faulty("hang", "quiesce", LIMIT_DRAIN_SECONDS=1)
    pid = process(gateway, "faulty")
    gateway.armed.write_text("")
    gateway.signal()
    assert gateway.wait() == 0 and is_gone(pid)
