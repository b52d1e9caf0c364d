"""Gateways that are peers of one another."""

import json
import os
import signal
import sqlite3

import pytest

from conftest import BINARY, Gateway, bearer, eventually, make_token
from wire import Wire


@pytest.fixture
def peer(tmp_path_factory):
    """Starts peers that live as long as the test."""
    yield from starter(tmp_path_factory)


@pytest.fixture(scope="module")
def shared_peer(tmp_path_factory):
    """Starts peers that live as long as the module's tests."""
    yield from starter(tmp_path_factory)


def starter(tmp_path_factory):
    started, wires = [], []

    def start(name, wired=False, **more):
        if wired:
            more["wire"] = Wire(seed=len(wires))
            wires.append(more["wire"])
        started.append(Peer(tmp_path_factory.mktemp(name), name, **more))
        return started[-1]

    yield start
    for one in started:
        one.gateway.signal()
    for one in started:
        one.stop()
    for wire in wires:
        wire.close()


def settings(wire=None, **more):
    """Of the plugin p2p_fog, on a free port of loopback."""
    values = {"listen": "127.0.0.1:0", **more}
    if wire:
        values["advertise"] = f"127.0.0.1:{wire.port}"
    return values


class Peer:
    """One gateway with the plugin p2p_fog."""

    def __init__(self, directory, name, wire=None, plugins=(), files=None, wait=True, **more):
        self.name, self.wire = name, wire
        self.settings = settings(wire, **{"name": name, **more})
        self.directory, self.plugins, self.files = directory, plugins, files
        self.start(wait=wait)

    def start(self, wait=True, **more):
        """Starts it on its data directory, which is there from the second time on; `more` are further settings."""
        self.settings.update(more)
        content = {"library": str(BINARY.parent / "libp2p_fog.so"), "settings": self.settings}
        files = {"70-p2p-fog.json": content, **(self.files or {})}
        self.gateway = Gateway(self.directory, self.plugins, files=files, wait=wait)
        if wait:
            self.await_network()

    def await_network(self):
        if self.gateway.port is None:
            self.gateway.port = int(self.gateway.log.find(r'serving\b.*?\bport"?[=:]"?(\d+)')[1])
        status = eventually(self.running, what=f"the network of {self.name}")
        self.id, self.endpoint = status["node_id"], status["endpoint"]
        if self.wire:
            self.wire.lead_to(self.port)

    @property
    def port(self):
        """Its own port, whatever it advertises."""
        return int(self.gateway.log.find(r'network.*?\bport"?[=:]"?(\d+)')[1])

    def running(self):
        status = self.status()
        return status["status"] == "operational" and status

    def fields(self, user="alice", scope="read,write"):
        return bearer(make_token(user, scope))

    def ask(self, method, path, body=None, user="alice", scope="read,write", **fields):
        with self.gateway.client() as client:
            content = None if body is None else json.dumps(body)
            sent = {**self.fields(user, scope), **fields}
            if content is not None:
                sent["Content-Type"] = "application/json"
            return client.request(method, path, sent, content)

    def get(self, path, **who):
        answer = self.ask("GET", path, **who)
        assert answer.status == 200, answer
        return answer.data

    def post(self, path, body=None, status=200, **who):
        answer = self.ask("POST", path, {} if body is None else body, **who)
        assert answer.status == status, answer
        return answer.data

    def status(self):
        return self.get("/v1/p2p/status")

    def count(self, name, transport="bitchat"):
        """One of the status' counters; 0 for one that has not counted yet."""
        return self.status()[transport].get(name, 0)

    def dropped(self, *reasons):
        """Datagrams that were not taken, for these reasons or for any."""
        counts = self.status()["bitchat"].items()
        return sum(value for name, value in counts
                   if name.startswith("dropped_") and (not reasons or name.removeprefix("dropped_") in reasons))

    def health(self):
        """What its network says of itself."""
        answer = self.gateway.get("/health")
        assert answer.status == 200, answer
        return answer.json()["services"]["p2p_fog"]["checks"]["network"]

    def peers(self):
        return {peer["peer_id"]: peer for peer in self.get("/v1/p2p/peers?limit=1000")["peers"]}

    def invite(self, **more):
        return self.post("/v1/p2p/invitations", more, status=201, scope="admin")["link"]

    def join(self, other, **more):
        """Redeems an invitation of `other`."""
        return self.post("/v1/p2p/peers", {"invitation": other.invite(**more)}, scope="admin")

    def knows(self, *others):
        """Whether all of `others` are alive here."""
        peers = self.peers()
        return all(peers.get(other.id, {}).get("status") == "alive" for other in others)

    def write(self, recipient, payload, status=202, **more):
        """Sends a message."""
        body = {"recipient": recipient, "message": {"type": "text", "payload": payload}, **more}
        return self.post("/v1/p2p/message", body, status=status)

    def inbox(self, user="alice", query=""):
        return self.get(f"/v1/p2p/messages?limit=200{query}", user=user)["messages"]

    def message(self, message_id, user="alice"):
        return self.get(f"/v1/p2p/messages/{message_id}", user=user)

    def database(self):
        """The store of a peer that is stopped."""
        return sqlite3.connect(self.gateway.data / "plugins" / "p2p_fog" / "p2p_fog.sqlite")

    def kill(self):
        """Ends it without a word, supervisor and all."""
        pid = self.gateway.pid
        self.gateway.process.kill()
        self.gateway.process.wait(10)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        self.gateway.stop()


def meet(*peers, limit=20):
    """Lets all join the first, and waits until everyone knows everyone."""
    for other in peers[1:]:
        other.join(peers[0])
    await_all(peers, limit)


def await_all(peers, limit=20):
    """Waits until everyone knows everyone."""
    for one in peers:
        others = [other for other in peers if other is not one]
        eventually(lambda: one.knows(*others), limit=limit, what=f"{one.name} knows everyone")
