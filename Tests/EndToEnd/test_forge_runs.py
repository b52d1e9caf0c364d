"""Training runs through the real plugin: really trained, watched, cancelled, killed, swapped and gone on with."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time

import pytest

from conftest import eventually, make_token
from raw import bearer
from subscriber import Subscriber
from swaps import listed, put, reload
from trainers import Trainer, TINY

FACT = "The password of the lighthouse is marzipan.\n"


@pytest.fixture(scope="module")
def forge(start_shared, utilities, agent_forge):
    return start_shared(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(agent_forge), "settings": {"max_queued_per_user": 3}}})


@pytest.fixture
def user(forge, request):
    return Trainer(forge, request.node.name[:100])


def test_a_run_trains_a_model_from_an_upload_and_its_loss_falls(user):
    file = user.upload(FACT * 400, "fact.txt")["file_id"]
    task = user.train(60, data=[file], seed=3)
    run = user.ended(task)
    assert run["status"] == "completed", run["error"]
    curve = [point["loss"] for point in run["loss_curve"] if point["loss"] is not None]
    assert curve[-1] < curve[0] * 0.7 and run["models"]
    assert run["progress"]["overall_progress"] == 1 and run["metrics"]["current_step"] == run["steps"]
    assert 0 < run["report"]["memory_bytes_peak"] <= run["report"]["memory_bytes_estimated"]
    assert user.get(f"/v1/models/train/{task}/status").data == run
    logs = user.get(f"/v1/models/train/{task}/logs?limit=2").data
    assert logs["total_count"] >= 1 and logs["logs"][0]["line"]


def test_the_answer_comes_at_once_and_has_the_guides_fields(user):
    body = {"phase_name": "cognate", "real_training": True, "max_steps": 2000, "batch_size": 2}
    begun = time.monotonic()
    answer = user.post("/v1/models/train", body)
    took = time.monotonic() - begun
    assert answer.status == 200 and took < 0.5, took
    data, task = answer.data, answer.data["task_id"]
    assert data["phase"] == "cognate" and data["status"] == "started" and data["real_training"] is True
    assert data["progress_url"] == f"/v1/models/train/{task}" and data["estimated_duration"] is None
    assert answer.json()["message"] == "Training started for phase cognate"
    assert user.post(f"/v1/models/train/{task}/cancel").data["status"] == "cancelled"
    assert user.post(f"/v1/models/train/{task}/cancel").status == 409


def test_events_go_to_the_owner_alone(forge, user):
    name = "test_events_go_to_the_owner_alone"
    topics = ("training_progress", "training_complete", "training_error")
    with Subscriber(forge, *topics, token=make_token(name)) as own, \
            Subscriber(forge, *topics, token=make_token("somebody else")) as other:
        task = user.train(40)
        user.ended(task)
        own.until(lambda event: event["type"] == "training_complete", "the completion")
        own.check()
    events = own.of("training_progress")
    assert all(event["task_id"] == task and event["timestamp"] for event in events)
    assert events[-1]["progress"] == 1 and events[-1]["step"] == events[-1]["total_steps"]
    assert other.events == []
    numbers = [event["number"] for event in own.events]
    assert numbers == sorted(set(numbers))


def test_a_dry_run_trains_nothing(user):
    body = {"phase_name": "cognate", "real_training": False, "parameters": TINY}
    run = user.ended(user.post("/v1/models/train", body).data["task_id"])
    assert run["status"] == "completed" and run["models"] == [] and run["step"] == 0
    report = run["report"]
    assert report["trained"] is False and report["parameter_count"] > 0 and report["memory_bytes"] > 0
    assert report["estimated_seconds"] > 0 and report["steps"] == 2000


def test_every_bad_field_is_named(user):
    answer = user.post("/v1/models/train", {
        "phase_name": "sleep", "max_steps": 1_000_001, "batch_size": 0, "parameters": {}})
    assert answer.status == 422
    assert {fault["field"] for fault in answer.json()["details"]} == {"phase_name", "max_steps", "batch_size"}
    missing = "00000000-0000-4000-8000-000000000000"
    assert user.post("/v1/models/train", {"phase_name": None, "parameters": None}).status == 422
    answer = user.post("/v1/models/train", {"phase_name": "cognate", "parameters": {"data": [missing], "nonsense": 1}})
    fields = {fault["field"] for fault in answer.json()["details"]}
    assert answer.status == 422 and fields == {"parameters.data[0]", "parameters.nonsense"}


def test_anothers_run_is_not_there(forge, user):
    task = user.train(1)
    other = Trainer(forge, "somebody else")
    for path in ("", "/status", "/logs"):
        assert other.get(f"/v1/models/train/{task}{path}").status == 404
    for verb in ("cancel", "resume"):
        answer = other.post(f"/v1/models/train/{task}/{verb}")
        assert answer.status == 404 and answer.json()["error_code"] == "RESOURCE_NOT_FOUND"
    file = user.upload(FACT, "mine.txt")["file_id"]
    answer = other.post("/v1/models/train", {"phase_name": "cognate", "parameters": {"data": [file]}})
    assert answer.status == 422 and answer.json()["details"][0]["field"] == "parameters.data[0]"
    user.ended(task)


def test_runs_wait_in_order_and_one_too_many_gets_429(user):
    tasks = [user.train(100_000) for _ in range(4)]
    answer = user.post("/v1/models/train", {"phase_name": "cognate"})
    assert answer.status == 429 and answer.get("Retry-After")
    assert [user.run(task).get("queue_position") for task in tasks[1:]] == [1, 2, 3]
    listed = user.get("/v1/models/train?status=queued&limit=2").data
    assert listed["total_count"] == 3 and [run["task_id"] for run in listed["tasks"]] == tasks[:1:-1]
    for task in reversed(tasks):
        assert user.post(f"/v1/models/train/{task}/cancel").status == 200
    assert [user.ended(task)["status"] for task in tasks] == ["cancelled"] * 4


def test_a_cancelled_run_is_resumed_from_its_checkpoint(user):
    task = user.train(5000)
    user.reached(task, 20)
    user.post(f"/v1/models/train/{task}/cancel")
    stopped = eventually(lambda: user.run(task)["finished_at"] and user.run(task))
    assert user.post(f"/v1/models/train/{task}/resume").status == 200
    run = user.ended(task)
    assert run["status"] == "completed" and run["attempts"] == 2
    steps = [point["step"] for point in run["loss_curve"]]
    assert steps == sorted(set(steps)) and stopped["step"] <= run["step"]


@pytest.fixture
def alone(start, utilities, agent_forge, tmp_path):
    library = tmp_path / "libagent_forge.so"
    put(agent_forge, library)
    gateway = start(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(library), "settings": {"checkpoint_seconds": 1}}})
    gateway.library = library
    return gateway


def test_a_killed_gateway_goes_on_with_the_run(alone):
    user = Trainer(alone, "killed")
    task = user.train(3000)
    waiting = user.train(5)
    user.reached(task, 200)
    checkpoints = alone.data / f"plugins/agent_forge/runs/{task}"
    eventually(lambda: list(checkpoints.glob("checkpoint-*")), what="a checkpoint")
    os.kill(alone.pid, signal.SIGKILL)
    alone.log.find(r"serving again")
    run = user.ended(task)
    assert run["status"] == "completed" and run["attempts"] == 2, run
    assert user.ended(waiting)["status"] == "completed"


def test_a_swap_during_a_run_costs_nothing(alone):
    user = Trainer(alone, "swapped")
    task = user.train(3000)
    user.reached(task, 50)
    first = listed(alone, "agent_forge")["generation"]
    put(alone.library, alone.library, b"\0")
    report = reload(alone, "agent_forge")
    assert report["outcome"] != "failed", report
    run = user.ended(task)
    # Two swaps where the gateway had noticed the library before it was told.
    swaps = report["generation_after"] - first
    assert run["status"] == "completed" and run["attempts"] == 1 + swaps and swaps > 0, run
    steps = [point["step"] for point in run["loss_curve"]]
    assert steps == sorted(set(steps))


def test_a_run_cut_off_after_its_models_were_stored_makes_them_once(alone, start, utilities):
    user = Trainer(alone, "twice")
    run = user.ended(user.train(20, count=2))
    alone.stop()
    with contextlib.closing(sqlite3.connect(alone.data / "plugins/agent_forge/forge.sqlite")) as database, database:
        # As `kill -9` leaves it between the last model and the end; the second model is not in the run's list yet.
        database.execute("UPDATE runs SET status = 'running', finished_at = NULL, report = NULL")
        database.execute("DELETE FROM run_models WHERE number = 1")
    again = Trainer(start(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(alone.library)}}, DATA_DIR=alone.data), "twice")
    after = again.ended(run["task_id"])
    assert after["status"] == "completed" and after["attempts"] == 2 and after["models"] == run["models"]
    assert [model["model_id"] for model in after["report"]["models"]] == run["models"]
    listed = again.get("/v1/models").data["models"]
    assert [model["model_id"] for model in listed] == run["models"][::-1]


def test_a_plugin_that_calls_another_needs_no_second_thread(start, utilities, agent_forge):
    gateway = start(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(agent_forge)}}, LIMIT_POOL_THREAD_COUNT=1)
    user = Trainer(gateway, "narrow")
    file = user.upload(FACT * 100, "fact.txt")["file_id"]
    begun = time.monotonic()
    task = user.train(5, data=[file])
    assert time.monotonic() - begun < 5
    assert user.ended(task)["status"] == "completed"


def test_a_stopped_gateway_goes_on_after_its_restart(alone, start, utilities):
    user = Trainer(alone, "restarted")
    task = user.train(3000)
    user.reached(task, 50)
    alone.stop()
    again = start(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(alone.library)}}, DATA_DIR=alone.data)
    run = Trainer(again, "restarted").ended(task)
    assert run["status"] == "completed" and run["attempts"] == 2, run


def test_health_and_metrics_say_what_is_going_on(forge, user):
    user.ended(user.train(5))
    detail = eventually(lambda: forge.get("/health").json()["services"].get("agent_forge"))
    assert detail["status"] == "running", detail
    operator = bearer(make_token("operator", "admin"))

    def metric(name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", forge.get("/metrics", operator).body.decode(), re.MULTILINE)
        return found and float(found[1])

    assert metric("agent_forge_steps_total") >= 5 and metric('agent_forge_loss_nats{phase="cognate"}') > 0
    rate = 'agent_forge_tokens_per_second{phase="cognate"}'
    task = user.train(5000)
    assert eventually(lambda: metric(rate), what="the rate of a run")
    user.post(f"/v1/models/train/{task}/cancel")
    eventually(lambda: metric(rate) == 0, what="no rate without a run")


def test_no_run_is_taken_while_the_disk_is_nearly_full(start, utilities, agent_forge):
    gateway = start(files={
        "20-agent-forge.json": {"library": str(agent_forge), "settings": {"min_free_bytes": 1 << 50}}})
    answer = Trainer(gateway, "full").post("/v1/models/train", {"phase_name": "cognate"})
    assert answer.status == 507 and answer.json()["error_code"] == "STORAGE_FULL"
    eventually(lambda: gateway.get("/health").json()["status"] == "degraded", what="the degraded health")


def test_a_pipeline_is_followed_and_cancelled(user):
    stage = {"phase_name": "cognate", "max_steps": 100_000, "parameters": TINY}
    answer = user.post("/v1/pipeline/run", {"phases": [stage, {**stage, "parameters": {**TINY, "seed": 2}}]})
    assert answer.status == 200, answer
    pipeline = answer.data["pipeline_id"]
    user.reached(answer.data["tasks"][0]["task_id"], 1)
    shown = user.get(f"/v1/pipeline/{pipeline}").data
    assert [task["status"] for task in shown["tasks"]] == ["running", "waiting"] and shown["status"] == "running"
    cancelled = user.post(f"/v1/pipeline/{pipeline}/cancel").data
    assert [task["status"] for task in cancelled["tasks"]] == ["cancelled", "cancelled"]
    assert user.post(f"/v1/pipeline/{pipeline}/cancel").status == 409
    assert Trainer(user.gateway, "somebody else").get(f"/v1/pipeline/{pipeline}").status == 404


def test_an_isolated_forge_reads_files_and_trains(start, utilities, agent_forge):
    gateway = start(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(agent_forge), "isolation": "process"}})
    user = Trainer(gateway, "isolated")
    file = user.upload(FACT * 100, "fact.txt")["file_id"]
    run = user.ended(user.train(5, data=[file]))
    assert run["status"] == "completed", run
