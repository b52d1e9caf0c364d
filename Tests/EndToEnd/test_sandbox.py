"""What a plugin's own process cannot do: to the machine, and to the gateway."""

import errno
import json
import os
import re
import signal
import struct
from pathlib import Path

import pytest

from conftest import eventually, make_token
from isolating import isolated, listed, process, start, start_shared  # noqa: F401
from raw import bearer, request_bytes
from test_plugins import check


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
