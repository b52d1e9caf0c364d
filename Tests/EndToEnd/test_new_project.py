"""Projects of new plugins: made, built, tested and packed as a stranger would do it, then installed and called."""

import re
import shutil
import subprocess
import tarfile

import pytest

from conftest import BINARY, clean_environment, eventually, make_token, run_gateway
from process import Process
from raw import bearer

HAS_CARGO = shutil.which("cargo") is not None
LANGUAGES = [
    "c",
    pytest.param("rust", marks=pytest.mark.skipif(not HAS_CARGO, reason="the Rust template needs cargo, which is not here")),
    "swift",
]


def make(project, *targets, path=None):
    return subprocess.Popen(
        ["make", *targets], cwd=project, env=clean_environment(PATH=path), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)


def finished(process, limit=600):
    output, _ = process.communicate(timeout=limit)
    assert process.returncode == 0, output
    return output


def unpacked(project, folder):
    """What an operator gets: the archive's files, by name."""
    archive = project / f"{project.name}-1.0.0.tar.gz"
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return {path.name: path for path in (folder / f"{project.name}-1.0.0").iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="module")
def built(place):
    """A project in each language, built, tested and packed side by side."""
    outputs = {}
    for language in ["swift", "rust", "c"]:
        if language == "rust" and not HAS_CARGO:
            continue
        name = f"my_{language}"
        made = run_gateway("plugin", "new", "--lang", language, "--dir", place / name, name)
        assert made.returncode == 0, made.stderr
        assert "make test" in made.stdout
        outputs[language] = make(place / name, "test", "pack")
    return {language: finished(process) for language, process in outputs.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_project_builds_tests_packs_and_serves(built, place, tmp_path, start, language):
    name = f"my_{language}"
    says = {"c": "tests.c: passed", "rust": "test result: ok", "swift": "passed"}
    assert says[language] in built[language]
    files = unpacked(place / name, tmp_path)
    assert set(files) == {f"lib{name}.so", f"50-{name}.json", "README.md"}
    gateway = start(
        files={f"50-{name}.json": files[f"50-{name}.json"].read_text()}, LIBRARY_DIR=files[f"lib{name}.so"].parent)
    checked = gateway.run("check")
    assert f"ok: {name} 1.0.0, routes: 2" in checked.stdout and "stays mapped" not in checked.stdout
    fields = bearer(make_token())
    assert gateway.get(f"/v1/{name}", fields).data == {"greeting": "Hello"}
    for number in [1, 2]:
        assert gateway.get(f"/v1/{name}/Ada%20L", fields).data == {"greeting": "Hello, Ada L!", "number": number}
    assert gateway.get(f"/v1/{name}/{'x' * 51}", fields).status == 422
    assert gateway.get(f"/v1/{name}").status == 401
    assert gateway.get("/health").json()["services"][name]["status"] == "running"
    assert gateway.stop() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_project_passes_the_validator(built, place, language):
    said = finished(make(place / f"my_{language}", "check", f"GATEWAY={BINARY}"))
    assert re.search(rf"build/libmy_{language}\.so: \d+ passed, 0 failed", said), said


@pytest.mark.skipif(not HAS_CARGO, reason="the Rust template needs cargo, which is not here")
def test_a_panic_in_rust_costs_one_request_and_the_library_unloads(built, place, start):
    project = place / "my_rust"
    source = project / "src/service.rs"
    text = source.read_text()
    source.write_text(text.replace('let name = request.parameter("name");',
                                   'let name = request.parameter("name");\n        assert!(name != "Eve", "asked to");'))
    assert source.read_text() != text
    finished(make(project))
    gateway = start([project / "build/libmy_rust.so"])
    fields = bearer(make_token())
    # On every thread of the pool: what a panic leaves on a thread is met when the thread ends.
    for _ in range(40):
        assert gateway.get("/v1/my_rust/Eve", fields).status == 500
    gateway.log.find(r"panicked at src/service\.rs:\d+:\d+: asked to")
    assert gateway.get("/v1/my_rust/Ada", fields).data["number"] == 1
    assert Process(gateway.pid).images("my_rust")
    ended = gateway.run("plugin", "disable", "my_rust")
    assert ended.returncode == 0 and "unloaded" in ended.stdout
    assert not Process(gateway.pid).images("my_rust")
    assert gateway.stop() == 0


def test_a_running_gateway_takes_a_new_plugin_that_is_renamed_into_place(built, place, tmp_path, start):
    files = unpacked(place / "my_c", tmp_path)
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    gateway = start(LIBRARY_DIR=libraries)
    files["libmy_c.so"].rename(libraries / "libmy_c.so")
    files["50-my_c.json"].rename(gateway.plugins / "50-my_c.json")
    eventually(lambda: gateway.get("/v1/my_c", bearer(make_token())).status == 200)


@pytest.mark.parametrize("language", ["c", "rust"])
def test_two_projects_of_one_language_run_side_by_side(place, built, start, language):
    if language not in built:
        pytest.skip("the Rust template needs cargo, which is not here")
    made = run_gateway("plugin", "new", "--lang", language, "--dir", place / f"other_{language}", f"other_{language}")
    assert made.returncode == 0, made.stderr
    finished(make(place / f"other_{language}"))
    gateway = start([place / f"{name}_{language}" / "build" / f"lib{name}_{language}.so" for name in ["my", "other"]])
    for name in ["my", "other"]:
        assert gateway.get(f"/v1/{name}_{language}/Ada", bearer(make_token())).data["number"] == 1


def test_without_cargo_make_says_so_in_a_sentence(place, tmp_path):
    made = run_gateway("plugin", "new", "--lang", "rust", "--dir", tmp_path / "things", "things")
    assert made.returncode == 0, made.stderr
    # The tools that make itself needs, and no cargo.
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ["make", "sh", "sed", "find", "mkdir", "cp", "mv"]:
        (tools / tool).symlink_to(shutil.which(tool))
    for target in ["all", "unit"]:
        process = make(tmp_path / "things", target, path=tools)
        output, _ = process.communicate(timeout=60)
        assert process.returncode != 0
        assert output.splitlines()[0] == "cargo is not here, and this plugin needs Rust 1.85 or later: https://rustup.rs"


@pytest.mark.parametrize("name", ["Things", "1st", "a-b", "../a", "a/b", "a" * 33])
def test_a_bad_name_is_refused_and_nothing_is_made(tmp_path, name):
    ended = run_gateway("plugin", "new", "--lang", "c", "--dir", tmp_path / "new", name)
    assert ended.returncode == 2 and "begins with a letter" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_and_a_missing_sdk_are_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes").write_text("mine")
    ended = run_gateway("plugin", "new", "--lang", "c", "--dir", tmp_path / "full", "things")
    assert ended.returncode == 1 and f"{tmp_path}/full: there is something in this folder" in ended.stderr
    ended = run_gateway("plugin", "new", "--lang", "c", "--dir", tmp_path / "new", "--sdk", tmp_path, "things")
    assert ended.returncode == 1 and "not the plugin SDK, as C/gateway_plugin.h is missing" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert (tmp_path / "full/notes").read_text() == "mine"
