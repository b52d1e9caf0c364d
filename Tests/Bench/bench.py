"""Measures the gateway beside nginx, both on the same core, and prints one table. Usage: bench.py GATEWAY"""

import os
import pathlib
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import counts
import load
from client import IdleConnections, KeepAlive
from servers import FIXED_BODY, Gateway, Nginx, tool

ROUNDS = 6
LOGGED_ROUNDS = 3
STARTS = 5
IDLE = 5000
FIXED, HEALTH, HELLO = "nginx, fixed answer", "gateway /health", "gateway /v1/hello, token"


class Bench:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.has_nginx = tool("nginx") is not None
        cores = sorted(os.sched_getaffinity(0))
        self.server_prefix = self.load_prefix = []
        self.pinned = len(cores) > 1 and tool("taskset") is not None
        if self.pinned:
            self.cores = cores[:2]
            self.server_prefix, self.load_prefix = ([tool("taskset"), "-c", str(core)] for core in cores[:2])
            os.sched_setaffinity(0, {cores[1]})

    def run(self):
        self.print_machine()
        self.throughput()
        self.memory()
        self.start_up()
        self.instructions()
        self.system_calls()

    def print_machine(self):
        model = next(
            (line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")), platform.machine())
        print(f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the start")
        if self.pinned:
            print(f"servers on core {self.cores[0]} with one loop each, load on core {self.cores[1]}")
        else:
            print("NOT PINNED: that takes two cores and taskset; servers and load are in each other's way")
        if self.has_nginx:
            version = subprocess.run([tool("nginx"), "-v"], capture_output=True, text=True).stderr.strip()
            print(f"{version.split(': ')[1]}: 1 worker, keep-alive, `return 200` with {len(FIXED_BODY)} bytes")
        else:
            print("nginx is not installed (apt-get install nginx): no ratios")

    def servers(self, name, access_log=False, **of_nginx):
        made = [Gateway(self.directory / f"gateway-{name}", self.server_prefix, access_log)]
        if self.has_nginx:
            nginx = Nginx(self.directory / f"nginx-{name}", self.server_prefix, access_log)
            for attribute, value in of_nginx.items():
                setattr(nginx, attribute, value)
            made.append(nginx)
        return made

    def throughput(self):
        if tool("wrk") is None:
            title("Requests a second")
            print("wrk is not installed (apt-get install wrk): not measured")
            return
        self.load_table("Requests a second, access log off", ROUNDS, access_log=False)
        self.load_table("Requests a second, access log on (each to a file)", LOGGED_ROUNDS, access_log=True)

    def load_table(self, heading, rounds, access_log):
        title(f"{heading} (wrk, {load.CONNECTIONS} connections, median of {rounds} rounds of {load.SECONDS} s in turns)")
        servers = self.servers(f"load-{access_log}", access_log)
        try:
            for server in servers:
                server.start()
            gateway = servers[0]
            targets = [load.Target(FIXED, nginx, "/") for nginx in servers[1:]]
            targets.append(load.Target(HEALTH, gateway, "/health"))
            targets.append(load.Target(HELLO, gateway, "/v1/hello", gateway.token()))
            load.take_turns(targets, rounds, tool("wrk"), self.load_prefix)
            row("", "requests/s", "of nginx", "p50", "p99", "per CPU s", "of nginx", "core busy", "answer")
            for target in targets:
                ratios = [
                    f"{target.ratio(targets[0], of) * 100:.0f} %" if self.has_nginx else "-"
                    for of in ("rate", "rate_of_cpu")
                ]
                row(target.label, f"{target.median('rate'):,.0f}", ratios[0],
                    time_text(target.median("p50")), time_text(target.median("p99")),
                    f"{target.median('rate_of_cpu'):,.0f}", ratios[1],
                    f"{target.median('busy') * 100:.0f} %", f"{answer_bytes(target)} B")
        finally:
            for server in servers:
                server.stop()

    def memory(self):
        count = self.idle_count()
        title(f"Resident memory of the serving process at start, and what {count:,} idle connections add")
        row("", "at start", "anonymous", "a connection")
        found = {}
        for server in self.servers("start"):
            with server:
                found[name_of(server)] = [server.memory(), server.memory("RssAnon")]
        # nginx takes the room of all connections at start, so the idle one has that much more than the other.
        for server in self.servers("idle", worker_connections=Nginx.worker_connections + count):
            with server:
                idle = IdleConnections(server.port, "/health", count)
                found[name_of(server)].append((server.memory() - found[name_of(server)][0]) / count)
                idle.close()
        for name in sorted(found, reverse=True):
            at_start, private, each = found[name]
            row(name, f"{at_start / 1e6:.1f} MB", f"{private / 1e6:.1f} MB", f"{each:,.0f} B")
        if self.has_nginx:
            row("gateway : nginx", *(f"{ours / theirs:.2f}" for ours, theirs in zip(found["gateway"], found["nginx"])))

    @staticmethod
    def idle_count():
        """As many as asked for, unless this process may not open so many files."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = IDLE + 512
        for ceiling in (max(hard, wanted), hard):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, ceiling), ceiling))
                break
            except (ValueError, PermissionError):
                continue
        return min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 512)

    def start_up(self):
        title(f"Start-up to the first 200 (median of {STARTS}; the gateway loads one plugin, and tries it first)")
        found = {}
        for index in range(STARTS):
            for server in self.servers(f"start-{index}"):
                found.setdefault(name_of(server), []).append(server.start())
                server.stop()
        for name in sorted(found, reverse=True):
            row(name, time_text(statistics.median(found[name])))

    def instructions(self):
        title("User instructions a request (callgrind, all threads, one keep-alive connection)")
        if tool("valgrind") is None:
            print("valgrind is not installed (apt-get install valgrind): not measured")
            return
        self.count("callgrind", lambda *target: counts.instructions(tool("valgrind"), *target),
                   total=lambda count: count, text=lambda count: f"{count:,.0f}")

    def system_calls(self):
        title("System calls a request (strace, all threads, one keep-alive connection)")
        if tool("strace") is None:
            print("strace is not installed (apt-get install strace): not measured")
            return
        self.count(
            "strace", lambda *target: counts.system_calls(tool("strace"), *target),
            total=lambda calls: sum(calls.values()),
            text=lambda calls: f"{sum(calls.values()):.2f}",
            note=lambda calls: ", ".join(f"{name} {each:.2f}" for name, each in sorted(calls.items())))

    def count(self, name, measure, total, text, note=lambda found: ""):
        targets = [(FIXED, Nginx, "/", False, {"one_process": True})] if self.has_nginx else []
        targets += [
            (HEALTH, Gateway, "/health", False, {"probes": False}),
            (HELLO, Gateway, "/v1/hello", True, {"probes": False}),
        ]
        row("", "a request", "of nginx")
        base = None
        for index, (label, kind, path, authenticated, attributes) in enumerate(targets):
            make = counts.Maker(kind, str(self.directory / f"{name}-{index}"), **attributes)
            found = measure(make, path, authenticated)
            base = base or (total(found) if self.has_nginx else None)
            row(label, text(found), f"{total(found) / base:.2f}" if base else "-", note=note(found))


def answer_bytes(target):
    connection = KeepAlive(target.server.port, target.path, target.token)
    size = connection.ask()
    connection.close()
    return size


def name_of(server):
    return "nginx" if isinstance(server, Nginx) else "gateway"


def title(text):
    print(f"\n{text}", flush=True)


def row(label, *cells, note=""):
    line = f"  {label:<26}" + "".join(f"{cell:>13}" for cell in cells)
    print(f"{line}   {note}".rstrip(), flush=True)


def time_text(seconds):
    return f"{seconds * 1e6:,.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    Gateway.binary = pathlib.Path(sys.argv[1]).resolve()
    if not Gateway.binary.exists():
        raise SystemExit(f"{Gateway.binary}: there is no such file; run: make build")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as directory:
        try:
            Bench(directory).run()
        except ConnectionError as error:
            raise SystemExit(f"not measured to the end: {error}") from None
    print(f"\n{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
