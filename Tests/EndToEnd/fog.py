"""Gateways with a fog: a coordinator with files and a ledger, nodes that work for it, and jobs."""

import hashlib
import io
import json
import os
import random
import signal
import socket
import sqlite3
import tarfile
import threading
import time
from collections import Counter
from pathlib import Path

from conftest import BINARY, LIMIT, Gateway
from ledgers import Holder, LedgerFile, units
from peers import Peer
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


def free_port():
    """A port of loopback that no connection gets by chance, so that a gateway may have it again after its end."""
    while True:
        port = random.randrange(12_000, 32_000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as one:
                    one.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue


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
        more.setdefault("listen", f"127.0.0.1:{free_port()}")
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


FOG = {"lease_seconds": 4, "max_attempts": 10}
# Ends in a moment, with a file that tells its argument, and a log.
WORK = 'sleep 0.3; mkdir -p outputs; echo "result $1" > outputs/result; echo "worked on $1"'
BATCH_ENDS = 240


class Batch:
    """Jobs of one bundle, each with its own argument."""

    def __init__(self, peer, count, script=WORK, **more):
        self.peer, self.began = peer, time.monotonic()
        self.archive = peer.upload(bundle(script))
        self.more = more
        self.ids = {self.submit(number): number for number in range(count)}

    def submit(self, number):
        body = {"name": f"job {number}", "type": "process", "tier": "bronze", "inputs": [self.archive],
                "requirements": {"cpu_cores": 0.3, "memory_mb": 32, "disk_mb": 8, "max_duration_s": 30},
                "parameters": {"bundle": self.archive, "command": ["sh", "run.sh", str(number)]}, **self.more}
        return self.peer.submit(body)["job_id"]

    def count(self, *states):
        return sum(self.peer.get(f"/v1/fog/jobs?limit=1&status={state}")["total_count"] for state in states)

    def over(self, least, limit=BATCH_ENDS):
        eventually(lambda: self.count(*OVER) >= least, limit, f"{least} jobs over")

    def finish(self, limit=BATCH_ENDS):
        """Waits for the end and the settlement of all; gives the jobs, all of which have the results that they must."""
        self.over(len(self.ids), limit)
        self.seconds = time.monotonic() - self.began
        self.peer.settled(*self.ids)
        jobs = [self.peer.job(job) for job in self.ids]
        for job in jobs:
            number = self.ids[job["job_id"]]
            assert job["status"] == "completed", job
            assert Counter(a["state"] for a in job["attempts"])["succeeded"] == 1, job["attempts"]
            assert self.peer.results(job["job_id"]) == {"result": f"result {number}\n".encode()}
        assert check_settlements(self.peer, jobs) == 0
        print("\nMEASURED", len(jobs), "jobs in", round(self.seconds, 1), "s; attempts per job",
              dict(Counter(len(job["attempts"]) for job in jobs)), "; by node",
              dict(Counter(job["assigned_node"][:8] for job in jobs)), "; ends of attempts",
              dict(Counter(a["state"] for job in jobs for a in job["attempts"])))
        return jobs


def leases_of(peer, node):
    return [one for one in peer.get("/v1/fog/leases", scope="admin")["leases"] if one["node_id"] == node.id]


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


def start_fog(place, started, *names, coordinator=None, wires=None):
    """Adds a coordinator with a ledger and its nodes, all of which lend four places, to `started`."""
    wires = wires or {}
    lent = {"max_jobs": 4, "memory_mb": 1024}
    ada = FogPeer(place / "ada", "ada", wire=wires.get("ada"), tokens={}, fog=FOG, node={**lent, **(coordinator or {})})
    started.append(ada)
    for name in names:
        started.append(FogPeer(place / name, name, wire=wires.get(name), plugins=(), node=lent))
        started[-1].works_for(ada)
    nodes = started[1:] if coordinator == {"enabled": False} else started
    eventually(lambda: ada.has(*nodes, capability="process"), ENDS, "all nodes are active")
    return started
