"""Jobs on another gateway's machine, through the real binary: run, watched, cancelled, limited, paid."""

import hashlib
import re
import tarfile
from datetime import datetime, timedelta, timezone

import pytest

from conftest import make_token
from fog import ENDS, FogPeer, bundle, check_settlements, eventually, tar
from ledgers import new_key, units
from subscriber import Subscriber


@pytest.fixture(scope="module")
def fog(tmp_path_factory):
    """A coordinator that lends nothing itself, and one node."""
    place = tmp_path_factory.mktemp("fog")
    ada = FogPeer(place / "ada", "ada", tokens={}, node={"enabled": False}, fog={"max_log_bytes": 4096})
    bea = FogPeer(place / "bea", "bea", node={"memory_mb": 512, "disk_mb": 256, "max_jobs": 4, "region": "north"})
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="process"), what="the node bea")
    yield ada, bea
    bea.stop()
    ada.stop()


def test_a_command_runs_on_another_machine_and_its_files_come_back_whole(fog):
    ada, bea = fog
    note = ada.upload(b"What is put in.\n", "note.txt")
    noise = hashlib.sha256(b"seed").digest() * 30_000
    script = """
        mkdir -p outputs/deep/er
        cat inputs/note.txt > outputs/note.txt
        cat noise > outputs/deep/er/noise
        sha256sum noise | cut -d ' ' -f 1
        echo "$GREETING" >&2
    """
    body = ada.order(script, inputs=[note], bundle_data=bundle(script, noise=noise),
                     parameters={"environment": {"GREETING": "Good day."}})
    sent = ada.submit(body)
    assert sent["progress_url"] == f"/v1/fog/jobs/{sent['job_id']}/status" and sent["repeated"] is False
    job = ada.completed(sent["job_id"])
    assert job["assigned_node"] == bea.id and job["exit_code"] == 0 and job["attempt"] == 1
    assert job["progress"]["percentage"] == 100 and job["progress"]["stages_completed"] == [
        "queued", "assigned", "running"]
    assert job["placement"]["node_id"] == bea.id and job["placement"]["reasons"]
    assert ada.results(job["job_id"]) == {"note.txt": b"What is put in.\n", "deep/er/noise": noise}
    log = ada.log_of(job["job_id"])
    assert hashlib.sha256(noise).hexdigest() in log and "Good day." in log
    assert job["resource_usage"]["wall_ms"] > 0 and job["resource_usage"]["memory_usage_gb"] > 0
    assert job["resource_usage"]["output_bytes"] == len(noise) + 16
    ada.settled(job["job_id"])
    check_settlements(ada, [ada.job(job["job_id"])])


def test_a_log_is_followed_while_the_job_writes_it(fog):
    ada, _ = fog
    body = ada.order("echo first; while [ ! -e never ]; do sleep 0.1; done")
    job = ada.submit(body)["job_id"]
    with ada.gateway.client(limit=ENDS) as client:
        client.send(f"GET /v1/fog/jobs/{job}/logs?follow=true HTTP/1.1\r\nHost: a\r\n"
                    f"Authorization: Bearer {make_token()}\r\n\r\n".encode())
        seen = b""
        while b"first" not in seen:
            seen += client.socket.recv(65536)
        assert ada.job(job)["status"] in ("assigned", "running")
        ada.begun(job)
        ada.post(f"/v1/fog/jobs/{job}/cancel")
        while not seen.endswith(b"0\r\n\r\n"):
            seen += client.socket.recv(65536)
    assert ada.job(job)["status"] == "cancelled"


def test_a_running_job_is_cancelled_once_and_pays_what_it_used(fog):
    ada, bea = fog
    job = ada.submit(ada.order("sleep 300", requirements={"max_duration_s": 600}))["job_id"]
    eventually(lambda: ada.job(job)["resource_usage"]["wall_ms"] > 0, ENDS, "a heartbeat with the job's use")
    answer = ada.post(f"/v1/fog/jobs/{job}/cancel")
    assert answer["status"] == "cancelled"
    again = ada.ask("POST", f"/v1/fog/jobs/{job}/cancel")
    assert again.status == 409, again
    ada.settled(job)
    costs = ada.job(job)["costs"]
    assert 0 < units(costs["final_cost"]) < units(costs["locked"])
    eventually(lambda: ada.node(bea)["leases"] == 0, what="the node is free")
    eventually(lambda: health_of(bea, "fog_node")["jobs"] == 0, what="the node has ended it")
    check_settlements(ada, [ada.job(job)])


def health_of(peer, check):
    return peer.health()["services"]["p2p_fog"]["checks"][check]["detail"]


@pytest.mark.parametrize("script, more, reason", [
    ("exit 7", {}, "exit: the command ended with code 7"),
    ("sleep 60", {"requirements": {"max_duration_s": 1}}, "time: "),
    ("x=x; while :; do x=$x$x; done", {"requirements": {"memory_mb": 24}}, "memory: "),
    ("mkdir -p outputs; head -c 4000000 /dev/zero > outputs/much", {"requirements": {"disk_mb": 2}}, "(disk|output): "),
    ("exec no-such-program", {}, "exit: the command ended with code 127"),
    ("true", {"command": ["no-such-program"]}, "exit: the command could not be started"),
], ids=["exit code", "time", "memory", "output", "not found", "not started"])
def test_a_job_that_breaks_its_own_bounds_fails_for_good_with_the_reason(fog, script, more, reason):
    ada, _ = fog
    before = {node: data["trust_score"] for node, data in ada.nodes().items()}
    job = ada.run(script, **more)
    assert job["status"] == "failed" and re.match(reason, job["reason"]), job["reason"]
    assert job["attempt"] == 1 and len(job["attempts"]) == 1
    assert {node: data["trust_score"] for node, data in ada.nodes().items()} == pytest.approx(before, abs=1e-3)
    ada.settled(job["job_id"])


def test_a_log_is_cut_where_the_operator_says(fog):
    ada, _ = fog
    job = ada.run("seq 1 100000")
    log = ada.log_of(job["job_id"])
    assert job["status"] == "completed" and len(log) <= 4096 + 200 and log.startswith("1\n2\n")


def test_a_command_sees_no_network_no_secret_and_nothing_of_the_machine(fog):
    ada, bea = fog
    job = ada.run(f"""
        id -u
        ls {bea.gateway.data} 2>&1
        touch /usr/touched 2>&1
        cat /proc/net/dev | grep -v -e lo: -e Inter -e face
        env | grep -c JWT
        true
    """)
    log = ada.log_of(job["job_id"])
    assert job["status"] == "completed", job["reason"]
    assert "plugins" not in log and "Read-only" in log and not log.startswith("0\n"), log
    assert log.splitlines()[-1] == "0", log


def entry(name, **more):
    made = tarfile.TarInfo(name)
    for field, value in more.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize("entries", [
    [("../out.sh", b"x")],
    [("/etc/out.sh", b"x")],
    [("a/../../out.sh", b"x")],
    [(entry("link", type=tarfile.SYMTYPE, linkname="/etc"), b""), ("link/passwd", b"x")],
    [(entry("link", type=tarfile.SYMTYPE, linkname="../../.."), b"")],
    [(entry("same", type=tarfile.LNKTYPE, linkname="../../etc/passwd"), b"")],
    [(entry("device", type=tarfile.CHRTYPE), b"")],
    [(entry("pipe", type=tarfile.FIFOTYPE), b"")],
    [("run.sh", b"true")] * 2,
], ids=["up", "root", "up inside", "beneath a link", "link outside", "hard link", "device", "pipe", "twice"])
def test_path_tricks_in_bundles_are_refused_by_name(fog, entries):
    ada, _ = fog
    job = ada.run(bundle_data=tar([("first.sh", b"true"), *entries]))
    assert job["status"] == "failed" and job["reason"].startswith("bundle: "), job["reason"]
    assert job["attempt"] == 1 and ada.results(job["job_id"]) == {}


def test_a_bundle_that_is_no_archive_is_refused(fog):
    ada, _ = fog
    job = ada.run(bundle_data=b"not an archive" * 100)
    assert job["status"] == "failed" and job["reason"].startswith("bundle: "), job["reason"]


def test_a_gzipped_bundle_is_unpacked(fog):
    ada, _ = fog
    job = ada.run(bundle_data=tar([("run.sh", b"echo unpacked")], "w:gz"))
    assert job["status"] == "completed" and "unpacked" in ada.log_of(job["job_id"])


def test_a_deadline_ends_a_job_that_runs_and_one_that_waits(fog):
    ada, bea = fog
    soon = (datetime.now(timezone.utc) + timedelta(seconds=6)).isoformat().replace("+00:00", "Z")
    running = ada.submit(ada.order("sleep 60", deadline=soon))["job_id"]
    ada.post(f"/v1/fog/nodes/{bea.id}/drain", scope="admin")
    waiting = ada.submit(ada.order("true", deadline=soon))["job_id"]
    jobs = [ada.ended(job) for job in (running, waiting)]
    ada.post(f"/v1/fog/nodes/{bea.id}/undrain", scope="admin")
    assert [job["status"] for job in jobs] == ["failed", "failed"]
    assert all(job["reason"].startswith("deadline: ") for job in jobs)
    ada.settled(waiting)
    assert ada.job(waiting)["costs"]["final_cost"] == "0"


def test_the_same_key_submits_once_and_another_body_is_a_conflict(fog):
    ada, _ = fog
    body, key = ada.order("echo once"), new_key()
    first = ada.submit(body, key=key)
    again = ada.submit(body, key=key)
    assert again["job_id"] == first["job_id"] and again["repeated"] is True
    other = ada.ask("POST", "/v1/fog/jobs", {**body, "name": "other"}, **{"Idempotency-Key": key})
    assert other.status == 409 and other.json()["error_code"] == "IDEMPOTENCY_CONFLICT", other
    # Keys are of their user alone.
    bob = ada.submit(ada.order("echo bob", user="bob"), user="bob", key=key)
    assert bob["job_id"] != first["job_id"]
    ada.completed(first["job_id"])
    ada.completed(bob["job_id"], "bob")
    assert ada.submit(body, key=key)["job_id"] == first["job_id"]


def test_a_user_sees_and_touches_their_own_jobs_alone(fog):
    ada, _ = fog
    job = ada.run("mkdir -p outputs; echo secret | tee outputs/secret")["job_id"]
    for method, path in (
        ("GET", ""), ("GET", "/status"), ("GET", "/logs"), ("GET", "/files"), ("GET", "/files/content?path=secret"),
        ("POST", "/cancel"), ("DELETE", ""), ("DELETE", "/files"),
    ):
        answer = ada.ask(method, f"/v1/fog/jobs/{job}{path}", user="eve")
        assert answer.status == 404 and b"secret" not in answer.content, (method, path, answer)
    assert all(one["user_id"] == "eve" for one in ada.get("/v1/fog/jobs", user="eve")["jobs"])
    # Whoever may not read a file cannot give it to a job.
    own = ada.order(user="alice")
    stolen = ada.ask("POST", "/v1/fog/jobs", own, user="eve")
    assert stolen.status == 422 and "no file of yours" in stolen.body.decode(), stolen
    assert job in [one["job_id"] for one in ada.get("/v1/fog/jobs?limit=100", user="root", scope="read,admin")["jobs"]]
    assert ada.results(job) == {"secret": b"secret\n"}


def test_results_are_deleted_by_their_owner(fog):
    ada, _ = fog
    job = ada.run("mkdir -p outputs; echo result > outputs/result")["job_id"]
    answer = ada.ask("DELETE", f"/v1/fog/jobs/{job}/files")
    assert answer.data == {"job_id": job, "deleted_files": 1}
    assert ada.results(job) == {}
    assert ada.ask("GET", f"/v1/fog/jobs/{job}/files/content?path=result").status == 404
    running = ada.submit(ada.order("sleep 60"))["job_id"]
    assert ada.ask("DELETE", f"/v1/fog/jobs/{running}/files").status == 409
    assert ada.ask("DELETE", f"/v1/fog/jobs/{running}").data["status"] == "cancelled"


def test_events_tell_a_jobs_life_to_its_owner_alone(fog):
    ada, bea = fog
    with Subscriber(ada.gateway, "fog_update", token=make_token("alice")) as alice, \
            Subscriber(ada.gateway, "fog_update", token=make_token("eve")) as eve:
        job = ada.run("true")["job_id"]
        told = lambda one: [e for e in list(one.events) if e.get("job_id") == job]
        eventually(lambda: [e["status"] for e in told(alice)][-1:] == ["completed"], what="the last event")
        eventually(lambda: any(e["event"] == "utilization" for e in list(eve.events)), what="utilisation")
    assert [e["status"] for e in told(alice)] == ["queued", "assigned", "running", "completed"]
    assert told(alice)[-1]["node_id"] == bea.id
    assert told(eve) == []


def test_resources_metrics_and_the_description_show_the_fog(fog):
    ada, bea = fog
    resources = ada.get("/v1/fog/resources")
    assert resources["total"]["memory_gb"] == 0.5 and resources["nodes"]["active"] == 1
    assert resources["largest"]["storage_gb"] == 0.25
    job = ada.submit(ada.order("sleep 60"))["job_id"]
    ada.begun(job)
    busy = eventually(lambda: (r := ada.get("/v1/fog/resources"))["jobs"]["running"] == 1 and r, what="a running job")
    assert busy["leased"]["memory_gb"] == 32 / 1024 and 0 < busy["utilization"]["memory_mb"] < 1
    assert list(ada.nodes("?status=busy")) == [bea.id]
    leases = ada.get("/v1/fog/leases", scope="admin")
    assert [lease["job_id"] for lease in leases["leases"]] == [job]
    ada.post(f"/v1/fog/jobs/{job}/cancel")
    text = ada.gateway.get("/metrics", ada.fields(scope="admin")).content.decode()
    for name in ("fog_jobs", "fog_nodes", "fog_node_trust_score", "fog_placement_latency_seconds_count",
                 "fog_jobs_ended_total", "fog_settlements_total", "fog_utilization_ratio"):
        assert re.search(rf"{name}(\{{[^}}]*\}})? ", text), name
    described = ada.gateway.get("/openapi.json", ada.fields()).json()["paths"]
    for path in ("/v1/fog/nodes", "/v1/fog/nodes/{node_id}", "/v1/fog/nodes/{node_id}/drain", "/v1/fog/jobs",
                 "/v1/fog/jobs/{job_id}", "/v1/fog/jobs/{job_id}/logs", "/v1/fog/jobs/{job_id}/files",
                 "/v1/fog/market", "/v1/fog/quotes", "/v1/fog/resources", "/v1/fog/coordinators"):
        assert path in described, path
