"""Connections as a client sees them: one that is reused, and many that are idle."""

import socket


class KeepAlive:
    """One connection on which the same request is sent again and again."""

    def __init__(self, port, path, token=None):
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}\r\n".encode()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self):
        """Sends the request, and returns how many bytes the answer has. Any answer but 200 is an error."""
        self.socket.sendall(self.request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"{self.request.split()[1].decode()}: {head.splitlines()[0].decode()}")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            missing -= len(self._more())
        return len(head) + 4 + int(fields[b"content-length"])

    def close(self):
        self.socket.close()

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


class IdleConnections:
    """Connections that have had one answer each and then say nothing, as those of browsers and proxies."""

    def __init__(self, port, path, count):
        self.connections = []
        try:
            for _ in range(count):
                connection = KeepAlive(port, path)
                self.connections.append(connection)
                connection.ask()
        except BaseException:
            self.close()
            raise

    def close(self):
        for connection in self.connections:
            connection.close()
