"""All eight phases through the real routes, on models so small that each takes a moment."""

import json
import math

import pytest

from conftest import eventually
from trainers import ENDS, Trainer

SMALL = {"width": 32, "layers": 2, "heads": 2, "hidden": 64, "context": 64, "vocabulary": 272}
CHANCE = math.log(272)
STEPS, BATCH = 10, 4
# What each phase is told beside its models.
PARAMETERS = {
    "evomerge": {"population": 4, "generations": 2, "tasks": 8},
    "quietstar": {"thoughts": 2, "thought_length": 4, "ahead": 2, "prefix": 16},
    "bitnet": {},
    "forge_training": {
        "evaluation_tasks": 4, "measure_every": 5, "measure_tasks": 4, "window": 8, "dream_every": 5,
        "dream_samples": 4, "dream_steps": 1},
    "tool_persona_baking": {"dialogues": 32, "evaluation": 4},
    "adas": {"population": 2, "parameter_budget": 60_000, "context": 64, "questions": 4, "samples": 1},
    "final_compression": {},
}
ALIASES = {
    "quiet-star": "quietstar", "forge": "forge_training", "training": "forge_training",
    "tool-baking": "tool_persona_baking", "compression": "final_compression"}
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def forge(start_shared, utilities, agent_forge):
    return start_shared([utilities, agent_forge])


@pytest.fixture(scope="module")
def user(forge):
    return Trainer(forge, "alice")


@pytest.fixture(scope="module")
def cognate(user):
    return user.completed(user.begin("cognate", 40, BATCH, count=2, **SMALL))


@pytest.fixture(scope="module")
def models(cognate):
    return cognate["models"]


@pytest.fixture(scope="module")
def ran(user, models):
    """The completed run of a phase on the cognate models; each is run once."""
    runs = {}

    def ran(phase):
        if phase not in runs:
            given = models if phase == "evomerge" else models[:1]
            runs[phase] = user.completed(user.begin(phase, STEPS, BATCH, models=given, **PARAMETERS[phase]))
        return runs[phase]

    return ran


def made(run):
    """What a report says of the only model."""
    (model,) = run["report"]["models"]
    assert [model["model_id"]] == run["models"]
    return model


def test_cognate_makes_models_that_learnt(user, cognate):
    report = cognate["report"]
    assert [model["model_id"] for model in report["models"]] == cognate["models"]
    for told in report["models"]:
        assert abs(told["validation_loss_before"] - CHANCE) < 0.5 and told["steps"] == 40
        assert 0 < told["validation_loss"] < told["validation_loss_before"] - 0.3
        model = user.model(told["model_id"])
        assert model["phases_completed"] == ["cognate"] and model["lineage"]["parents"] == []
        assert len(model["data_fingerprint"]) == 64
    # Each has a focus of its own, and with it other text; the first has that of the report.
    fingerprints = [user.model(name)["data_fingerprint"] for name in cognate["models"]]
    assert fingerprints[0] == report["data_fingerprint"] != fingerprints[1]
    one, other = (user.file(name) for name in cognate["models"])
    assert one != other


@pytest.mark.parametrize("phase", PARAMETERS)
def test_a_phase_makes_a_model_that_chats_and_knows_its_parents(user, models, ran, phase):
    run = ran(phase)
    report, name = run["report"], run["models"][0]
    assert run["phase"] == phase and run["progress"]["overall_progress"] == 1 and run["base_models"]
    assert 0 < report["memory_bytes_peak"] <= report["memory_bytes_estimated"]
    model = user.model(name)
    parents = models if phase == "evomerge" else models[:1]
    assert model["parents"] == parents and model["phase"] == phase and model["task_id"] == run["task_id"]
    assert [parent["model_id"] for parent in model["lineage"]["parents"]] == parents
    assert {parent["phase"] for parent in model["lineage"]["parents"]} == {"cognate"}
    assert model["phases_completed"] == ["cognate", phase]
    assert model["size_bytes"] == sum(file["size_bytes"] for file in model["files"])
    assert len(user.file(name)) == next(f["size_bytes"] for f in model["files"] if f["name"] == "model.safetensors")
    answer = user.chat(name, "Who?", max_tokens=8)
    assert answer["model_id"] == name and 0 < answer["usage"]["completion_tokens"] <= 8


def test_evomerge_tells_its_winner_and_all_that_was_tried(ran, models, user):
    report = ran("evomerge")["report"]
    winner, parents = report["winner"], report["parents"]
    for fitness in [winner["held_out"], *(parent["held_out"] for parent in parents)]:
        assert fitness["fitness"] == pytest.approx(fitness["task_score"] - fitness["loss"])
        assert 0 < fitness["loss"] < CHANCE and 0 <= fitness["task_score"] <= 1
    no_worse = all(parent["held_out"]["fitness"] <= winner["held_out"]["fitness"] for parent in parents)
    assert report["is_no_worse_than_parents"] is no_worse
    assert ("WORSE" in report["verdict"]) is not no_worse and ("no worse" in report["verdict"]) is no_worse
    assert [parent["model_id"] for parent in parents] == models
    lineage = report["lineage"]
    assert len(lineage) == report["evaluations"] and [one["number"] for one in lineage] == list(range(len(lineage)))
    best = max(one["fitness"] for one in lineage)
    assert lineage[winner["number"]]["fitness"] == best == winner["selection"]["fitness"]
    assert user.model(made(ran("evomerge"))["model_id"])["metrics"]["validation_loss"] == winner["held_out"]["loss"]
    # The parents' own figures in the search are those of other data, not of the final account.
    assert {one["number"] for one in lineage if one["generation"] == 0} >= {0, 1}


def test_quietstar_measures_its_gain(ran):
    model = made(ran("quietstar"))
    for when in ("before", "after"):
        told = model[when]
        assert told["gain"] == pytest.approx(told["base_loss"] - told["mixture_loss"], abs=1e-9)
        assert 0 <= told["share_helped"] <= 1 and told["positions"] > 0 and told["tokens"] > 0
    assert model["validation_loss_before"] == model["before"]["validation_loss"]
    assert model["validation_loss"] == model["after"]["validation_loss"] != model["validation_loss_before"]
    assert model["before"]["tokens"] == model["after"]["tokens"]
    (finding,) = [ran("quietstar")["report"]["finding"]]
    gain, error = model["after"]["gain"], model["after"]["gain_standard_error"]
    assert ("lower" in finding) is (gain > 2 * error) and ("raise" in finding) is (gain < -2 * error)


def test_bitnets_sizes_are_those_of_the_files(user, ran, models, cognate):
    facts = made(ran("bitnet"))["metrics"]
    packed, parent = len(user.file(made(ran("bitnet"))["model_id"])), len(user.file(models[0]))
    assert (facts["weights_file_bytes"], facts["parent_weights_file_bytes"]) == (packed, parent)
    assert facts["size_ratio"] == pytest.approx(parent / packed) and facts["size_ratio"] > 1.5
    assert facts["speed_ratio"] == pytest.approx(facts["tokens_per_second"] / facts["parent_tokens_per_second"])
    assert facts["validation_loss_before"] == pytest.approx(cognate["report"]["models"][0]["validation_loss"], abs=0.05)
    assert facts["validation_loss_before"] < facts["validation_loss_rounded"]
    assert facts["validation_loss"] < facts["validation_loss_rounded"] and 0 < facts["zeros"] < 1
    model = user.model(made(ran("bitnet"))["model_id"])
    assert model["form"] == "ternary" and model["metrics"] == facts


def test_forge_training_measures_tasks_text_and_its_model_of_itself(ran):
    run = ran("forge_training")
    model = made(run)
    for when in ("before", "after"):
        told = model[when]
        right = told["tasks"]["success"] * told["tasks"]["tasks"]
        assert told["tasks"]["tasks"] >= 4 and right == pytest.approx(round(right))
        assert told["tasks"]["tasks"] == model["before"]["tasks"]["tasks"]
        assert told["self_model_loss"] > 0
    assert model["task_success_before"] == model["before"]["tasks"]["success"]
    assert model["task_success"] == model["after"]["tasks"]["success"]
    assert model["validation_loss"] == model["after"]["validation_loss"] != model["before"]["validation_loss"]
    curriculum, dreams = run["report"]["curriculum"], run["report"]["dreams"]
    assert curriculum["difficulty"] == model["difficulty"] and 1 <= dreams["cycles"] <= STEPS // 5
    assert len(curriculum["curve"]) > 0


def test_baking_measures_calls_and_persona(user, ran):
    run = ran("tool_persona_baking")
    model, report = made(run), run["report"]
    for when in ("before", "after"):
        told = model[when]
        assert told["tool_call_right_arguments"] <= told["tool_call_right_tool"] <= told["tool_call_parses"] <= 1
        assert 0 <= told["persona_consistency"] <= 1
    assert model["after"]["dialogue_loss"] < model["before"]["dialogue_loss"]
    assert model["validation_loss"] == model["after"]["text_loss"]
    assert user.model(model["model_id"])["context_length"] == report["context"] >= SMALL["context"]
    assert 0 < report["tool_questions"] <= 4 and report["tools"] and report["persona"]


def test_adas_keeps_its_budgets_and_gives_the_best(user, ran, models):
    run = ran("adas")
    model, report = made(run), run["report"]
    sizes = report["architecture"]["archive"]
    assert len(sizes) == 2 and all(one["parameters"] <= 60_000 for one in sizes)
    best = min(sizes, key=lambda one: (len(one["rungs"]) * -1, one["rungs"][-1]["loss"]))
    assert report["architecture"]["winner"] == best["number"]
    given = report["input"]
    assert given["model_id"] == models[0]
    assert given["is_kept"] is (given["validation_loss"] <= given["found_validation_loss"])
    size = user.model(models[0])["parameters"] if given["is_kept"] else best["parameters"]
    assert model["parameters"] == size == user.model(model["model_id"])["parameters"]
    assert report["architecture"]["search_steps"] + report["architecture"]["final_steps"] <= STEPS
    flows = report["workflow"]["archive"]
    assert sum(one["asked"] for one in flows) <= 4 and all(one["solved"] <= one["asked"] for one in flows)
    held = report["workflow"]["held_out"]
    assert held["is_no_worse"] is (held["winner"]["solved"] >= held["plain"]["solved"])


def test_final_compressions_sizes_are_those_of_the_files(user, ran, models):
    run = ran("final_compression")
    facts = made(run)["metrics"]
    bytes_, parent = len(user.file(run["models"][0])), len(user.file(models[0]))
    assert (facts["weights_file_bytes"], facts["parent_weights_file_bytes"]) == (bytes_, parent)
    assert facts["ratio_to_parent"] == pytest.approx(parent / bytes_) and facts["ratio_to_parent"] > 1.5
    assert facts["ratio_to_float32"] == pytest.approx(4 * user.model(models[0])["parameters"] / bytes_)
    change = facts["validation_loss"] / facts["validation_loss_before"] - 1
    assert facts["validation_loss_change"] == pytest.approx(change)
    assert facts["matrices"] == len(run["report"]["tensors"])
    assert sum(tensor["bytes"] for tensor in run["report"]["tensors"]) <= facts["payload_bytes"] < bytes_
    assert user.model(run["models"][0])["form"] == "compressed"


def test_the_trits_of_a_ternary_model_are_compressed_without_loss(user, ran):
    run = user.completed(user.begin("final_compression", 1, BATCH, models=ran("bitnet")["models"]))
    facts, bitnet = made(run)["metrics"], made(ran("bitnet"))["metrics"]
    lossy = [tensor["tensor"] for tensor in run["report"]["tensors"] if tensor["relative_error"] > 0]
    assert lossy == ["model.embed_tokens.weight"] and facts["lossless_matrices"] == facts["matrices"] - 1
    assert facts["validation_loss_before"] == pytest.approx(bitnet["validation_loss"], abs=1e-3)
    assert facts["weights_file_bytes"] < bitnet["weights_file_bytes"]


@pytest.mark.parametrize("alias", ALIASES)
def test_the_names_of_older_documents_are_taken(user, models, alias):
    body = {"phase_name": alias, "real_training": False, "parameters": {"models": models[:1]}}
    answer = user.post("/v1/models/train", body)
    assert answer.status == 200 and answer.data["phase"] == ALIASES[alias], answer
    report = user.completed(answer.data["task_id"])["report"]
    assert report["trained"] is False and report["parameter_count"] > 0 and report["memory_bytes"] > 0


@pytest.mark.parametrize("phase", [phase for phase in PARAMETERS if phase != "adas"])
def test_a_phase_without_its_models_says_what_is_missing(user, models, phase):
    least = "2 to 8" if phase == "evomerge" else "1"
    answer = user.ask(phase)
    assert answer.status == 422 and answer.json()["details"] == [
        {"field": "parameters.models", "reason": f"must be {least} of your models for {phase}, not 0"}]
    answer = user.ask(phase, models=[MISSING, MISSING] if phase == "evomerge" else [MISSING])
    fields = {fault["field"]: fault["reason"] for fault in answer.json()["details"]}
    assert answer.status == 422 and "there is no model" in fields["parameters.models[0]"]
    other = Trainer(user.gateway, "somebody else")
    assert other.ask(phase, models=models[:2] if phase == "evomerge" else models[:1]).status == 422


def test_a_phase_without_a_place_for_models_refuses_them(user, models):
    answer = user.ask("cognate", models=models)
    assert answer.status == 422 and answer.json()["details"][0]["field"] == "parameters.models"
    answer = user.ask("adas", models=models)
    assert answer.status == 422 and "0 to 1" in answer.json()["details"][0]["reason"]


def test_models_of_the_wrong_kind_are_refused_by_name(user, models, ran):
    ternary, compressed = ran("bitnet")["models"][0], ran("final_compression")["models"][0]
    for phase, given, word in [
        ("bitnet", [ternary], "ternary"), ("bitnet", [compressed], "compressed"),
        ("final_compression", [compressed], "compressed"), ("quietstar", [compressed], "compressed"),
        ("forge_training", [compressed], "compressed"), ("tool_persona_baking", [compressed], "compressed"),
        ("evomerge", [models[0], compressed], "compressed"),
    ]:
        run = user.ended(user.begin(phase, STEPS, BATCH, models=given, **PARAMETERS[phase]))
        assert run["status"] == "failed" and given[-1] in run["error"] and word in run["error"], (phase, run["error"])
        assert run["models"] == []
    other = user.completed(user.begin("cognate", 1, count=1, **{**SMALL, "width": 16}))["models"]
    run = user.ended(user.begin("evomerge", STEPS, BATCH, models=models[:1] + other))
    assert run["status"] == "failed" and other[0] in run["error"] and "width" in run["error"], run["error"]


def test_a_learning_rate_that_is_far_too_high_ends_a_run_within_its_steps(user, models):
    for phase in ("quietstar", "bitnet", "forge_training", "tool_persona_baking"):
        wild = {"learning_rate": 1000, "weight_decay": 1, "grad_clip": 1e6, "warmup_steps": 0}
        run = user.ended(user.begin(phase, 300, BATCH, models=models[:1], **PARAMETERS[phase], **wild))
        assert run["status"] == "failed" and run["models"] == [], (phase, run["status"])
        assert "At step " in run["error"] and "learning_rate" in run["error"], (phase, run["error"])
        plan = user.post("/v1/models/train", {
            "phase_name": phase, "max_steps": 300, "batch_size": BATCH, "real_training": False,
            "parameters": {"models": models[:1], **PARAMETERS[phase], **wild}})
        assert user.completed(plan.data["task_id"])["report"]["estimated_seconds"] > 0


def test_a_pipeline_goes_through_all_eight_phases(user):
    phases = [{"phase_name": "cognate", "parameters": {"count": 2, **SMALL}},
              *({"phase_name": phase, "parameters": parameters} for phase, parameters in PARAMETERS.items())]
    answer = user.post("/v1/pipeline/run", {"phases": phases, "max_steps": STEPS, "batch_size": BATCH})
    assert answer.status == 200, answer
    name = answer.data["pipeline_id"]
    tasks = [task["task_id"] for task in answer.data["tasks"]]
    assert [task["phase"] for task in answer.data["tasks"]] == ["cognate", *PARAMETERS]
    over = ("completed", "failed", "cancelled")
    shown = eventually(
        lambda: (s := user.get(f"/v1/pipeline/{name}").data)["status"] in over and s, 2 * ENDS, "the pipeline's end")
    assert shown["status"] == "completed", shown
    assert shown["progress"] == {**shown["progress"], "overall_progress": 1, "phases_completed": 8, "total_phases": 8}
    runs = [user.run(task) for task in tasks]
    for before, after in zip(runs, runs[1:]):
        assert after["base_models"] == before["models"][:len(after["base_models"])] != []
        report = after["report"]
        assert 0 < report["memory_bytes_peak"] <= report["memory_bytes_estimated"], (after["phase"], report)
    last = user.model(runs[-1]["models"][0])
    assert last["phases_completed"] == ["cognate", *PARAMETERS]
    # What goes on from ternary weights is dense again, which its log says.
    assert [user.model(run["models"][0])["form"] for run in runs[3:5]] == ["ternary", "dense"]
    assert any(runs[3]["models"][0] in line and "ternary" in line for line in user.lines(tasks[4]))
    depth, lineage = 0, last["lineage"]
    while lineage["parents"]:
        depth, lineage = depth + 1, lineage["parents"][0]
    assert depth == 7 and lineage["phase"] == "cognate"
    assert user.chat(last["model_id"], "Who?", max_tokens=8)["usage"]["completion_tokens"] > 0


def test_models_are_listed_by_phase(user, ran):
    name = ran("evomerge")["models"][0]
    listed = user.get("/v1/models?phase=evomerge&status=completed&limit=50").data["models"]
    assert name in [model["model_id"] for model in listed]
    assert {model["phase"] for model in listed} == {"evomerge"}
    assert json.loads(user.file(name, "forge.json"))["phases_completed"] == ["cognate", "evomerge"]
