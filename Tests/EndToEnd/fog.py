"""Gateways with a fog: a coordinator with files and a ledger, nodes that work for it, and jobs."""

import hashlib
import io
import json
import os
import re
import signal
import sqlite3
import tarfile
import threading
import time
from collections import Counter
from pathlib import Path

from conftest import BINARY, LIMIT, Gateway, make_token
from ledgers import Holder, LedgerFile, units
from peers import Peer
from raw import bearer
from swaps import listed, put, put_file, reload
from uploads import User

# The longest that a job of a moment may take on a machine that is busy with other things.
ENDS = 60
OVER = ("completed", "failed", "cancelled")
# A job that a machine of any size has room for, many times.
SMALL = {"cpu_cores": 0.1, "memory_mb": 32, "disk_mb": 8, "max_duration_s": 60}


def eventually(condition, limit=LIMIT, what="the condition"):
    """As the one of all tests, with longer pauses: what is asked here is an answer of a busy gateway."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true in {limit} s"
        time.sleep(0.05)
    return value


def library(name):
    path = BINARY.parent / f"lib{name}.so"
    assert path.exists(), f"{path} is missing: build it with `make build`"
    return path


def bundle(script, **files):
    """A tar archive with run.sh and more files, by their names."""
    return tar([("run.sh", script.encode())] + [(name, data) for name, data in files.items()])


def tar(entries, mode="w"):
    """A tar archive of names with contents, or of TarInfo with contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.USTAR_FORMAT) as archive:
        for name, data in entries:
            entry = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class FogPeer(Peer):
    """A gateway that is a node, and a coordinator where it has files and a ledger."""

    def __init__(self, directory, name, plugins=("utilities",), node=None, fog=None, tokens=None, **more):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        files = {}
        if tokens is not None:
            files["40-tokens.json"] = {"library": str(library("tokens")), "settings": tokens}
        if node is not None:
            more["node"] = node
        if fog is not None:
            more["fog"] = fog
        super().__init__(directory, name, plugins=[library(one) for one in plugins], files=files, **more)

    # Nodes

    def nodes(self, query=""):
        return {node["node_id"]: node for node in self.get(f"/v1/fog/nodes{query}")["nodes"]}

    def node(self, peer):
        return self.get(f"/v1/fog/nodes/{getattr(peer, 'id', peer)}")

    def has(self, *peers, status="active", capability=None):
        """Whether all of `peers` are its nodes, in this state."""
        nodes = self.nodes()
        return all(
            (node := nodes.get(peer.id)) and node["status"] == status
            and (capability is None or capability in node["capabilities"])
            for peer in peers)

    def works_for(self, coordinator):
        """Becomes a node of `coordinator`."""
        link = coordinator.invite(node=True)
        return self.post("/v1/fog/coordinators", {"invitation": link}, status=201, scope="admin")

    # Jobs

    def upload(self, data, filename="bundle.tar", user="alice"):
        return User(self.gateway, user).upload(data, filename, "application/x-tar")["file_id"]

    def order(self, script="true", inputs=(), command=("sh", "run.sh"), tier="bronze", user="alice", name="job",
              parameters=None, bundle_data=None, **more):
        """The body of a job that runs `script`, whose bundle is uploaded for it."""
        archive = self.upload(bundle_data or bundle(script), user=user)
        wanted = {**SMALL, **more.pop("requirements", {})}
        return {"name": name, "type": "process", "tier": tier, "inputs": [archive, *inputs], "requirements": wanted,
                "parameters": {"bundle": archive, "command": list(command), **(parameters or {})}, **more}

    def submit(self, body, user="alice", key=None, status=202):
        fields = {"Idempotency-Key": key} if key else {}
        answer = self.ask("POST", "/v1/fog/jobs", body, user=user, **fields)
        assert answer.status == status, answer
        return answer.data if status < 400 else answer

    def run(self, script="true", user="alice", limit=ENDS, **more):
        """The job of `script` after its end."""
        return self.ended(self.submit(self.order(script, user=user, **more), user)["job_id"], user, limit)

    def job(self, job, user="alice"):
        return self.get(f"/v1/fog/jobs/{job}", user=user)

    def ended(self, job, user="alice", limit=ENDS):
        return eventually(
            lambda: (found := self.job(job, user))["status"] in OVER and found, limit, f"the end of the job {job}")

    def begun(self, job, user="alice", limit=ENDS):
        return eventually(
            lambda: (found := self.job(job, user))["status"] == "running" and found, limit, f"the job {job} runs")

    def completed(self, job, user="alice", limit=ENDS):
        found = self.ended(job, user, limit)
        assert found["status"] == "completed", (found["reason"], self.log_of(job, user))
        return found

    def log_of(self, job, user="alice", query=""):
        answer = self.ask("GET", f"/v1/fog/jobs/{job}/logs{query}", user=user)
        assert answer.status == 200, answer
        return answer.content.decode()

    def results(self, job, user="alice"):
        """The job's files by their paths, compared with the digests that the list tells."""
        found = {}
        for file in self.get(f"/v1/fog/jobs/{job}/files", user=user)["files"]:
            answer = self.ask("GET", f"/v1/fog/jobs/{job}/files/content?path={file['path']}", user=user)
            assert answer.status == 200, answer
            assert len(answer.content) == file["size"]
            assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
            found[file["path"]] = answer.content
        return found

    def settled(self, *jobs, user="alice", limit=ENDS):
        """Waits until the ledger has the end of all of `jobs`."""
        for job in jobs:
            eventually(lambda: self.settlement(job, user) == "done", limit, f"the settlement of {job}")

    def settlement(self, job, user="alice"):
        return self.job(job, user)["costs"]["settlement"].get("state")

    # The whole

    def health(self):
        with self.gateway.client() as client:
            return client.get("/health").json()

    def fog_rows(self, sql, *values):
        path = self.gateway.data / "plugins/p2p_fog/p2p_fog.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(sql, values).fetchall()

    def balance(self, user="alice"):
        return units(Holder(self.gateway, user).balance)

    def restart(self):
        """Starts it again after its end, with the same data and at the same port of its network."""
        settings = {**self.settings, "listen": self.endpoint}
        content = {"library": str(library("p2p_fog")), "settings": settings}
        self.gateway = Gateway(self.directory, self.plugins, files={"70-p2p-fog.json": content, **self.files})
        assert eventually(self.running, what=f"the network of {self.name}")["node_id"] == self.id

    def replace(self, name):
        """Replaces a plugin by another build of it, while everything goes on."""
        before = listed(self.gateway, name)["generation"]
        target = self.directory / f"lib{name}.so"
        put(library(name), target, b"\0" * (target.stat().st_size % 7 + 1 if target.exists() else 1))
        for path in self.gateway.plugins.glob("*.json"):
            content = json.loads(path.read_text())
            if content["library"].endswith(target.name):
                put_file(self.gateway, path.name, {**content, "library": str(target)})
        report = reload(self.gateway, name)
        # Whoever watches the folder may have been quicker.
        assert report["outcome"] != "failed", report
        eventually(lambda: listed(self.gateway, name)["generation"] > before, what=f"the new {name}")

    def freeze(self):
        """Stops its processes where they stand; gives what lets them go on."""
        pids = [self.gateway.process.pid, self.gateway.pid]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def thaw():
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

        return thaw


def check_settlements(peer, jobs):
    """The ledger balances, and has each of `jobs` once: locked once, paid once, and what was not paid given back."""
    ledger = LedgerFile(peer.gateway)
    ledger.check()
    states = dict(ledger.rows("SELECT reference, state FROM locks"))
    assert len(states) == ledger.rows("SELECT count(*) FROM locks")[0][0], "a job was locked twice"
    entries = Counter(ledger.rows("SELECT reference, kind, reason FROM entries WHERE reference LIKE 'fog job %'"))
    for job in jobs:
        reference = f"fog job {job['job_id']}"
        assert states[reference] in ("settled", "released"), (job["job_id"], states[reference])
        of_job = {key[1:]: count for key, count in entries.items() if key[0] == reference}
        assert sum(count for (kind, _), count in of_job.items() if kind == "lock") == 1, of_job
        paid = of_job.get(("settlement", "payment"), 0)
        assert paid == (1 if units(job["costs"]["final_cost"]) else 0), (job["job_id"], of_job)
        assert sum(count for (kind, _), count in of_job.items() if kind == "reward") <= 1, of_job
    ((locked,),) = ledger.rows("SELECT count(*) FROM locks WHERE state = 'open'")
    return locked


class HealthWatch:
    """What /health says from the `with` to the end of its block: each change of the status."""

    def __init__(self, peer):
        self.peer, self.seen, self.ends = peer, [], threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def _look(self):
        while not self.ends.wait(0.1):
            try:
                status = self.peer.health()["status"]
            except OSError:
                continue  # it was killed
            if self.seen[-1:] != [status]:
                self.seen.append(status)
