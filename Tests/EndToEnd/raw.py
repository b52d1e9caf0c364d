"""An HTTP/1.1 client in raw bytes that refuses every answer it could misread."""

import gzip
import json
import re
import socket
from dataclasses import dataclass, field

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([ -~]+)")
FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([ -~]*)")
# Fields that would contradict themselves if they came twice.
SINGLE = {
    "content-encoding", "content-length", "content-security-policy", "content-type", "date", "etag",
    "retry-after", "transfer-encoding", "x-ratelimit-limit", "x-request-id", "www-authenticate",
}


class Malformed(AssertionError):
    """The answer is not what RFC 9112 allows."""


class Closed(AssertionError):
    """The connection ended where an answer should have gone on."""


@dataclass
class Answer:
    status: int
    reason: str
    fields: list = field(default_factory=list)
    body: bytes = b""

    def all(self, name):
        return [value for known, value in self.fields if known.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def closes(self):
        return "close" in self.all("Connection")

    @property
    def content(self):
        """The body without its content coding."""
        return gzip.decompress(self.body) if self.get("Content-Encoding") == "gzip" else self.body

    def json(self):
        def unique(pairs):
            assert len({name for name, _ in pairs}) == len(pairs), f"a name stands twice in {pairs}"
            return dict(pairs)

        return json.loads(self.content, object_pairs_hook=unique)

    @property
    def data(self):
        body = self.json()
        assert body["success"] is True, body
        return body["data"]

    @property
    def code(self):
        return self.json()["error_code"]


class RawClient:
    """One connection: sends exactly the bytes it is given."""

    def __init__(self, port, limit=15.0, receive_buffer=None, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(limit)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def end(self):
        """Says that nothing more comes."""
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, method, path, fields=None, body=None, head=False):
        self.send(request_bytes(method, path, fields, body))
        return self.read(head=head or method == "HEAD")

    def get(self, path, fields=None):
        return self.request("GET", path, fields)

    def post(self, path, body, fields=None):
        return self.request("POST", path, fields, body)

    # Reading

    def _more(self):
        data = self.socket.recv(262144)
        if not data:
            raise Closed(f"closed after {self.buffer[-200:]!r}")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise Malformed("a line without end")
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def take(self, count):
        if len(self.buffer) < count:
            parts, have = [self.buffer], len(self.buffer)
            while have < count:
                data = self.socket.recv(min(count - have, 1 << 20))
                if not data:
                    raise Closed(f"closed {count - have} bytes before the end of the body")
                parts.append(data)
                have += len(data)
            self.buffer = b"".join(parts)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read(self, head=False):
        """One answer; 1xx answers that stand before it are not passed over."""
        line = self._line()
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise Malformed(f"status line {line!r}")
        answer = Answer(int(match[1]), match[2].decode())
        while line := self._line():
            match = FIELD_LINE.fullmatch(line)
            if not match or match[2] != match[2].strip():
                raise Malformed(f"field line {line!r}")
            answer.fields.append((match[1].decode(), match[2].decode()))
        names = [name.lower() for name, _ in answer.fields]
        for name in SINGLE:
            if names.count(name) > 1:
                raise Malformed(f"{name} stands {names.count(name)} times")
        self._read_body(answer, head)
        return answer

    def _read_body(self, answer, head):
        length, coding = answer.get("Content-Length"), answer.get("Transfer-Encoding")
        if answer.status < 200 or answer.status in (204, 304):
            if coding or (length and answer.status != 304):
                raise Malformed(f"a {answer.status} that announces a body")
            return
        if not answer.get("Date") or not answer.get("X-Request-ID"):
            raise Malformed(f"without Date or X-Request-ID: {answer}")
        if length is not None and coding is not None:
            raise Malformed("both lengths")
        if head:
            return
        if length is not None:
            if not re.fullmatch(r"0|[1-9]\d*", length):
                raise Malformed(f"Content-Length {length!r}")
            answer.body = self.take(int(length))
        elif coding is not None:
            if coding != "chunked":
                raise Malformed(f"Transfer-Encoding {coding!r}")
            answer.body = self._chunks()
        elif answer.closes:
            answer.body = self.rest()
        else:
            raise Malformed(f"a body without an end: {answer}")

    def _chunks(self):
        body = b""
        while True:
            line = self._line()
            if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
                raise Malformed(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                if self._line() != b"":
                    raise Malformed("a trailer")
                return body
            body += self.take(size)
            if self.take(2) != b"\r\n":
                raise Malformed("a chunk without its line end")

    def rest(self):
        """Everything until the server closes."""
        try:
            while True:
                self._more()
        except Closed:
            pass
        except ConnectionResetError:
            self.was_reset = True
        data, self.buffer = self.buffer, b""
        return data

    was_reset = False

    def is_closed(self):
        """Waits for the server to close, and says whether it did so without another byte."""
        return self.rest() == b""


def request_bytes(method, path, fields=None, body=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway.test"]
    if body is not None:
        body = body if isinstance(body, bytes) else body.encode()
        lines.append(f"Content-Length: {len(body)}")
    for name, value in (fields or {}).items():
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
