"""The wire between peers: a relay of UDP and TCP before a gateway's port, which reads, loses, delays and cuts."""

import heapq
import random
import selectors
import socket
import threading
import time


class Wire:
    """A port of loopback whose datagrams and connections reach a gateway's own port, and the other way round.

    A gateway that advertises this port is reached by its peers over the wire alone, and what it sends to a peer that
    advertises a wire of its own passes there. `loss` is the share of datagrams that vanish, each way; `delay` is added
    to each, in seconds; a wire that is `cut` carries nothing and refuses connections.
    """

    def __init__(self, seed=1):
        self.loss, self.delay, self.cut = 0.0, 0.0, False
        self.seen = []  # (kind, direction, bytes) of all that passed
        self.streams = {}  # of a connection's end: all that came from it, while the wire `keeps`
        self.dropped = self.passed = 0
        self.keeps = False
        self.apart = set()  # ports of loopback whose datagrams do not pass, nor those to them
        self.target = None
        self._random = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._later = []
        self._order = 0
        self._outward = {}  # of a sender: the socket by which the gateway sees it
        self._pairs = {}
        self._lock = threading.Lock()
        self._listen()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self.port = self._udp.getsockname()[1]
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self._tcp.close()
                self._udp.close()
        self._tcp.listen(64)
        for each, work in ((self._udp, self._inward), (self._tcp, self._accept)):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ, work)

    def lead_to(self, port):
        """Says which port of loopback is the gateway's own."""
        self.target = ("127.0.0.1", port)

    def bytes_of(self, kind=None):
        """All that passed, one piece after the other; of `udp` or `tcp` alone when told."""
        with self._lock:
            return [data for way, _, data in self.seen if kind in (None, way)]

    def break_connections(self):
        """Ends every connection that passes here."""
        for one in list(self._pairs):
            self._close(one)

    def close(self):
        self._ends.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _run(self):
        while not self._ends.is_set():
            wait = 0.05
            if self._later:
                wait = max(0, min(wait, self._later[0][0] - time.monotonic()))
            for key, _ in self._selector.select(wait):
                key.data(key.fileobj)
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                _, _, out, data, address = heapq.heappop(self._later)
                self._send(out, data, address)

    # Datagrams

    def _inward(self, udp):
        while True:
            try:
                data, sender = udp.recvfrom(4096)
            except BlockingIOError:
                return
            out = self._outward.get(sender)
            if out is None:
                out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                out.bind(("127.0.0.1", 0))
                out.setblocking(False)
                self._outward[sender] = out
                self._selector.register(out, selectors.EVENT_READ, lambda one, to=sender: self._back(one, to))
            if sender[1] in self.apart:
                self.dropped += 1
                continue
            self._carry("in", data, out, self.target)

    def _back(self, out, sender):
        while True:
            try:
                data, _ = out.recvfrom(4096)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if sender[1] in self.apart:
                self.dropped += 1
                continue
            self._carry("out", data, self._udp, sender)

    def _carry(self, way, data, out, address):
        if self.cut or address is None or self._random.random() < self.loss:
            self.dropped += 1
            return
        self.passed += 1
        self._note("udp", way, data)
        if self.delay:
            self._order += 1
            heapq.heappush(self._later, (time.monotonic() + self.delay, self._order, out, data, address))
        else:
            self._send(out, data, address)

    @staticmethod
    def _send(out, data, address):
        try:
            out.sendto(data, address)
        except OSError:
            pass  # as a datagram that is lost

    # Connections

    def _accept(self, listener):
        one, _ = listener.accept()
        if self.cut or self.target is None:
            one.close()
            return
        other = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            other.connect(self.target)
        except OSError:
            one.close()
            other.close()
            return
        for end, way, peer in ((one, "in", other), (other, "out", one)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[end] = peer
            self._selector.register(end, selectors.EVENT_READ, lambda sock, way=way: self._pass(sock, way))

    def _pass(self, one, way):
        try:
            data = one.recv(65536)
            if not data or self.cut:
                raise ConnectionResetError
            self._note("tcp", way, data)
            if self.keeps:
                self.streams.setdefault((way, one), bytearray()).extend(data)
            self._pairs[one].sendall(data)
        except OSError:
            self._close(one)

    def _close(self, one):
        for end in (one, self._pairs.get(one)):
            if end is None or self._pairs.pop(end, None) is None:
                continue
            self._selector.unregister(end)
            end.close()

    def _note(self, kind, way, data):
        if self.keeps:
            with self._lock:
                self.seen.append((kind, way, data))
