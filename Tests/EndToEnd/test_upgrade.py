"""Another build of the gateway takes over while clients ask: `gateway upgrade` and SIGUSR2."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import BINARY, Gateway, clean_environment, eventually
from frames import RawSocket
from steady import Load, mixed
from swaps import put


@pytest.fixture
def upgradable(tmp_path, monkeypatch):
    """Starts gateways from a copy of the binary, which a test may replace."""
    copy = tmp_path / "bin/gateway"
    copy.parent.mkdir()
    shutil.copy2(BINARY, copy)
    monkeypatch.setattr("conftest.BINARY", copy)
    started = []

    def start(*arguments, **environment):
        started.append(Gateway(tmp_path / f"gateway{len(started)}", *arguments, **environment))
        started[-1].binary = copy
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def replace(binary, text):
    """Puts a script in the place of the binary."""
    staged = binary.with_name("staged")
    staged.write_text(text)
    staged.chmod(0o755)
    os.replace(staged, binary)


def test_an_upgrade_under_load_refuses_and_loses_nothing(upgradable, fixture_library):
    gateway = upgradable([fixture_library("swapped")])
    supervisor, old = gateway.process.pid, gateway.pid
    with Load(gateway.port, mixed("swapped"), grows=False) as load:
        eventually(lambda: load.tally.answered > 300)
        put(BINARY, gateway.binary, b"a later build")
        os.chmod(gateway.binary, 0o755)
        ended = gateway.run("upgrade")
        assert ended.returncode == 0, ended.stderr
        eventually(lambda: not Path(f"/proc/{old}").exists(), what="the end of the old process")
        seen = load.tally.answered
        eventually(lambda: load.tally.answered > seen + 500)
    tally = load.stop()
    print(tally.text())
    assert (tally.failed, tally.reset, tally.lost, tally.refused) == (0, 0, 0, 0), tally.text()
    assert gateway.pid != old and gateway.process.pid == supervisor
    # The supervisor is the new program too: its file is the one that stands there now.
    assert os.stat(f"/proc/{supervisor}/exe").st_ino == os.stat(gateway.binary).st_ino
    assert gateway.run("plugin", "list").stdout.count("active") == 1
    assert gateway.run("upgrade").returncode == 0
    assert gateway.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_signal_upgrades_too_and_a_crash_after_it_is_survived(upgradable, edge, workers):
    gateway = upgradable([edge], WORKERS=workers)
    old = gateway.pid
    gateway.signal(signal.SIGUSR2)
    new = eventually(lambda: gateway.pid if gateway.pid != old else None)
    gateway.log.find("stopped")
    os.kill(new, signal.SIGKILL)
    eventually(lambda: gateway.pid != new)
    assert gateway.get("/health/ready").status == 200
    assert b"gateway_crashes_total 1\n" in gateway.get("/metrics", gateway.fields(scope="admin")).body
    assert gateway.run("upgrade").returncode == 0
    assert b"gateway_crashes_total 1\n" in gateway.get("/metrics", gateway.fields(scope="admin")).body
    assert gateway.stop() == 0
    assert not (gateway.data / "upgrade.sock").exists() and not (gateway.data / "control.sock").exists()


def test_sockets_of_the_old_process_are_told_to_come_again(upgradable, edge):
    gateway = upgradable([edge])
    client = RawSocket(gateway.port)
    assert gateway.run("upgrade").returncode == 0
    assert client.close_code() == 1001
    client.close()
    RawSocket(gateway.port).close()


BAD = {
    "exits": ("#!/bin/sh\nexit 7\n", r"ended before it served \(exit status 7\)"),
    "hangs": ("#!/bin/sh\nexec sleep 100\n", r"LIMIT_UPGRADE_SECONDS"),
    "no program": ("this is none\n", r"cannot be started"),
}


@pytest.mark.parametrize("script, reason", BAD.values(), ids=BAD.keys())
def test_the_old_process_serves_on_when_the_new_program_does_not(upgradable, edge, script, reason):
    gateway = upgradable([edge], LIMIT_UPGRADE_SECONDS=1)
    old = gateway.pid
    saved = gateway.binary.read_bytes()
    replace(gateway.binary, script)
    answer = upgrade(gateway)
    assert answer.returncode == 1 and "the old process serves on" in answer.stderr
    gateway.log.find("error the upgrade has failed.*" + reason)
    assert gateway.pid == old and gateway.get("/health/ready").status == 200
    # Started again after a crash, it is the program that it was, whatever stands at its path.
    os.kill(old, signal.SIGKILL)
    eventually(lambda: gateway.pid != old)
    assert gateway.get("/health/ready").status == 200
    replace(gateway.binary, "")
    gateway.binary.write_bytes(saved)
    assert upgrade(gateway).returncode == 0
    assert gateway.stop() == 0


def test_a_crash_while_a_new_process_hangs_is_survived_at_once(upgradable, edge):
    gateway = upgradable([edge])
    old = gateway.pid
    replace(gateway.binary, "#!/bin/sh\nexec sleep 100\n")
    gateway.signal(signal.SIGUSR2)
    gateway.log.find("info upgrading")
    os.kill(old, signal.SIGKILL)
    eventually(lambda: gateway.pid != old, what="another process that serves")
    assert gateway.get("/health/ready").status == 200
    assert gateway.stop() == 0


# Serves, after a fashion, and ends where it should take the supervisor's place.
STRANGER = '''#!{python}
import json, socket, sys, time
if sys.argv[1] != "serve-child":
    sys.exit(7)
channel = socket.socket(fileno=json.loads(sys.argv[2])["channel"])
channel.send(b'{{"kind":"serving","failed":[],"state_version":{version}}}')
channel.recv(1000)
time.sleep(100)
'''


@pytest.mark.parametrize("version", [0, 1_000_000])
def test_a_supervisor_does_not_make_way_for_a_program_that_cannot_read_its_record(upgradable, edge, version):
    gateway = upgradable([edge])
    old = gateway.pid
    replace(gateway.binary, STRANGER.format(python=sys.executable, version=version))
    answer = upgrade(gateway)
    assert answer.returncode == 0, answer.stderr
    gateway.log.find("warning the supervisor goes on with its old program")
    stranger = int(answer.stdout.split()[2])
    os.kill(stranger, signal.SIGKILL)
    eventually(lambda: gateway.pid != old, what="another process that serves")
    assert gateway.get("/health/ready").status == 200
    assert gateway.stop() == 0


def test_one_stop_signal_does_not_cut_what_the_old_process_has_under_way(upgradable, edge):
    gateway = upgradable([edge], LIMIT_DRAIN_SECONDS=2)
    idle, client = gateway.client(), gateway.client()
    assert idle.get("/health/live").status == 200
    token = gateway.fields()["Authorization"]
    client.send(f"GET /v1/edge/after/3500 HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    eventually(lambda: gateway.get("/v1/edge/waiting", gateway.fields()).data["waiting"] == 1)
    assert gateway.run("upgrade").returncode == 0
    assert idle.rest() == b""  # closed as the old process begins to drain by itself
    gateway.signal()
    assert client.read().status == 200
    assert gateway.wait() == 0


def upgrade(gateway):
    """The command, from a binary that is whole."""
    return subprocess.run([str(BINARY), "upgrade"], env=clean_environment(**gateway.environment), capture_output=True,
                          text=True, timeout=60)


def test_a_plugin_that_the_new_process_cannot_load_keeps_the_old_one(upgradable, fixture_library, edge):
    gateway = upgradable([edge])
    old = gateway.pid
    # Written in place, which the running gateway takes no notice of.
    (gateway.plugins / "10-edge.json").write_text(json.dumps({"library": "/nowhere.so"}))
    answer = upgrade(gateway)
    assert answer.returncode == 1 and "could not load 10-edge.json" in answer.stderr
    eventually(lambda: "stopped" in gateway.log.text(), what="the end of the new process")
    assert Path(f"/proc/{old}").exists()
    assert gateway.get("/v1/edge/text/1", gateway.fields()).status == 200


def test_a_stop_does_not_wait_for_a_new_process_that_hangs(upgradable, edge):
    gateway = upgradable([edge])
    replace(gateway.binary, "#!/bin/sh\nexec sleep 100\n")
    gateway.signal(signal.SIGUSR2)
    gateway.log.find("info upgrading")
    gateway.signal()
    assert gateway.wait() == 0


def test_two_upgrades_at_once_are_one(upgradable, edge):
    gateway = upgradable([edge], LIMIT_UPGRADE_SECONDS=2)
    replace(gateway.binary, "#!/bin/sh\nexec sleep 100\n")
    first = threading.Thread(target=upgrade, args=(gateway,))
    first.start()
    gateway.log.find("info upgrading")
    assert "under way already" in upgrade(gateway).stderr
    first.join()
    assert gateway.get("/health/ready").status == 200
