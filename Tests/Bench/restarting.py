"""What clients see, on 64 connections, of a serving process that is killed and of an upgrade."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

RUNS = 3


def measure(library, replace):
    """Has `replace` put another process in the serving one's place under load; gives what became of the requests."""
    from conftest import Gateway, eventually
    from steady import Load, mixed

    directory = Path(tempfile.mkdtemp(prefix="gateway-restarts-"))
    gateway = Gateway(directory, [library])
    try:
        with Load(gateway.port, mixed("swapped"), grows=False) as load:
            eventually(lambda: load.tally.answered > 1000)
            old, load.tally.gap = gateway.pid, 0.0
            replace(gateway)
            eventually(lambda: gateway.pid != old)
            seen = load.tally.answered
            eventually(lambda: load.tally.answered > seen + 1000)
        tally = load.stop()
        return (f"{tally.sent} sent, {tally.reset} reset, {tally.failed} failed, {tally.lost} lost, {tally.refused} refused, "
                f"no answer for {tally.gap * 1e3:.0f} ms")
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


def kill(gateway):
    os.kill(gateway.pid, signal.SIGKILL)


def upgrade(gateway):
    ended = gateway.run("upgrade")
    assert ended.returncode == 0, ended.stderr


def lines():
    """One line for `kill -9` and one for an upgrade, of several runs each."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-restarts-"))
    try:
        library = folder / "libswapped.so"
        subprocess.run(
            ["clang", "-std=gnu11", "-O1", "-shared", "-fPIC", "-I", ROOT / "PluginSDK/C", "-I", ROOT / "Tests/Fixtures",
             ROOT / "Tests/Fixtures/swapped.c", "-o", library], check=True)
        for name, replace in (("kill -9", kill), ("upgrade", upgrade)):
            yield f"{name}: " + "; ".join(measure(library, replace) for _ in range(RUNS))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for line in lines():
        print(line)
