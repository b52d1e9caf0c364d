"""Load by wrk, in rounds that take turns, so that a slow moment of the machine meets all alike.

A rate is the server's own only while its core is busy; where the load is what is slow, or the core is shared, requests
for a second of its CPU time say more.
"""

import re
import statistics
import subprocess

CONNECTIONS = 32
SECONDS = 3
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Round:
    """One round: requests a second and latencies in seconds by wrk, and what the server's CPU time says."""

    def __init__(self, text, cpu_seconds):
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text) or re.search(r"Socket errors: (.*)", text)
        if failed:
            raise SystemExit(f"the round does not count, there were failures: {failed.group(0)}")
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
        requests, elapsed, unit = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text).groups()
        self.rate_of_cpu = int(requests) / cpu_seconds
        self.busy = cpu_seconds / (float(elapsed) * UNITS[unit])
        self.p50 = self._latency(text, "50%")
        self.p99 = self._latency(text, "99%")

    @staticmethod
    def _latency(text, share):
        value, unit = re.search(rf"^\s+{share}\s+([\d.]+)(us|ms|s|m)$", text, re.M).groups()
        return float(value) * UNITS[unit]


class Target:
    """One row of the table: where to send what."""

    def __init__(self, label, server, path, token=None):
        self.label, self.server, self.path, self.token = label, server, path, token
        self.rounds = []

    def run(self, wrk, prefix):
        command = [*prefix, wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
        if self.token:
            command += ["-H", f"Authorization: Bearer {self.token}"]
        command.append(f"http://127.0.0.1:{self.server.port}{self.path}")
        before = self.server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True)
        used = self.server.cpu_seconds() - before
        if done.returncode != 0:
            raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
        self.rounds.append(Round(done.stdout, used))

    def median(self, of):
        return statistics.median(getattr(one, of) for one in self.rounds)

    def ratio(self, other, of):
        """The median of the ratios of rounds that followed each other."""
        return statistics.median(
            getattr(mine, of) / getattr(theirs, of) for mine, theirs in zip(self.rounds, other.rounds))


def take_turns(targets, rounds, wrk, prefix):
    for _ in range(rounds):
        for target in targets:
            target.run(wrk, prefix)
