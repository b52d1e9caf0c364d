"""Agent Forge on other machines: a model that was trained there comes back, and models answer where they may."""

import json

import pytest

from fog import ENDS, FogPeer, eventually
from models import saying
from trainers import ENDS as RUN_ENDS
from trainers import TINY, Trainer, unpack

NODE = {"memory_mb": 2048, "max_jobs": 4}


@pytest.fixture(scope="module")
def forges(tmp_path_factory):
    """A coordinator and a node, both with Agent Forge; the node shares one of its models."""
    place = tmp_path_factory.mktemp("forges")
    bea = FogPeer(place / "bea", "bea", plugins=("utilities", "agent_forge"), node=NODE)
    shared = Trainer(bea.gateway, "owner").brought(saying("Bea"))
    bea.stop()
    bea = FogPeer(place / "bea", "bea", plugins=("utilities", "agent_forge"),
                  node={**NODE, "shared_models": [{"model_id": shared, "subject": "owner"}]})
    ada = FogPeer(place / "ada", "ada", plugins=("utilities", "agent_forge"), tokens={},
                  node={**NODE, "types": ["inference"]})
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="train") and ada.has(ada, capability="inference"), ENDS, "both forges")
    yield ada, bea, shared
    bea.stop()
    ada.stop()


def training(steps, inputs=(), **parameters):
    return {"name": "training", "type": "train", "inputs": list(inputs),
            "requirements": {"cpu_cores": 0.5, "memory_mb": 256, "disk_mb": 64, "max_duration_s": 240},
            "parameters": {"phase_name": "cognate", "max_steps": steps, "batch_size": 2,
                           "parameters": {**TINY, **parameters}}}


def asking(model, *prompts, **more):
    return {"name": "asking", "type": "inference", "requirements": {"cpu_cores": 0.1, "memory_mb": 64, "disk_mb": 8},
            "parameters": {"model_id": model, "prompts": list(prompts), "temperature": 0, "max_tokens": 8, **more}}


def test_a_model_is_trained_on_another_machine_and_talks_at_home(forges):
    ada, bea, _ = forges
    corpus = ada.upload(b"The quick brown fox jumps over the lazy dog. " * 200, "corpus.txt")
    job = ada.submit(training(8, [corpus], data=[corpus]))["job_id"]
    ended = ada.completed(job, limit=RUN_ENDS)
    assert ended["assigned_node"] == bea.id and ended["progress"]["percentage"] == 100
    assert ended["resource_usage"]["cpu_ms"] > 0 and ended["resource_usage"]["memory_usage_gb"] > 0
    results = ada.results(job)
    assert {"model.tar", "report.json"} <= results.keys() and json.loads(results["report.json"])
    assert "model.safetensors" in " ".join(unpack(results["model.tar"]))
    alice = Trainer(ada.gateway, "alice")
    model = alice.brought(results["model.tar"])
    assert isinstance(alice.chat(model)["response"], str)
    assert ada.log_of(job).strip()
    # Nothing of it stays on the node, for any user there.
    eventually(lambda: len(list(bea.gateway.data.rglob("model.safetensors"))) == 1, what="the node keeps its own alone")
    ada.settled(job)


def test_a_training_is_cancelled_in_its_midst(forges):
    ada, bea, _ = forges
    job = ada.submit(training(100_000))["job_id"]
    eventually(lambda: ada.job(job)["progress"]["percentage"] > 0, RUN_ENDS, "the first step")
    assert ada.post(f"/v1/fog/jobs/{job}/cancel")["status"] == "cancelled"
    ada.settled(job)
    detail = lambda: bea.health()["services"]["p2p_fog"]["checks"]["fog_node"]["detail"]
    eventually(lambda: detail()["jobs"] == 0, ENDS, "the node has ended it")


def test_a_training_with_bad_parameters_fails_with_agent_forges_reason(forges):
    ada, _, _ = forges
    job = ada.ended(ada.submit(training(0))["job_id"])
    assert job["status"] == "failed" and job["reason"].startswith("parameters: ") and job["attempt"] == 1, job["reason"]


def test_a_model_of_the_submitter_answers_on_the_coordinators_own_node(forges):
    ada, _, _ = forges
    model = Trainer(ada.gateway, "alice").brought(saying("Ada"))
    job = ada.completed(ada.submit(asking(model, "Who?", "You?"))["job_id"])
    assert job["assigned_node"] == ada.id
    answers = json.loads(ada.results(job["job_id"])["answers.json"])
    assert [one["text"] for one in answers["answers"]] == ["Ada", "Ada"] and answers["model_id"] == model
    # Nobody else's job asks it.
    refused = ada.ask("POST", "/v1/fog/jobs", asking(model, "Who?"), user="eve")
    assert refused.status == 422, refused
    (error,) = refused.json()["details"]
    assert error["field"] == "parameters.model_id" and model not in error["allowed"], error


def test_a_shared_model_answers_on_its_node(forges):
    ada, bea, shared = forges
    job = ada.completed(ada.submit(asking(shared, "Who?"))["job_id"])
    assert job["assigned_node"] == bea.id
    answers = json.loads(ada.results(job["job_id"])["answers.json"])
    assert [one["text"] for one in answers["answers"]] == ["Bea"]


def test_a_model_that_nobody_has_is_refused(forges):
    ada, _, shared = forges
    refused = ada.ask("POST", "/v1/fog/jobs", asking("no-such-model", "Who?"))
    assert refused.status == 422, refused
    (error,) = refused.json()["details"]
    assert error["field"] == "parameters.model_id" and shared in error["allowed"], error
    assert "GET /v1/models" in error["reason"], error


@pytest.mark.parametrize("field, value", [("prompts", []), ("prompts", ["x"] * 257), ("prompts", "x"), ("model_id", 1),
                                          ("model_id", None), ("prompts", [""])])
def test_bad_questions_are_refused_by_name(forges, field, value):
    ada, _, shared = forges
    body = asking(shared, "Who?")
    body["parameters"][field] = value
    refused = ada.ask("POST", "/v1/fog/jobs", body)
    assert refused.status == 422 and f"parameters.{field}" in json.dumps(refused.json()["details"]), refused
