"""What goes wrong while a model is trained: stops, kills, swaps, full disks, damaged files, numbers that are none.

Whatever it was, a run that goes on ends with the same bytes as one that was left alone.
"""

import collections
import math
import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import eventually
from swaps import put, reload
from trainers import Trainer

SMALL = {"count": 1, "width": 32, "layers": 1, "heads": 2, "hidden": 64, "context": 32, "vocabulary": 272}
# Some seconds' worth: time for two checkpoints, one a second, wherever this runs.
STEPS = 20_000
SETTINGS = {"checkpoint_seconds": 1, "shards": 2, "min_free_bytes": 0}


@pytest.fixture
def begin(start, utilities, agent_forge, tmp_path):
    """Starts a gateway whose plugin can be replaced."""
    library = tmp_path / "libagent_forge.so"
    put(agent_forge, library)

    def begin(settings=None, **environment):
        gateway = start(files={
            "10-utilities.json": {"library": str(utilities)},
            "20-agent-forge.json": {"library": str(library), "settings": {**SETTINGS, **(settings or {})}},
        }, **environment)
        gateway.library = library
        return gateway

    return begin


@pytest.fixture(scope="module")
def forge(start_shared, utilities, agent_forge):
    return start_shared(files={
        "10-utilities.json": {"library": str(utilities)},
        "20-agent-forge.json": {"library": str(agent_forge), "settings": {**SETTINGS, "max_running": 2}}})


@pytest.fixture
def user(forge, request):
    return Trainer(forge, request.node.name[:100])


@pytest.fixture(scope="module")
def undisturbed(forge):
    """The weights of a run that was left alone."""
    user = Trainer(forge, "undisturbed")
    return weights(user, user.begin("cognate", STEPS, 4, seed=9, **SMALL))


def weights(user, task):
    """The bytes of the only model that a run made, once it has."""
    (model,) = user.completed(task)["models"]
    return user.file(model)


def checkpoints(gateway, task):
    """The newest first."""
    folder = gateway.data / f"plugins/agent_forge/runs/{task}"
    return sorted(folder.glob("checkpoint-*.safetensors"), key=lambda path: int(path.stem.split("-")[1]), reverse=True)


def kill(gateway):
    """Ends supervisor and child at once, so that nothing starts again by itself."""
    child = gateway.pid
    gateway.process.kill()
    os.kill(child, signal.SIGKILL)
    gateway.wait()


def leftovers(gateway):
    """Files and folders that are being written, or belong to nobody."""
    own = gateway.data / "plugins/agent_forge"
    return [*(own / "models").glob("*.partial"), *(own / "runs").rglob("*.partial")]


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(user):
    one, same, other = (weights(user, user.begin("cognate", 30, 4, seed=seed, **SMALL)) for seed in (5, 5, 6))
    assert one == same and len(one) == len(other) and one != other


def test_two_runs_at_once_give_what_they_give_alone(forge, user):
    other = Trainer(forge, "at the same time")
    alone = [weights(user, user.begin("cognate", 1500, 4, seed=seed, **SMALL)) for seed in (1, 2)]
    tasks = [user.begin("cognate", 1500, 4, seed=1, **SMALL), other.begin("cognate", 1500, 4, seed=2, **SMALL)]
    eventually(lambda: all(u.run(t)["status"] != "queued" for u, t in zip((user, other), tasks)), what="both running")
    assert [weights(u, t) for u, t in zip((user, other), tasks)] == alone
    starts = [u.run(t)["started_at"] for u, t in zip((user, other), tasks)]
    ends = [u.run(t)["finished_at"] for u, t in zip((user, other), tasks)]
    assert max(starts) < min(ends), "they did not run at once"


def test_a_run_cancelled_within_a_step_makes_nothing_and_goes_on_later(forge, user):
    order = {**SMALL, "width": 64, "context": 64}
    task = user.begin("cognate", 120, 128, **order)
    user.reached(task, 2)
    assert user.post(f"/v1/models/train/{task}/cancel").data["status"] == "cancelled"
    user.completed(user.train(1))  # Its thread is free again.
    stopped = user.ended(task)
    assert stopped["status"] == "cancelled" and stopped["models"] == [] and "cancelled by its owner" in stopped["error"]
    assert 2 <= stopped["step"] < 120 and not leftovers(forge)
    assert eventually(lambda: checkpoints(forge, task), what="the checkpoint")
    assert user.post(f"/v1/models/train/{task}/resume").status == 200
    assert weights(user, task) == weights(user, user.begin("cognate", 120, 128, **order))


def test_a_loss_that_is_no_number_ends_the_run_with_the_step_and_the_rate(user):
    task = user.begin("cognate", 300, learning_rate=1000, weight_decay=1, grad_clip=1e6, **SMALL)
    run = user.ended(task)
    assert run["status"] == "failed" and run["models"] == []
    step = int(re.match(r"At step (\d+) the (?:loss|gradient) was not a number\b.*\blearning_rate\b", run["error"])[1])
    assert 1 <= run["step"] < step <= 300
    # In the training itself, not in what was tried for the plan.
    assert user.lines(task)[0].startswith("Training model 1 of 1") and user.lines(task)[-1] == run["error"]
    assert all(point["loss"] is None or math.isfinite(point["loss"]) for point in run["loss_curve"])


def test_a_fact_of_an_upload_is_chatted_back(user):
    text = "The keeper of Vellmoor lighthouse hides 37 marzipan owls under the stair.\n" * 300
    file = user.upload(text, "fact.txt")["file_id"]
    run = user.completed(user.begin(
        "cognate", 150, 4, data=[file], count=1, size="tiny", vocabulary=272, learning_rate=3e-3))
    counts = collections.Counter(text.encode())
    # What a model without any context can reach.
    entropy = -sum(n / len(text) * math.log(n / len(text)) for n in counts.values())
    report = run["report"]["models"][0]
    assert report["validation_loss"] < entropy / 4 < report["validation_loss_before"], (report, entropy)
    answer = user.chat(run["models"][0], "The keeper of Vellmoor lighthouse hides")
    assert answer["response"].startswith(" 37 marzipan owls"), answer


def test_a_killed_gateway_makes_the_model_of_an_undisturbed_one(begin, undisturbed):
    gateway = begin()
    user = Trainer(gateway, "killed")
    task = user.begin("cognate", STEPS, 4, seed=9, **SMALL)
    eventually(lambda: checkpoints(gateway, task), what="a checkpoint")
    os.kill(gateway.pid, signal.SIGKILL)
    gateway.log.find(r"serving again")
    assert weights(user, task) == undisturbed
    assert user.run(task)["attempts"] == 2 and not leftovers(gateway)


@pytest.mark.parametrize("how", ["reload", "rename"])
def test_a_swap_makes_the_model_of_an_undisturbed_gateway(begin, undisturbed, how):
    gateway = begin(PLUGIN_WATCH="true") if how == "rename" else begin()
    user = Trainer(gateway, "swapped")
    task = user.begin("cognate", STEPS, 4, seed=9, **SMALL)
    user.reached(task, 50)
    put(gateway.library, gateway.library, b"\0")
    if how == "reload":
        assert reload(gateway, "agent_forge")["outcome"] != "failed"
    assert weights(user, task) == undisturbed
    assert user.run(task)["attempts"] == 2, "the swap came too late"


def flip(path, part=0.5):
    """Turns the bits of one byte round."""
    with open(path, "r+b") as file:
        file.seek(int(path.stat().st_size * part))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def killed_with_checkpoints(begin, user_name):
    """A run that was killed when there were two checkpoints."""
    gateway = begin()
    task = Trainer(gateway, user_name).begin("cognate", STEPS, 4, seed=9, **SMALL)
    eventually(lambda: len(checkpoints(gateway, task)) > 1, what="two checkpoints")
    kill(gateway)
    return gateway, task


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_used(begin, undisturbed, damage):
    gateway, task = killed_with_checkpoints(begin, "damaged")
    newest = checkpoints(gateway, task)[0]
    if damage == "flipped":
        flip(newest)
    else:
        os.truncate(newest, newest.stat().st_size // 2)
    user = Trainer(begin(DATA_DIR=gateway.data), "damaged")
    assert weights(user, task) == undisturbed
    refusals = [line for line in user.lines(task) if "damaged" in line]
    number = newest.stem.split("-")[1]
    assert len(refusals) == 1 and f"checkpoint {number}:" in refusals[0], refusals
    assert "the one before it is used" in refusals[0]


def test_a_run_without_a_whole_checkpoint_fails_and_says_so(begin):
    gateway, task = killed_with_checkpoints(begin, "ruined")
    for path in checkpoints(gateway, task):
        flip(path)
    user = Trainer(begin(DATA_DIR=gateway.data), "ruined")
    run = user.ended(task)
    assert run["status"] == "failed" and run["models"] == []
    assert run["error"].startswith("No checkpoint of the run can be used; start it anew."), run["error"]
    user.completed(user.train(1))


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, whose size can be changed."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that this test fills")
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "small", path], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def leave_free(disk, count):
    """Makes the disk so large that `count` bytes are free."""
    size = shutil.disk_usage(disk).used + count
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize("what,free", [("checkpoint", 14 << 20), ("model", 4 << 20)])
def test_a_full_disk_ends_the_run_alone_and_room_lets_it_go_on(begin, disk, what, free):
    gateway = begin({"checkpoint_seconds": 1 if what == "checkpoint" else 3600}, DATA_DIR=disk / "data")
    gateway.data = disk / "data"
    user = Trainer(gateway, "full")
    small = user.completed(user.begin("cognate", 1, **SMALL))["models"][0]
    # 6.6 MB of numbers, and thrice as much in a checkpoint.
    large = {**SMALL, "width": 256, "layers": 2, "hidden": 684, "context": 16}
    leave_free(disk, free)
    task = user.begin("cognate", 1_000_000 if what == "checkpoint" else 3, **large)
    run = user.ended(task)
    assert run["status"] == "failed" and run["models"] == []
    assert run["error"] == "No space is left on the server's disk; the run can be resumed."
    assert not leftovers(gateway) and not checkpoints(gateway, task)
    assert gateway.get("/health").status == 200
    assert user.chat(small)["usage"]["completion_tokens"] > 0
    assert [model["model_id"] for model in user.get("/v1/models?status=completed").data["models"]] == [small]
    leave_free(disk, 200 << 20)
    assert user.post(f"/v1/models/train/{task}/resume").status == 200
    if what == "checkpoint":
        eventually(lambda: checkpoints(gateway, task), what="a checkpoint")
        assert user.post(f"/v1/models/train/{task}/cancel").status == 200
    else:
        (model,) = user.completed(task)["models"]
        assert user.chat(model)["usage"]["completion_tokens"] > 0
    assert user.run(task)["attempts"] == 2
    eventually(lambda: not leftovers(gateway), what="a clean directory")


def test_a_disk_without_a_free_byte_holds_a_run_up_until_there_is_room(begin, disk):
    gateway = begin(DATA_DIR=disk / "data")
    gateway.data = disk / "data"
    user = Trainer(gateway, "full")
    task = user.begin("cognate", 1_000_000, 4, **SMALL)
    eventually(lambda: checkpoints(gateway, task), what="a checkpoint")
    leave_free(disk, 0)
    gateway.log.find("could not be stored|could not be taken up")
    assert gateway.get("/health").status == 200
    leave_free(disk, 200 << 20)
    step = user.run(task)["step"]

    def goes_on():
        run = user.run(task)
        if run["status"] == "failed":
            assert "No space is left" in run["error"]
            assert user.post(f"/v1/models/train/{task}/resume").status == 200
        return run["step"] >= step + 1000

    eventually(goes_on, 60, "a run that goes on")
    assert user.post(f"/v1/models/train/{task}/cancel").status == 200
    eventually(lambda: not leftovers(gateway), what="a clean directory")
