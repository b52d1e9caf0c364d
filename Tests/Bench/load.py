"""Load by wrk, in rounds that take turns, so that a slow moment of the machine meets all alike."""

import re
import statistics
import subprocess

CONNECTIONS = 32
SECONDS = 3
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Round:
    """What wrk found in one round: requests a second, and latencies in seconds."""

    def __init__(self, text):
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text) or re.search(r"Socket errors: (.*)", text)
        if failed:
            raise SystemExit(f"the round does not count, there were failures: {failed.group(0)}")
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
        self.p50 = self._latency(text, "50%")
        self.p99 = self._latency(text, "99%")

    @staticmethod
    def _latency(text, share):
        value, unit = re.search(rf"^\s+{share}\s+([\d.]+)(us|ms|s|m)$", text, re.M).groups()
        return float(value) * UNITS[unit]


class Target:
    """One row of the table: where to send what."""

    def __init__(self, label, port, path, token=None):
        self.label, self.port, self.path, self.token = label, port, path, token
        self.rounds = []

    def run(self, wrk, prefix):
        command = [*prefix, wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
        if self.token:
            command += ["-H", f"Authorization: Bearer {self.token}"]
        command.append(f"http://127.0.0.1:{self.port}{self.path}")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
        self.rounds.append(Round(done.stdout))

    def median(self, of):
        return statistics.median(getattr(one, of) for one in self.rounds)

    def ratio(self, other):
        """The median of the ratios of rounds that followed each other."""
        return statistics.median(mine.rate / theirs.rate for mine, theirs in zip(self.rounds, other.rounds))


def take_turns(targets, rounds, wrk, prefix):
    for _ in range(rounds):
        for target in targets:
            target.run(wrk, prefix)
