"""Plugins: files that are wrong, plugins that misbehave, and what the libraries export and need."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import BINARY, ROOT, eventually, make_token, run_gateway
from raw import bearer

# What each fixture is refused for, in the words of the operator's message.
REFUSED = {
    "create_crashes": "crash|signal", "create_exits": "exit|ended", "create_fails": "the database is on strike",
    "create_hangs": "hangs", "no_entry": "gw_plugin_entry", "no_function": "interface|function", "null_entry": "NULL|serve",
    "wrong_major": "7", "wrong_size": "size|bytes", "unknown_interface": r"needs gw\.teleport/1", "bad_routes": None,
}


@pytest.fixture(scope="module")
def company(start_shared, fixture_library, edge):
    """A gateway with two good plugins among all the bad ones, and a check of the same files."""
    names = ["good", *(name for name, words in REFUSED.items() if words), "duplicate_route"]
    files = {f"{20 + n}-{name}.json": {"library": str(fixture_library(name))} for n, name in enumerate(names)}
    gateway = start_shared([edge], files=files)
    gateway.names = names
    return gateway


@pytest.fixture(scope="module")
def checked(company):
    ended = company.run("check")
    assert ended.returncode == 1
    return ended.stdout


def message(text, name):
    lines = [line for line in text.splitlines() if f"-{name}.json" in line]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize("name,words", [(name, words) for name, words in REFUSED.items() if words])
def test_a_plugin_that_cannot_be_started_is_refused_by_name_and_place(company, checked, name, words):
    line = message(checked, name)
    assert re.search(rf"-{name}\.json:1:13: error: .*({words})", line), line
    assert re.search(words, message(company.log.text(10_000), name))
    failed = company.get("/health").json()["services"][name]
    assert failed["status"] == "error" and failed["available"] is False


def test_a_route_that_another_plugin_has_is_refused(company, checked):
    line = message(checked, "duplicate_route")
    assert ":1:13: error: " in line and "GET /v1/good/{other}" in line and "good" in line
    assert company.get("/health").json()["services"]["duplicate_route"]["status"] == "error"


def test_bad_plugins_harm_no_good_one(company, checked):
    fields = bearer(make_token())
    answer = company.get("/v1/good/x", fields)
    assert answer.data == {"n": 1} and answer.get("X-Fixture") == "good"
    assert company.get("/v1/edge/text/3", fields).body == b"abc"
    body = company.get("/health").json()
    assert body["status"] == "degraded" and body["services"]["edge"]["status"] == "running"
    assert ": ok: good 1.2.3, routes: 1" in message(checked, "good")


def test_what_a_failed_plugin_declared_is_gone(company):
    assert company.get("/v1/half", bearer(make_token())).status == 404
    assert not any("half" in endpoint for endpoint in company.get("/").data["endpoints"])


def test_the_list_of_a_running_gateway_shows_every_file(company):
    listed = company.run("plugin", "list")
    assert listed.returncode == 0
    rows = {line.split()[0]: line for line in listed.stdout.splitlines() if line and not line.startswith(" ")}
    assert set(rows) == {"NAME", "edge", *company.names}
    assert re.search(r"good\s+1\.2\.3\s+1\s+active\s+1", rows["good"])
    assert re.search(r"\bfailed\b", rows["create_fails"]) and "on strike" in listed.stdout
    assert "  GET /v1/good/{name}" in listed.stdout.splitlines()


def test_the_list_in_json_can_be_read_by_programs(company):
    plugins = {plugin["name"]: plugin for plugin in json.loads(company.run("plugin", "list", "--json").stdout)}
    assert plugins["good"]["state"] == "active" and plugins["good"]["routes"] == ["GET /v1/good/{name}"]
    assert plugins["good"]["generation"] == 1 and plugins["good"]["version"] == "1.2.3"
    assert plugins["wrong_major"]["state"] == "failed" and plugins["wrong_major"]["reason"]


def test_the_list_without_a_gateway_says_so(tmp_path):
    ended = run_gateway("plugin", "list", DATA_DIR=tmp_path)
    assert ended.returncode == 1 and ended.stderr.strip() and ended.stdout == ""


def test_every_refusal_of_bad_routes_is_kept(start, fixture_library):
    gateway = start([fixture_library("bad_routes")])
    assert gateway.get("/health").json()["services"]["bad_routes"]["status"] == "running"


# Files


def check(tmp_path, text, name="10-it.json"):
    directory = tmp_path / "plugins.d"
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    ended = run_gateway("check", PLUGINS_DIR=directory, DATA_DIR=tmp_path / "data")
    return ended.returncode, ended.stdout.strip()


@pytest.mark.parametrize("text,place,words", [
    ('{\n  "libary": "x"\n}', "2:3", 'unknown key "libary"; did you mean "library"?'),
    ('{\n  "library": 5\n}', "2:14", '"library" must be a text, not'),
    ('{"library": "x",\n "enabled": "yes"}', "2:13", '"enabled" must be true or false'),
    ('{"library": "x", "settings": []}', "1:30", '"settings" must be an object'),
    ('{"library": "x", "limits": {"body_bytes": -1}}', "1:43", '"body_bytes" must be a whole number from 0'),
    ('{"library": "x", "limits": {"speed": 1}}', "1:29", 'unknown key "speed"'),
    ('{}', "1:1", '"library" is missing'), ('{"library": ""}', "1:13", '"library" is empty'),
    ('[]', "1:1", "must be an object"), ('{"library": "x"', "1:16", ""), ('{"library": "x" "y": 1}', "1:17", ""),
    ('{"library": "x", "library": "y"}', "1:18", ""), ('/* never ended', "1:", ""),
    ('{"library": "no_such_library"}', "1:13", "was not found; looked for")])
def test_a_wrong_file_is_refused_with_line_column_and_remedy(tmp_path, text, place, words):
    status, output = check(tmp_path, text)
    assert status == 1
    assert f"10-it.json:{place}" in output and ": error: " in output and words in output


def test_a_wrong_file_keeps_no_other_from_loading(start, edge):
    gateway = start([edge], files={"20-typo.json": '{"libary": "x"}', "30-open.json": "{"})
    services = gateway.get("/health").json()["services"]
    assert services["edge"]["status"] == "running"
    assert services["typo"]["status"] == services["open"]["status"] == "error"
    gateway.log.find(r'20-typo\.json:1:2: error: unknown key \\?"libary')


def test_comments_and_trailing_commas_are_taken(tmp_path, edge):
    status, output = check(tmp_path, f'// a plugin\n{{ /* here */ "library": "{edge}", "enabled": true, }}\n')
    assert status == 0 and "ok: edge 1.2.3, routes: 21" in output


def test_a_disabled_plugin_is_not_loaded(start, edge, tmp_path):
    content = json.dumps({"library": str(edge), "enabled": False})
    assert check(tmp_path, content) == (0, f"{tmp_path}/plugins.d/10-it.json: disabled")
    gateway = start(files={"10-edge.json": content})
    assert gateway.get("/v1/edge/waiting").status == 404


def test_a_file_without_a_number_is_named(tmp_path, edge):
    status, output = check(tmp_path, json.dumps({"library": str(edge)}), name="edge.json")
    assert status == 1 and "edge.json: error: must be named NN-name.json" in output


def test_the_bundled_files_pass(tmp_path):
    ended = run_gateway("check", PLUGINS_DIR=ROOT / "plugins.d", DATA_DIR=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ok: utilities 1.0.0, routes: 6" in ended.stdout
    for name in ("agent_forge", "tokens", "p2p_fog"):
        assert f"ok: {name} 1.0.0, routes: " in ended.stdout


def test_a_plugin_names_its_own_bad_settings(tmp_path, utilities):
    content = {"library": str(utilities), "settings": {"max_upload_bytes": 0, "pdf_timeout": 5}}
    status, output = check(tmp_path, json.dumps(content))
    assert status == 1 and "max_upload_bytes" in output and "pdf_timeout" in output


def test_ceilings_of_the_file_bind_the_plugin(start, edge):
    gateway = start(files={
        "10-edge.json": {"library": str(edge), "limits": {"body_bytes": 10, "timeout_seconds": 1, "in_flight": 1}}})
    fields = bearer(make_token())
    assert gateway.post("/v1/edge/echo", "0123456789", fields).status == 200
    assert gateway.post("/v1/edge/echo", "0123456789x", fields).status == 413
    assert gateway.get("/v1/edge/hold", fields).status == 504


def test_the_swift_template_runs(start):
    library = BINARY.parent / "libhello_swift.so"
    gateway = start(files={"10-hello.json": {"library": str(library), "settings": {"greeting": "Ahoy"}}})
    fields = bearer(make_token())
    assert gateway.get("/v1/hello", fields).data == {"greeting": "Ahoy"}
    assert gateway.get("/v1/hello/Ann?times=2", fields).data == {"greeting": "Ahoy, Ann! Ahoy, Ann!", "number": 1}
    answer = gateway.get(f"/v1/hello/{'x' * 51}?times=11", fields)
    assert answer.status == 422 and {detail["field"] for detail in answer.json()["details"]} == {"name", "times"}


# Answers that a plugin should not give


@pytest.fixture(scope="module")
def odd(start_shared, fixture_library, edge):
    return start_shared([fixture_library("answers"), edge], LIMIT_ANSWER_SECONDS=0.3)


def test_the_second_answer_is_dropped(odd):
    with odd.client() as client:
        for _ in range(20):
            answer = client.get("/v1/twice")
            assert (answer.status, answer.data) == (200, 1)
        assert client.get("/health/live").status == 200


def test_no_answer_is_504_and_a_late_one_is_dropped(odd):
    with odd.client() as client:
        answer = client.get("/v1/never")
        assert (answer.status, answer.code) == (504, "SERVICE_UNAVAILABLE")
        assert client.get("/v1/late").data == "gone"
        assert client.get("/health/live").status == 200


def test_an_answer_for_a_client_that_has_left_is_dropped(odd):
    with odd.client() as client:
        start = len(odd.log.lines)
        client.send("GET /v1/never HTTP/1.1\r\nHost: a\r\n\r\n")
    odd.log.find("GET /v1/never 499", start=start)
    assert odd.get("/v1/late").data == "gone"


def test_a_handler_that_claims_to_have_answered_is_500_and_logged(odd):
    answer = odd.get("/v1/lies", {"X-Request-ID": "the-lie"})
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    odd.log.find("plugin failed on a request .*request_id=the-lie")


def test_what_may_not_be_sent_is_refused(odd):
    answer = odd.get("/v1/bad")
    assert answer.status == 418 and answer.json()["message"] == "9,7,5"


def test_buffers_come_back_once(odd):
    assert odd.get("/v1/buffers").data == 3


# Locks of a plugin's own


@pytest.fixture(scope="module")
def locks(start_shared, fixture_library):
    return start_shared([fixture_library("locks")])


@pytest.mark.parametrize("call,status", [("publish", 0), ("call", -10)])
def test_a_lock_may_be_held_across_a_call_of_the_host_while_an_inline_handler_waits_for_it(locks, call, status):
    with ThreadPoolExecutor(1) as pool, locks.client() as client:
        holder = pool.submit(locks.post, f"/v1/locks/{call}", b"")
        eventually(lambda: client.get("/v1/locks/held").data["value"], what="the held lock")
        assert client.get("/v1/locks").data == {"value": 0}
        assert holder.result().data == {"value": status}


def test_calls_of_the_host_from_all_threads_at_once_get_each_their_answer(locks):
    routes = [("POST", "/v1/locks/busy")] * 4 + [("POST", "/v1/locks/loop"), ("GET", "/v1/locks")]

    def ask(route):
        with locks.client() as client:
            return [client.request(*route).data["value"] for _ in range(200)]

    with ThreadPoolExecutor(len(routes)) as pool:
        assert all(set(values) == {0} for values in pool.map(ask, routes))


# What the libraries export and need


def tool(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["libutilities.so", "libagent_forge.so", "libtokens.so", "libp2p_fog.so", "libhello_swift.so"])
def test_a_sealed_plugin_exports_one_symbol_and_needs_no_swift_runtime(name):
    path = BINARY.parent / name
    defined = [line.split()[-1] for line in tool("nm", "-D", "--defined-only", "--extern-only", path).splitlines()]
    assert [symbol.split("@")[0] for symbol in defined] == ["gw_plugin_entry"]
    undefined = [line.split()[-1] for line in tool("nm", "-D", "--undefined-only", path).splitlines()]
    assert not [symbol for symbol in undefined if symbol.startswith(("$s", "swift_", "_swift", "gw_"))]
    needed = re.findall(r"NEEDED.*\[(.*)\]", tool("readelf", "-d", path))
    assert not [library for library in needed if "swift" in library.lower() or "Foundation" in library]


def test_the_host_is_one_binary_with_its_own_runtime():
    needed = re.findall(r"NEEDED.*\[(.*)\]", tool("readelf", "-d", BINARY))
    assert not [library for library in needed if "swift" in library.lower() or "Foundation" in library]
    undefined = [line.split()[-1] for line in tool("nm", "-D", "--undefined-only", BINARY).splitlines()]
    assert not [symbol for symbol in undefined if symbol.startswith(("$s", "swift_"))]
    defined = [line.split()[-1] for line in tool("nm", "-D", "--defined-only", "--extern-only", BINARY).splitlines()]
    assert not [symbol for symbol in defined if symbol.startswith("gw_")], "a plugin could bind to it"
