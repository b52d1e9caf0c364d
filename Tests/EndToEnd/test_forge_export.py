"""Models that leave and come back: what PyTorch makes of them, what comes from it, and what is no model."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from models import archive, saying
from trainers import Trainer, unpack

SCRIPT = Path(__file__).with_name("llama.py")
PYTHON = os.environ.get("FORGE_PYTHON") or shutil.which("python3")
STORY = "The miller grinds the corn. The baker bakes the bread. The cat sleeps in the warm loft.\n"
TEXTS = ["The miller grinds", "  two  spaces\n\nlines\t", "naïve café — 漢字 🙂", "it's 1234567 o'clock"]
PROMPTS = ["The miller", "The baker bakes", "The cat sleeps in the"]


@pytest.fixture(scope="module")
def torch():
    """Has jobs done where PyTorch is; see llama.py."""
    ended = subprocess.run(
        [PYTHON, "-c", "import importlib.util as u; print(*(n for n in ('torch', 'transformers', 'tokenizers') "
         "if not u.find_spec(n)))"], capture_output=True, text=True)
    if missing := (ended.stdout + ended.stderr).strip():
        pytest.skip(f"{PYTHON} has no {missing}; name a Python that has them in FORGE_PYTHON")

    def do(*jobs):
        ended = subprocess.run(
            [PYTHON, str(SCRIPT)], input=json.dumps(jobs), capture_output=True, text=True, timeout=600)
        assert ended.returncode == 0, ended.stderr[-2000:]
        return json.loads(ended.stdout.splitlines()[-1])

    return do


@pytest.fixture(scope="module")
def forge(start_shared, utilities, agent_forge):
    return start_shared([utilities, agent_forge])


@pytest.fixture(scope="module")
def user(forge):
    return Trainer(forge, "alice")


@pytest.fixture(scope="module")
def model(user):
    """A model of byte pairs that knows the story by heart."""
    file = user.upload(STORY * 300, "story.txt")["file_id"]
    run = user.completed(user.begin(
        "cognate", 150, 4, data=[file], count=1, width=32, layers=2, heads=2, hidden=64, context=64, vocabulary=300,
        learning_rate=1e-2))
    return run["models"][0]


@pytest.fixture(scope="module")
def packed(user, model):
    """Models that are stored in other ways than as float32."""
    made = {}
    for name, phase in [("ternary", "bitnet"), ("compressed", "final_compression")]:
        made[name] = user.completed(user.begin(phase, 4, 4, models=[model]))["models"][0]
    made["halting"] = user.completed(user.begin(
        "cognate", 1, count=1, width=32, layers=2, heads=2, hidden=64, context=64, vocabulary=272, act=True,
        compare=False))["models"][0]
    return made


@pytest.fixture(scope="module")
def foreign(user, torch, tmp_path_factory):
    """A Llama that transformers made: its folder, its files, and its name here."""
    path = tmp_path_factory.mktemp("llama")
    assert torch(["make", str(path)]) == [None]
    files = {name: (path / name).read_bytes() for name in ("config.json", "model.safetensors")}
    name = user.brought(archive(files))
    # It came without one: here it was taken for one of bytes.
    (path / "tokenizer.json").write_bytes(user.file(name, "tokenizer.json"))
    return path, files, name


@pytest.fixture(scope="module")
def told(user, model, packed, foreign, torch, tmp_path_factory):
    """What PyTorch and its libraries say of all the models, asked at once: to start them takes long."""
    def exported(name):
        path = tmp_path_factory.mktemp("exported")
        for file, content in unpack(user.export(name)).items():
            (path / file).write_bytes(content)
        return str(path)

    own = exported(model)
    jobs = {
        "own": ["continue", own, 24, PROMPTS], "foreign": ["continue", str(foreign[0]), 16, PROMPTS],
        "tokens": ["encode", own, TEXTS],
        **{form: ["continue", exported(name), 8, PROMPTS[:1]] for form, name in packed.items()},
    }
    return dict(zip(jobs, torch(*jobs.values())))


def test_pytorch_goes_on_with_a_text_as_the_gateway_does(user, model, told):
    own = [user.chat(model, prompt, max_tokens=24) for prompt in PROMPTS]
    assert [one["text"] for one in told["own"]] == [one["response"] for one in own]
    assert "loft" in own[2]["response"]


def test_the_tokenizers_library_reads_the_same_tokens(user, model, told):
    for text, one in zip(TEXTS, told["tokens"], strict=True):
        assert one["text"] == text
        assert user.chat(model, text, max_tokens=1)["usage"]["prompt_tokens"] == len(one["ids"]), text


def test_pytorch_refuses_what_it_would_compute_otherwise(packed, told):
    for form in packed:
        assert "model type `forge`" in told[form]["error"], told[form]


def test_a_llama_of_transformers_is_brought_in_and_says_the_same(user, foreign, told):
    _, files, name = foreign
    own = [user.chat(name, prompt, max_tokens=16)["response"] for prompt in PROMPTS]
    assert [plain(one["text"]) for one in told["foreign"]] == [plain(one) for one in own]
    sent, kept = (parts(content) for content in (files["model.safetensors"], user.file(name)))
    assert tensors(*sent) == tensors(*kept)


def test_another_user_gets_the_same_answers_from_the_archive(forge, user, model, packed):
    other = Trainer(forge, "somebody else")
    for name in [model, *packed.values()]:
        content = user.export(name)
        copy = other.brought(content)
        assert copy != name
        for prompt in PROMPTS:
            assert user.chat(name, prompt)["response"] == other.chat(copy, prompt)["response"]
        assert unpack(other.export(copy))["model.safetensors"] == unpack(content)["model.safetensors"]
        told = other.model(copy)
        assert told["phase"] == "import" and told["user_id"] == "somebody else" and told["parents"] == []
        assert "validation_loss" not in told["metrics"], "a claim is no measurement"
        assert user.model(name)["form"] == told["form"]


def plain(text):
    """What is left of random bytes whatever way what is no UTF-8 is shown."""
    return text.replace("\ufffd", "").strip()


def parts(content):
    """The header and the numbers of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8:8 + size]), content[8 + size:]


def tensors(header, numbers):
    """The bytes of each tensor."""
    return {name: numbers[slice(*one["data_offsets"])] for name, one in header.items() if name != "__metadata__"}


def written(header, numbers):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def broken():
    """Archives that are no model, with the field that each is refused for."""
    good = unpack(saying("Hi, you!"))
    weights, config = good["model.safetensors"], json.loads(good["config.json"])
    header, numbers = parts(weights)

    def changed(**files):
        return archive({name: data for name, data in {**good, **files}.items() if data is not None})

    def configured(**members):
        return changed(**{"config.json": json.dumps({**config, **members}).encode()})

    def weighed(content):
        return changed(**{"model.safetensors": content})

    lost = {name: tensor for name, tensor in header.items() if name != "model.norm.weight"}
    far = json.loads(json.dumps(header))
    far["model.norm.weight"]["data_offsets"] = [0, 1 << 60]
    other = json.loads(json.dumps(header))
    other["model.norm.weight"]["shape"] = [16, 2]
    infinite = numbers[:-4] + b"\x00\x00\x80\x7f"
    yield "no tar", b"no archive at all" * 100, "archive"
    yield "cut within", changed()[:2000], "archive"
    yield "cut head", changed()[:100], "archive"
    yield "empty", archive({}), "config.json"
    yield "unknown file", changed(**{"evil.py": b"print()"}), "evil.py"
    yield "a folder", changed(**{"../config.json": b"{}"}), "../config.json"
    yield "no config", changed(**{"config.json": None}), "config.json"
    yield "no weights", changed(**{"model.safetensors": None}), "model.safetensors"
    yield "no JSON", changed(**{"config.json": b"{"}), "config.json"
    yield "a list", changed(**{"config.json": b"[]"}), "config.json"
    yield "grouped heads", configured(num_key_value_heads=1), "config.json.num_key_value_heads"
    yield "too wide", configured(hidden_size=1 << 40), "config.json.hidden_size"
    yield "another kind", configured(model_type="gpt2"), "config.json.model_type"
    yield "not tied", configured(tie_word_embeddings=False), "config.json.tie_word_embeddings"
    yield "a vocabulary without words", configured(vocab_size=300), "tokenizer.json"
    yield "no tokenizer", changed(**{"tokenizer.json": b"{}"}), "tokenizer.json"
    yield "a tensor lost", weighed(written(lost, numbers)), "model.safetensors"
    yield "a tensor far away", weighed(written(far, numbers)), "model.safetensors"
    yield "a tensor of another shape", weighed(written(other, numbers)), "model.safetensors"
    yield "numbers cut", weighed(weights[:-100]), "model.safetensors"
    yield "numbers too many", weighed(weights + bytes(4)), "model.safetensors"
    yield "a header too long", weighed((1 << 62).to_bytes(8, "little") + weights[8:]), "model.safetensors"
    yield "infinite", weighed(written(header, infinite)), "model.safetensors"
    yield "nothing in it", weighed(b""), "model.safetensors"
    yield "a card of a form unknown", changed(**{"forge.json": b'{"format": 1, "form": "magic"}'}), "forge.json.form"


@pytest.mark.parametrize("content,field", [pytest.param(*rest, id=name) for name, *rest in broken()])
def test_a_broken_archive_is_refused_with_its_field(forge, user, content, field):
    models = user.get("/v1/models?status=completed").data["total_count"]
    answer = user.bring(content)
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR"), answer
    faults = {fault["field"]: fault["reason"] for fault in answer.json()["details"]}
    assert field in faults and faults[field], faults
    assert user.get("/v1/models?status=completed").data["total_count"] == models
    assert not list((forge.data / "plugins/agent_forge/models").glob("*.partial"))


def test_what_is_no_archive_by_its_type_is_refused(forge, user):
    answer = forge.post("/v1/models/import", b"{}", {**user.fields, "Content-Type": "application/json"})
    assert answer.status == 415
    assert user.bring(b"").status == 422
