"""Plugins in a process of their own: the same answers as in the gateway's."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from conftest import eventually, make_token
from raw import bearer, request_bytes

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
    REFUSED, check, locks, message, test_a_handler_that_claims_to_have_answered_is_500_and_logged,
    test_a_lock_may_be_held_across_a_call_of_the_host_while_an_inline_handler_waits_for_it,
    test_an_answer_for_a_client_that_has_left_is_dropped, test_buffers_come_back_once,
    test_calls_of_the_host_from_all_threads_at_once_get_each_their_answer,
    test_no_answer_is_504_and_a_late_one_is_dropped, test_the_second_answer_is_dropped,
    test_what_a_failed_plugin_declared_is_gone, test_what_may_not_be_sent_is_refused,
)
from test_routes import *  # noqa: F401,F403
from test_swap import *  # noqa: F401,F403
from test_utilities import *  # noqa: F401,F403
from test_websocket import *  # noqa: F401,F403
# After them, for their names must not stand for these.
from isolating import Isolating, is_gone, isolated, listed, metric, process, start, start_shared  # noqa: F401

# A generation in a process of its own can always be ended.
del test_generations_that_cannot_be_unmapped_are_counted_up_to_a_budget  # noqa: F821


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, edge, utilities):
    gateway = Isolating(tmp_path_factory.mktemp("isolating"), [edge, utilities])
    yield gateway
    assert gateway.process.poll() is None, "the isolating gateway has ended by itself"
    assert gateway.stop() == 0


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
