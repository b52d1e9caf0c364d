"""What has a plugin of a running gateway loaded, replaced or ended: renames, SIGHUP, the command line, /v1/admin."""

import json
import os
import select
import signal
import threading

import pytest

from conftest import eventually
from process import Process
from raw import request_bytes
from swaps import change, listed, put, put_file, reload, steps

NAME = "10-swapped.json"


@pytest.fixture
def serving(start, fixture_library, tmp_path):
    """A gateway with a replaceable library, and the path of that."""
    library = tmp_path / "libswapped.so"
    put(fixture_library("swapped"), library)
    gateway = start([library], LIMIT_PROBATION_SECONDS=0)
    gateway.library = library
    gateway.admin = gateway.fields("root", "admin")
    return gateway


def build(gateway):
    answer = gateway.get("/v1/swapped")
    return answer.data["build"] if answer.status == 200 else answer.status


# ---- renames ----


def test_a_library_renamed_into_place_is_taken_at_once(serving, fixture_library):
    put(fixture_library("swapped", BUILD=2), serving.library)
    eventually(lambda: build(serving) == 2)
    assert listed(serving, "swapped")["last_change"]["change"] == "load"


def test_a_library_written_in_place_is_not_taken_until_somebody_asks(serving, fixture_library):
    serving.library.unlink()
    serving.library.write_bytes(fixture_library("swapped", BUILD=2).read_bytes())
    other = serving.library.with_name("libother.so")
    put(serving.library, other)  # a rename beside it, which the watcher sees and passes over
    assert build(serving) == 1 and listed(serving, "swapped")["generation"] == 1
    serving.signal(signal.SIGHUP)
    eventually(lambda: build(serving) == 2)


def test_a_file_renamed_into_plugins_d_turns_a_plugin_on_changes_it_and_off(serving, fixture_library):
    library = str(fixture_library("edge"))
    put_file(serving, "20-edge.json", {"library": library})
    eventually(lambda: any(p["name"] == "edge" and p["state"] == "active" for p in plugins(serving)))
    put_file(serving, "20-edge.json", {"library": library, "limits": {"in_flight": 3}})
    eventually(lambda: listed(serving, "edge")["generation"] == 2)
    os.unlink(serving.plugins / "20-edge.json")
    eventually(lambda: not any(p["name"] == "edge" for p in plugins(serving)))
    assert "edge" not in serving.get("/health").json()["services"]
    assert not Process(serving.pid).images("edge")
    assert build(serving) == 1


def plugins(gateway):
    return json.loads(gateway.run("plugin", "list", "--json").stdout)


def test_a_file_that_is_wrong_changes_nothing_and_is_shown(serving):
    put_file(serving, NAME, {"library": str(serving.library), "enabld": True})
    serving.log.find('plugin load failed.*did you mean .*enabled')
    assert build(serving) == 1
    last = listed(serving, "swapped")["last_change"]
    assert last["outcome"] == "failed" and f"{NAME}:1:" in last["message"]


def test_a_new_file_that_is_wrong_is_shown_in_the_health(serving):
    put_file(serving, "20-bad.json", {"library": "nowhere"})
    eventually(lambda: serving.get("/health").json()["services"].get("bad", {}).get("status") == "error")
    os.unlink(serving.plugins / "20-bad.json")
    eventually(lambda: "bad" not in serving.get("/health").json()["services"])


def test_a_plugin_in_two_files_runs_once_and_the_other_is_shown_until_it_is_gone(serving):
    def services():
        return serving.get("/health").json()["services"]

    content = {"library": str(serving.library)}
    put_file(serving, "05-swapped.json", content)
    eventually(lambda: services().get("05-swapped.json", {}).get("status") == "error")
    # The name is that of the one that runs, whichever file comes first.
    assert reload(serving, "swapped")["generation_after"] == 2
    os.unlink(serving.plugins / "05-swapped.json")
    eventually(lambda: "05-swapped.json" not in services())
    assert services()["swapped"]["status"] == "running"
    # The plugin moves to a file of another number.
    put_file(serving, "20-swapped.json", content)
    eventually(lambda: services().get("20-swapped.json", {}).get("status") == "error")
    os.unlink(serving.plugins / NAME)
    eventually(lambda: [plugin["state"] for plugin in plugins(serving)] == ["active"])
    assert services().keys() == {"swapped", "websocket"} and services()["swapped"]["status"] == "running"
    assert change(serving, "disable", "20-swapped.json")["outcome"] == "done"


def test_a_file_that_gets_another_number_goes_on(serving):
    (serving.plugins / NAME).rename(serving.plugins / "20-swapped.json")
    eventually(lambda: [plugin["file"] for plugin in plugins(serving)] == ["20-swapped.json"])
    eventually(lambda: build(serving) == 1)


def test_a_change_of_comments_alone_is_no_change(serving):
    staged = serving.plugins / ".staged"
    staged.write_text('{"library": "%s" /* the same */}' % serving.library)
    staged.rename(serving.plugins / NAME)
    serving.signal(signal.SIGHUP)
    assert json.loads(serving.run("plugin", "rescan", "--json").stdout) == []
    assert listed(serving, "swapped")["generation"] == 1


# ---- the command line ----


def test_disable_and_enable_write_the_file_and_keep_its_comments(serving):
    file = serving.plugins / NAME
    file.write_text('{\n  // mine\n  "library": "%s"\n}\n' % serving.library)
    report = change(serving, "disable", "swapped")
    assert report["outcome"] == "done" and report["generation_after"] is None
    assert serving.get("/v1/swapped").status == 404
    assert '"enabled": false' in file.read_text() and "// mine" in file.read_text()
    assert listed(serving, "swapped")["state"] == "disabled"
    assert not Process(serving.pid).images("swapped")
    assert change(serving, "disable", "swapped")["outcome"] == "unchanged"
    assert change(serving, "enable", "swapped")["outcome"] == "done"
    assert build(serving) == 1 and '"enabled": true' in file.read_text()
    assert change(serving, "enable", "swapped")["outcome"] == "unchanged"


def test_a_name_that_is_none_is_said_and_fails(serving):
    ended = serving.run("plugin", "reload", "nobody")
    assert ended.returncode == 1 and 'there is no plugin "nobody"' in ended.stdout
    assert serving.run("plugin", "reload").returncode == 2
    assert serving.run("plugin", "reload", "swapped", "--fore").returncode == 2


def test_a_reload_for_people_has_one_line_for_each_step(serving):
    lines = serving.run("plugin", "reload", "swapped").stdout.splitlines()
    assert lines[0].startswith("swapped: reload done: generation 2 of swapped 1.2.3 serves")
    assert [line.split()[0] for line in lines[1:]][:4] == ["copy", "probe", "load", "create"]
    assert all(" ms" in line for line in lines[1:])


def test_a_change_that_waits_for_its_turn_is_refused_when_the_gateway_stops(start, fixture_library):
    gateway = start([fixture_library("swapped")], LIMIT_PROBATION_SECONDS=0, LIMIT_DRAIN_SECONDS=2)
    with gateway.client() as client:
        client.send(b"GET /v1/swapped/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: listed(gateway, "swapped")["requests_under_way"] == 1)
        reload(gateway, "swapped")
        said = []
        # One waits until the stream has ended, at the drain's limit; the other for its turn.
        threads = [
            threading.Thread(target=lambda: said.append(gateway.run("plugin", "reload", "swapped").stdout))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        control = Process(gateway.pid)
        eventually(lambda: [task.name for task in control.tasks("control client")][1:], what="both changes under way")
        gateway.signal()
        gateway.wait()
        for thread in threads:
            thread.join()
    assert any("the gateway is stopping" in text for text in said), said
    assert "generation=4" not in gateway.log.text()


def test_verbs_without_a_gateway_say_so(tmp_path):
    from conftest import run_gateway
    ended = run_gateway("plugin", "reload", "x", DATA_DIR=tmp_path)
    assert ended.returncode == 1 and "no gateway is running here" in ended.stderr


# ---- /v1/admin ----


def test_admin_lists_shows_and_reloads(serving):
    listing = serving.get("/v1/admin/plugins", serving.admin).data
    assert [plugin["name"] for plugin in listing["plugins"]] == ["swapped"] and listing["retired"] == []
    report = serving.post("/v1/admin/plugins/swapped/reload", b"", serving.admin).data
    assert report["outcome"] == "done" and "switch" in steps(report)
    shown = serving.get("/v1/admin/plugins/swapped", serving.admin).data
    assert shown["generation"] == 2 and shown["last_change"]["change"] == "reload"
    assert serving.post("/v1/admin/plugins/swapped/disable", b"", serving.admin).data["outcome"] == "done"
    assert serving.get("/v1/swapped").status == 404
    assert serving.post("/v1/admin/plugins/swapped/enable", b"", serving.admin).data["outcome"] == "done"
    assert build(serving) == 1
    assert serving.post("/v1/admin/rescan", b"", serving.admin).data == {"reports": []}


def test_admin_is_for_admins_alone_and_says_what_is_wrong(serving, fixture_library):
    path = "/v1/admin/plugins/swapped/reload"
    assert serving.post(path, b"").status == 401
    assert serving.post(path, b"", serving.fields(scope="read,write")).status == 403
    assert serving.get(path, serving.admin).status == 405
    for verb in ("reload", "enable", "disable"):
        missing = serving.post(f"/v1/admin/plugins/nobody/{verb}", b"", serving.admin)
        assert missing.status == 404 and missing.code == "RESOURCE_NOT_FOUND"
    assert serving.get("/v1/admin/plugins/nobody", serving.admin).status == 404
    for query in ("force", "force=1", "force=true&x=1"):
        unclear = serving.post(f"{path}?{query}", b"", serving.admin)
        assert unclear.status == 400 and "force=true" in unclear.json()["message"]
    assert listed(serving, "swapped")["generation"] == 1
    serving.library.unlink()
    serving.library.write_bytes(fixture_library("create_fails").read_bytes())
    refused = serving.post(path, b"", serving.admin)
    assert refused.status == 409 and refused.code == "CONFLICT"
    assert refused.json()["details"]["steps"][-1]["failed"]
    assert build(serving) == 1


def test_a_plugin_cannot_take_the_admin_routes(start, fixture_library):
    gateway = start([fixture_library("swapped", NAME='"admin"')])
    assert "loaded already, from the gateway itself" in plugins(gateway)[0]["reason"]


# ---- the watchdog ----


def test_an_inline_route_that_keeps_its_loop_is_moved_to_the_pool(start, edge):
    gateway = start([edge], LIMIT_INLINE_OVERRUN_COUNT=2)
    fields = gateway.fields()
    for _ in range(2):
        assert gateway.get("/v1/edge/nap", fields).status == 200
    gateway.log.find("a route runs on the pool from now on.*edge/nap")
    metrics = gateway.get("/metrics", gateway.fields(scope="admin")).body.decode()
    assert any("inline_moved" in line and "edge/nap" in line and line.endswith(" 1") for line in metrics.splitlines())
    # The loop answers others while the route, which takes 0.3 s, is at work.
    with gateway.client() as slow:
        slow.send(request_bytes("GET", "/v1/edge/nap", fields))
        eventually(lambda: listed(gateway, "edge")["requests_under_way"] == 1)
        assert gateway.get("/health/live").status == 200
        assert not select.select([slow.socket], [], [], 0)[0]
        assert slow.read().status == 200
