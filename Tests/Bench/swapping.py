"""Replacing a plugin again and again under steady load: requests lost, memory for each, the longest pause."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

SWAPS = 200
WARM = 20  # swaps before the memory counts: buffers and pools reach their size


def measure(library, name, asks, topic=None):
    """Swaps the plugin of `library` under load on 64 connections; gives a line about it."""
    from conftest import Gateway, eventually
    from process import Process
    from steady import Load
    from subscriber import Subscriber
    from swaps import listed, reload

    directory = Path(tempfile.mkdtemp(prefix="gateway-swaps-"))
    gateway = Gateway(directory, files={f"10-{name}.json": {"library": str(library)}}, LIMIT_PROBATION_SECONDS=0)
    try:
        process = Process(gateway.pid)
        held = Subscriber(gateway, topic) if topic else None
        with Load(gateway.port, asks) as load:
            if held:
                held.__enter__()
            for _ in range(WARM):
                reload(gateway, name)
            before = process.resident
            for _ in range(SWAPS):
                report = reload(gateway, name)
                assert report["outcome"] == "done", report
            tally = load.stop()
        eventually(lambda: "replaced" not in listed(gateway, name))
        growth = (process.resident - before) / SWAPS / 1024
        events = ""
        if held:
            held.__exit__()
            held.check()
            events = f", {len(held.events)} events on one WebSocket, none missing"
        images = len(process.images(name))
        retired = gateway.get("/health").json().get("retired_generations")
        return (f"{name}: {SWAPS} swaps, {tally.text()}, {growth:.1f} KiB more resident a swap, "
                f"{images} image(s) mapped{events}; retired: {retired or 'none'}")
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


def lines():
    """One line for a C plugin and one for a sealed Swift plugin."""
    from conftest import BINARY, make_token
    from steady import Ask, mixed

    folder = Path(tempfile.mkdtemp(prefix="gateway-swaps-"))
    try:
        library = folder / "libswapped.so"
        subprocess.run(
            ["clang", "-std=gnu11", "-O1", "-shared", "-fPIC", "-I", ROOT / "PluginSDK/C", "-I", ROOT / "Tests/Fixtures",
             ROOT / "Tests/Fixtures/swapped.c", "-o", library], check=True)
        yield measure(library, "swapped", mixed("swapped"), topic="swapped.tick")
        swift = BINARY.parent / "libhello_swift.so"
        token = make_token("bench")
        asks = [Ask("GET", "/v1/hello", token), Ask("GET", "/v1/hello/Ada?times=2", token)]
        yield measure(swift, "hello_swift", asks)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for line in lines():
        print(line)
