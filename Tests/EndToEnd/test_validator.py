"""The validator of plugin libraries: what is bundled passes, each misbehaviour fails the test that is meant for it."""

import json
import re
import subprocess

import pytest

from conftest import BINARY, ROOT, run_gateway

# The fault misfit.c is built with, the test that it fails, and the words that say why.
MISFITS = [
    ("ANY_MAJOR", "load.entry", "took a host of major version 2"),
    ("IMPURE", "load.entry", "gave two descriptors"),
    ("SLOW", "load.entry", r"took \d+ ms; it must take less than 50"),
    ("FLAGS", "load.descriptor", "flags is 1; set it to 0"),
    ("EARLY_THREAD", "load.threads", "opening the library made threads of the plugin's own"),
    ("SILENT_QUIESCE", "load.create", "quiesce was not answered"),
    ("ENDLESS_JOB", "load.create", r"Its jobs still run .*endless"),
    ("MUTE", "contract.settings", "gave no reason; say why with core->set_error"),
    ("ANY_TABLE", "contract.unknown", "an id it cannot know"),
    ("NEEDS_ALL", "contract.withheld", r"crashed \(SIGSEGV\) while calling create without gw.health/1"),
    ("NEEDS_SUCCESS", "contract.refused", r"crashed \(SIGSEGV\) .* when call 1 of http->add_route gives"),
    ("TWICE", "request.answer", r"POST /v1/misfit: It answered twice \(reply after reply\)"),
    ("NEVER", "request.answer", "POST /v1/misfit: no answer came within"),
    ("LIES", "request.answer", "returned GW_OK without an answer"),
    ("BAD_DATA", "request.answer", "reply's data is not one JSON value"),
    ("BAD_FIELD", "request.answer", "reply has a header field that may not be sent"),
    ("NO_UTF8", "request.answer", r"crashed \(SIGSEGV\) while handling POST /v1/misfit with a body"),
    ("LATE_READ", "request.answer", r"crashed \(SIGSEGV\) while handling POST /v1/misfit"),
    ("NO_SUM", "request.answer", "POST /v1/misfit/parts: no answer came within"),
    ("BLOCKS_LOOP", "request.answer", "POST /v1/misfit/inline: request took more than 0.25 seconds on the event loop"),
    ("PART", "request.split", r"crashed \(SIGSEGV\) while handling POST /v1/misfit/parts with a form .*, in parts"),
    ("CANCEL", "request.cancel", r"crashed \(SIGSEGV\) while handling POST /v1/misfit/parts with a client that"),
    ("SILENT_CHECK", "callback.checks", 'check "self" was not answered within'),
    ("SILENT_SERVICE", "callback.services", 'service "misfit.echo" with an argument of random bytes was not answered'),
    ("BAD_EVENT", "callback.events", r'crashed \(SIGSEGV\) while .*misfit.tick'),
    ("DRIFTS", "state.handover", "snapshot gave 10 other bytes after restore"),
    ("TAKES_ALL", "state.garbage", "restore took an unknown schema number as state"),
    ("RESUME", "state.jobs", r"crashed \(SIGSEGV\) while calling resume"),
    ("UNFIT", "state.selftest", "selftest failed: it feels unfit"),
    ("LEAKS", "life.cycles", r"Memory grew by \d+ KiB"),
    ("LEAKS_FILES", "life.cycles", r"\d+ descriptors were left open"),
    ("STATIC_HOST", "life.two", "quiesce was not answered within .* with two instances alive"),
    ("STRAY", "life.two", "core->set_error was called after destroy"),
    ("AFTER_SWAP", "swap.load", "POST /v1/misfit answered 500 during a swap"),
]

# How a library is built, the test that it fails, and the words that say why.
BUILDS = [
    (["-DEXPORTS"], "static.exports", "exports 1 symbols besides gw_plugin_entry: misfit_counter"),
    (["-DUNRESOLVED"], "static.imports", "1 symbols, misfit_is_nowhere among them"),
    (["-DUNIQUE"], "static.unique", "misfit_unique among them"),
    (["-Wl,-z,execstack"], "static.stack", "executable stack"),
    (["-DCODE_RELOCATION", "-Wl,-z,notext"], "static.relocations", "DT_TEXTREL"),
    (["-Wl,-z,nodelete"], "static.nodelete", "never to be unloaded"),
]

# Fixtures of other tests, likewise.
FIXTURES = [
    ("no_entry", "static.exports", "exports no gw_plugin_entry"),
    ("null_entry", "load.entry", "gave NULL"),
    ("wrong_major", "load.descriptor", "built for contract version 7"),
    ("wrong_size", "load.descriptor", "struct_size is 112, must be 104"),
    ("no_function", "load.descriptor", r"gw_plugin_v1\.interface is NULL"),
    ("create_fails", "load.create", "create failed: the database is on strike"),
    ("create_crashes", "load.create", r"crashed \(SIGSEGV\) while calling create"),
    ("create_exits", "load.create", r"ended the process \(exit status 0\) while calling create"),
    ("create_hangs", "load.create", "create has not returned within"),
    ("own_thread", "load.threads", "create made threads of the plugin's own"),
    ("own_thread", "life.cycles", "threads were left running"),
    ("bad_routes", "load.create", "http->add_route HEAD /v1/x"),
    ("answers", "request.answer", r"GET /v1/twice: It answered twice"),
    ("hanging_check", "callback.checks", 'check "hangs" was not answered'),
]


@pytest.fixture(scope="module")
def misfit(tmp_path_factory):
    directory = tmp_path_factory.mktemp("misfits")

    def build(*options):
        path = directory / (re.sub(r"\W", "", "".join(options)) + ".so")
        subprocess.run(
            ["clang", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
             "-I", ROOT / "PluginSDK/C", ROOT / "Tests/Fixtures/misfit.c", "-o", path, *options],
            check=True,
        )
        return path

    return build


def check(library, *options):
    """The exit status, and what the validator says, by test."""
    ended = run_gateway("plugin", "check", str(library), "--json", *options, limit=170)
    report = json.loads(ended.stdout)
    assert ended.returncode == (0 if report["passed"] else 1)
    return {test["test"]: test for test in report["tests"]}


def expect_failure(library, test, words):
    outcome = check(library, "--only", test, "--answer-time", "0.4", "--seed", "7")[test]
    assert outcome["result"] == "failed"
    assert re.search(words, " ".join(outcome["sentences"])), outcome["sentences"]


@pytest.mark.parametrize("fault,test,words", MISFITS)
def test_each_misbehaviour_fails_its_test_for_its_reason(misfit, fault, test, words):
    expect_failure(misfit(f"-DFAULT={fault}"), test, words)


@pytest.mark.parametrize("options,test,words", BUILDS)
def test_each_bad_build_fails_its_test_for_its_reason(misfit, options, test, words):
    expect_failure(misfit(*options), test, words)


@pytest.mark.parametrize("fixture,test,words", FIXTURES)
def test_the_other_fixtures_fail_too(fixture_library, fixture, test, words):
    expect_failure(fixture_library(fixture), test, words)


def test_without_a_fault_everything_passes(misfit):
    outcomes = check(misfit())
    # There is nothing that waits for a slow client.
    assert {name for name, test in outcomes.items() if test["result"] != "passed"} == {"request.slow"}
    assert outcomes["static.sealed"]["sentences"] == ["a swap will unload it"]
    assert outcomes["load.unload"]["sentences"] == ["unloaded"]


def test_threads_and_a_shared_runtime_are_named_as_what_keeps_the_code(misfit):
    outcome = check(misfit("-DFAULT=KEEPS_THREAD"), "--only", "load.unload")["load.unload"]
    assert outcome["result"] == "passed"
    assert "stays mapped: it has threads of its own" in outcome["sentences"][0]


@pytest.fixture(scope="module")
def hello_c(tmp_path_factory):
    path = tmp_path_factory.mktemp("hello") / "libhello_c.so"
    subprocess.run(
        ["cc", "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-z,defs", "-I", ROOT / "PluginSDK/C",
         "-o", path, ROOT / "PluginSDK/Templates/c/plugin.c"], check=True,
    )
    return path


@pytest.mark.parametrize("name", ["utilities", "agent_forge", "tokens", "p2p_fog", "hello_swift", "hello_c"])
def test_the_bundled_plugins_pass(name, hello_c):
    library = hello_c if name == "hello_c" else BINARY.parent / f"lib{name}.so"
    outcomes = check(library)
    assert not {name: test["sentences"] for name, test in outcomes.items() if test["result"] == "failed"}
    for needed in ["request.answer", "request.cancel", "life.cycles", "swap.load", "contract.refused"]:
        assert outcomes[needed]["result"] == "passed"
    assert "1000 lives" in outcomes["life.cycles"]["sentences"][0]
    assert "10 swaps" in outcomes["swap.load"]["sentences"][0]


# The command


def test_people_get_a_line_a_test_and_what_to_run_again(misfit):
    ended = run_gateway("plugin", "check", str(misfit("-DFAULT=FLAGS")), "--seed", "5")
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert "pass  static.exports" in lines
    assert any(re.fullmatch(r"FAIL  load\.descriptor +gw_plugin_v1\.flags is 1; set it to 0\.", line) for line in lines)
    assert any(re.fullmatch(r"skip  life\.cycles +says nothing before load\.descriptor passes", line) for line in lines)
    assert lines[-1].startswith("again: gateway plugin check ") and lines[-1].endswith("--seed 5 --only load.descriptor")


def test_the_same_seed_gives_the_same_again(misfit):
    library = misfit("-DFAULT=PART")
    said = {
        tuple(check(library, "--only", "request.split", "--seed", "11")["request.split"]["sentences"]) for _ in range(3)
    }
    assert len(said) == 1


def test_a_crash_harms_no_other_test(misfit):
    outcomes = check(misfit("-DFAULT=NEEDS_ALL"))
    assert [name for name, test in outcomes.items() if test["result"] == "failed"] == ["contract.withheld"]


def test_settings_reach_the_plugin(utilities, tmp_path):
    bad = check(utilities, "--only", "load.create", "--settings", '{"max_upload_bytes": 0}')["load.create"]
    assert bad["result"] == "failed" and "max_upload_bytes" in bad["sentences"][0]
    file = tmp_path / "settings.json"
    file.write_text('{"max_upload_bytes": 1000}')
    assert check(utilities, "--only", "load.create", "--settings", f"@{file}")["load.create"]["result"] == "passed"


def test_a_file_that_is_no_library_is_named_as_such(tmp_path):
    file = tmp_path / "notes.so"
    file.write_text("#!/bin/sh\n")
    outcomes = check(file)
    assert outcomes["static.file"]["sentences"] == [
        "The file is not a shared library (no ELF header); name a .so file."]
    assert {test["result"] for name, test in outcomes.items() if name != "static.file"} == {"skipped"}


@pytest.mark.parametrize("arguments,words", [
    ([], "FILE: write one, not 0"), (["a.so", "b.so"], "FILE: write one, not 2"),
    (["a.so", "--fast"], '"--fast": there is no such option'), (["a.so", "--only", "x"], 'there is no test "x"'),
    (["a.so", "--seed", "-1"], "a whole number from 0"), (["a.so", "--seed"], "--seed: write a value"),
    (["a.so", "--settings", "[]"], "write a JSON object"), (["a.so", "--settings", "{"], "not JSON at line 1"),
    (["a.so", "--settings", "@/no/such"], "cannot be read"), (["a.so", "--answer-time", "0"], "seconds from 0.1 to 600")])
def test_what_is_not_understood_is_said_with_status_2(arguments, words):
    ended = run_gateway("plugin", "check", *arguments)
    assert ended.returncode == 2 and words in ended.stderr and ended.stdout == ""


def test_a_missing_file_fails(tmp_path):
    ended = run_gateway("plugin", "check", str(tmp_path / "no.so"))
    assert ended.returncode == 1 and "cannot be checked" in ended.stderr


def test_the_list_names_every_test():
    ended = run_gateway("plugin", "check", "--list")
    assert ended.returncode == 0
    names = {line.split()[0] for line in ended.stdout.splitlines()}
    assert names >= {test for _, test, _ in MISFITS + BUILDS + FIXTURES}


def test_nothing_is_left_behind(misfit, tmp_path):
    run_gateway("plugin", "check", str(misfit()), TMPDIR=tmp_path)
    assert list(tmp_path.iterdir()) == []
