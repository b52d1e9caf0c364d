"""Gateways that are peers of one another."""

import json

from conftest import BINARY, Gateway, bearer, eventually, make_token
from wire import Wire


def settings(wire=None, **more):
    """Of the plugin p2p_fog, on a free port of loopback."""
    values = {"listen": "127.0.0.1:0", **more}
    if wire:
        values["advertise"] = f"127.0.0.1:{wire.port}"
    return values


class Peer:
    """One gateway with the plugin p2p_fog."""

    def __init__(self, directory, name, wire=None, plugins=(), files=None, **more):
        self.name, self.wire = name, wire
        self.settings = settings(wire, name=name, **more)
        content = {"library": str(BINARY.parent / "libp2p_fog.so"), "settings": self.settings}
        self.gateway = Gateway(directory, plugins, files={"70-p2p-fog.json": content, **(files or {})})
        self.directory, self.plugins, self.files = directory, plugins, files
        status = eventually(self.running, what=f"the network of {name}")
        self.id, self.endpoint = status["node_id"], status["endpoint"]
        if wire:
            wire.lead_to(self.port)

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

    def kill(self):
        """Ends it without a word, supervisor and all."""
        import os
        import signal

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
    for one in peers:
        others = [other for other in peers if other is not one]
        eventually(lambda: one.knows(*others), limit=limit, what=f"{one.name} knows everyone")
