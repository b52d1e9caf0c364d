"""Steady load on keep-alive connections, which accounts for every request that it sends.

One thread and one epoll set: each connection asks, reads the whole answer, checks it, and asks again at its next due
time, so that the load is a rate and not as fast as one core goes.
"""

import array
import collections
import heapq
import json
import re
import select
import socket
import threading
import time
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.I)
REQUEST_ID = re.compile(rb"\r\nx-request-id: ([^\r]*)\r\n", re.I)
CLOSES = re.compile(rb"\r\nconnection: close\r\n", re.I)
EXAMPLES = 8


class Ask:
    """One kind of request, and what its answer must be."""

    def __init__(self, method, path, token=None, body=None, check=None):
        self.method, self.path, self.check = method, path, check
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway.test"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.start = ("\r\n".join(lines) + "\r\nX-Request-ID: ").encode()
        self.end = b"\r\n\r\n" + (body or b"")

    def bytes(self, name):
        return self.start + name + self.end


@dataclass
class Tally:
    """What became of all requests. `sent` is the sum of answered, failed, reset and lost."""

    sent: int = 0
    answered: int = 0  # as they should be
    failed: int = 0  # answered, but not so
    reset: int = 0  # the connection ended before the answer did
    lost: int = 0  # no answer at all in the time given
    refused: int = 0  # connections, not requests
    closed: int = 0  # connections that ended between two requests
    kinds: collections.Counter = field(default_factory=collections.Counter)
    generations: collections.Counter = field(default_factory=collections.Counter)
    examples: list = field(default_factory=list)
    times: array.array = field(default_factory=lambda: array.array("d"))
    longest: float = 0.0  # seconds of one request
    longest_path: str = ""
    pause: float = 0.0  # seconds between two answers of one connection
    gap: float = 0.0  # seconds between two good answers of all connections

    @property
    def accounted(self):
        return self.answered + self.failed + self.reset + self.lost

    @property
    def bad(self):
        return self.failed + self.reset + self.lost + self.refused + self.closed

    def share(self, part):
        times = sorted(self.times)
        return times[min(len(times) - 1, int(len(times) * part))] if times else 0.0

    def text(self):
        return (f"{self.sent} sent, {self.answered} answered, {self.failed} failed, {self.reset} reset, "
                f"{self.lost} lost, {self.refused} refused, {self.closed} closed; p50 {self.share(0.5) * 1e3:.2f} ms, "
                f"p99 {self.share(0.99) * 1e3:.2f} ms, longest request {self.longest * 1e3:.1f} ms "
                f"({self.longest_path}), longest pause of a connection {self.pause * 1e3:.1f} ms, "
                f"{len(self.generations)} generations {dict(self.kinds) or ''} {self.examples or ''}")


class Connection:
    """One client: at most one request under way."""

    def __init__(self, number):
        self.number = number
        self.socket = None
        self.buffer = b""
        self.ask = None  # what was asked and is not answered
        self.name = b""
        self.asked_at = self.due = 0.0
        self.answered_at = None
        self.generation = 0
        self.count = 0


class Load:
    """The load, from `with` to the end of its block; `tally` is complete after that.

    `asks` are sent in turn by each connection. `rate` is requests a second of all connections together. Answers are
    to come from generations that only grow, on each connection, unless `grows` is false.
    """

    def __init__(self, port, asks, connections=64, rate=1600.0, grows=True, patience=15.0):
        self.port, self.asks, self.grows, self.patience = port, asks, grows, patience
        self.interval = connections / rate
        self.tally = Tally()
        self.newest = 0
        self.last_good = time.monotonic()
        self.ends = threading.Event()
        self.broken = None
        self.epoll = select.epoll()
        self.queue = []
        self.by_descriptor = {}
        self.connections = [Connection(number) for number in range(connections)]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.last_good = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks nothing more, waits for the answers that are due, and gives the tally."""
        self.ends.set()
        self.thread.join()
        if self.broken:
            raise self.broken
        return self.tally

    def _run(self):
        try:
            now = time.monotonic()
            for connection in self.connections:
                connection.due = now + self.interval * connection.number / len(self.connections)
                heapq.heappush(self.queue, (connection.due, connection.number))
            self._turn()
        except BaseException as error:  # shown by `stop`, on the thread of the test
            self.broken = error
        finally:
            for connection in self.connections:
                self._drop(connection)
            self.epoll.close()

    def _turn(self):
        limit = None
        while True:
            now = time.monotonic()
            if self.ends.is_set():
                limit = limit or now + self.patience
                waiting = sum(1 for connection in self.connections if connection.ask)
                if not waiting or now > limit:
                    self.tally.lost += waiting
                    return
            else:
                while self.queue and self.queue[0][0] <= now:
                    self._send(self.connections[heapq.heappop(self.queue)[1]])
            pause = max(0.0, min(self.queue[0][0] - time.monotonic(), 0.1)) if self.queue else 0.1
            for descriptor, _ in self.epoll.poll(pause):
                if connection := self.by_descriptor.get(descriptor):
                    self._receive(connection)

    def _later(self, connection, delay=None):
        now = time.monotonic()
        connection.due = now + delay if delay else max(now, connection.due + self.interval)
        heapq.heappush(self.queue, (connection.due, connection.number))

    def _connect(self, connection):
        made = socket.socket()
        made.settimeout(10)
        try:
            made.connect(("127.0.0.1", self.port))
        except OSError:
            made.close()
            self.tally.refused += 1
            return False
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        connection.socket, connection.buffer = made, b""
        self.by_descriptor[made.fileno()] = connection
        self.epoll.register(made.fileno(), select.EPOLLIN)
        return True

    def _drop(self, connection):
        if connection.socket:
            self.by_descriptor.pop(connection.socket.fileno(), None)
            connection.socket.close()
            connection.socket = None

    def _send(self, connection):
        if not connection.socket and not self._connect(connection):
            return self._later(connection, 0.02)
        connection.ask = self.asks[(connection.number + connection.count) % len(self.asks)]
        connection.name = b"load-%d-%d" % (connection.number, connection.count)
        connection.count += 1
        data = connection.ask.bytes(connection.name)
        connection.asked_at = time.monotonic()
        self.tally.sent += 1
        try:
            assert connection.socket.send(data) == len(data), "the request does not fit the socket's buffer"
        except OSError as error:
            self._lose(connection, error)

    def _lose(self, connection, why):
        """The connection has ended."""
        if connection.ask:
            self.tally.reset += 1
            self._note(connection, f"reset {connection.ask.path}: {type(why).__name__ if why else 'closed'}", b"")
            connection.ask = None
            self._later(connection, 0.005)
        else:
            self.tally.closed += 1
        self._drop(connection)

    def _note(self, connection, kind, answer):
        self.tally.kinds[kind] += 1
        if len(self.tally.examples) < EXAMPLES and answer:
            self.tally.examples.append((connection.ask.path, answer[-400:]))

    def _receive(self, connection):
        try:
            data = connection.socket.recv(65536)
        except OSError as error:
            return self._lose(connection, error)
        if not data:
            return self._lose(connection, None)
        connection.buffer += data
        end = connection.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = connection.buffer[:end + 4]
        length = LENGTH.search(head)
        if not connection.ask or not length:
            raise AssertionError(f"an answer that nobody asked for, or without length: {connection.buffer!r}")
        total = end + 4 + (0 if connection.ask.method == "HEAD" else int(length[1]))
        if len(connection.buffer) < total:
            return None
        if len(connection.buffer) > total:
            raise AssertionError(f"more than the answer: {connection.buffer!r}")
        return self._answered(connection, head, connection.buffer[end + 4:])

    def _answered(self, connection, head, body):
        now, tally = time.monotonic(), self.tally
        wrong = self._fault(connection, head, body)
        if wrong:
            tally.failed += 1
            self._note(connection, wrong, head + body)
        else:
            tally.answered += 1
            tally.gap = max(tally.gap, now - self.last_good)
            self.last_good = now
        taken = now - connection.asked_at
        tally.times.append(taken)
        if taken > tally.longest:
            tally.longest, tally.longest_path = taken, connection.ask.path
        if connection.answered_at is not None:
            tally.pause = max(tally.pause, now - connection.answered_at)
        connection.answered_at, connection.ask, connection.buffer = now, None, b""
        if CLOSES.search(head):
            self._drop(connection)
            tally.closed += 1
        self._later(connection)

    def _fault(self, connection, head, body):
        """What is wrong with an answer; `None` when nothing is."""
        status = head[9:12].decode()
        if status != "200":
            code = json.loads(body).get("error_code", "") if body else ""
            return f"{status} {code}"
        if (name := REQUEST_ID.search(head)) is None or name[1] != connection.name:
            return "another request's answer"
        if connection.ask.method == "HEAD":
            return "a body behind HEAD" if body else None
        answer = json.loads(body)
        if not answer["success"] or answer["request_id"].encode() != connection.name:
            return "another request's body"
        data = answer["data"]
        generation = data.get("generation", 0) if isinstance(data, dict) else 0
        self.tally.generations[generation] += 1
        self.newest = max(self.newest, generation)
        if self.grows and generation < connection.generation:
            return f"generation {generation} after {connection.generation}"
        connection.generation = generation
        return connection.ask.check(data) if connection.ask.check else None


def mixed(name):
    """The requests of the fixture `swapped`: on the loop, on the pool, with a body, and HEAD."""
    def echoes(data):
        return None if data["bytes"] == 2000 else f"{data['bytes']} bytes of 2000"

    return [Ask("GET", f"/v1/{name}"), Ask("GET", f"/v1/{name}/pool"), Ask("HEAD", f"/v1/{name}"),
            Ask("POST", f"/v1/{name}", body=b"b" * 2000, check=echoes)]
