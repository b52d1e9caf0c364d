"""Counts, which a busy machine does not change: instructions and system calls for each request.

Each is the difference between two runs that differ only in their number of requests on one connection, so that
start-up, the first requests and the end cancel out.
"""

import pathlib
import re

from client import KeepAlive

FEW = 300
MANY = 2300
WARM = 50


def instructions(valgrind, make, path, authenticated=False):
    """User instructions of all threads of the server for one request, under callgrind."""

    def run(requests, directory):
        out = pathlib.Path(directory) / "callgrind.out"
        prefix = [
            valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", f"--log-file={out}.log", "--error-limit=no",
        ]
        _serve(make(directory, prefix), path, authenticated, requests)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
        return int(found.group(1))

    few, many = _both(run, make.directory)
    return (many - few) / (MANY - FEW)


def system_calls(strace, make, path, authenticated=False):
    """System calls of all threads of the server for one request, by name."""

    def run(requests, directory):
        out = pathlib.Path(directory) / "strace.out"
        _serve(make(directory, [strace, "-f", "-c", "-o", str(out)]), path, authenticated, requests)
        counts = {}
        for line in out.read_text().splitlines():
            words = line.split()
            if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
                counts[words[-1]] = int(words[3])
        return counts

    few, many = _both(run, make.directory)
    each = {name: (many[name] - few.get(name, 0)) / (MANY - FEW) for name in many}
    # Below one in a hundred requests it is a timer, not a request.
    return {name: count for name, count in each.items() if count >= 0.01}


class Maker:
    """Makes a server of one kind in a directory, behind a tracer."""

    def __init__(self, kind, directory, **attributes):
        self.kind, self.directory, self.attributes = kind, directory, attributes

    def __call__(self, directory, prefix):
        server = self.kind(directory, prefix)
        for name, value in self.attributes.items():
            setattr(server, name, value)
        return server


def _both(run, directory):
    return [run(requests, f"{directory}-{requests}") for requests in (FEW, MANY)]


def _serve(server, path, authenticated, requests):
    with server:
        connection = KeepAlive(server.port, path, server.token() if authenticated else None)
        for _ in range(WARM + requests):
            connection.ask()
        connection.close()
