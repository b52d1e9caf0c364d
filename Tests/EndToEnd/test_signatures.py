"""Signed libraries: who may sign, what is refused before any of its code runs, and what a forced load leaves behind."""

import base64
import json
import re
import shutil
import stat
import subprocess

import pytest

from conftest import eventually, make_token, run_gateway
from raw import bearer


def new_key(path):
    made = run_gateway("key", "create", "--out", path)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two keys: their private halves' files, and their public halves."""
    place = tmp_path_factory.mktemp("keys")
    return {name: (place / name, new_key(place / name)) for name in ["ours", "theirs"]}


@pytest.fixture
def signed(tmp_path, fixture_library, keys):
    """Copies a fixture's library and signs the copy."""

    def sign(name, key="ours", **definitions):
        path = tmp_path / f"{name}.so"
        shutil.copy(fixture_library(name, **definitions), path)
        ended = run_gateway("plugin", "sign", "--key", keys[key][0], path)
        assert ended.returncode == 0, ended.stderr
        return path

    return sign


def tampered(path):
    """Changes one byte of a text that the library keeps, so that it loads as before."""
    content = path.read_bytes()
    at = content.index(b"why")
    path.write_bytes(content[:at] + b"Why" + content[at + 3:])


def admin(gateway):
    return bearer(make_token(scope="read,write,admin"))


def metric(gateway, name):
    lines = gateway.get("/metrics", admin(gateway)).body.decode().splitlines()
    return next(line.split()[-1] for line in lines if line.startswith(f"{name} "))


def test_a_key_is_private_and_only_its_public_half_is_shown(tmp_path):
    made = run_gateway("key", "create", "--out", tmp_path / "key")
    text = (tmp_path / "key").read_text()
    assert len(made.stdout.strip()) == 43 and "PRIVATE" not in made.stdout + made.stderr
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    again = run_gateway("key", "create", "--out", tmp_path / "key")
    assert again.returncode == 1 and "never overwritten" in again.stderr
    assert (tmp_path / "key").read_text() == text
    nowhere = run_gateway("key", "create", "--out", tmp_path / "no/key")
    assert nowhere.returncode == 1 and "cannot be written" in nowhere.stderr


def message(content):
    """The signed bytes, as the manual has them."""
    names = ["sha256", "id", "version", "abi_from", "abi_below"]
    return "\n".join(["gateway-plugin-signature/1", *(f"{name} {content[name]}" for name in names), ""])


def openssl(tmp_path, *arguments, text, signature):
    (tmp_path / "message").write_text(text)
    ended = subprocess.run(
        ["openssl", "pkeyutl", "-rawin", "-in", tmp_path / "message", *arguments, signature], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_other_programs_can_check_and_make_signatures(start, signed, keys, tmp_path):
    path, (key, ours) = signed("good"), keys["ours"]
    content = json.loads((tmp_path / "good.so.sig").read_text())
    (tmp_path / "raw").write_bytes(base64.urlsafe_b64decode(content["signature"] + "=="))
    openssl(tmp_path, "-verify", "-inkey", key, "-sigfile", text=message(content), signature=tmp_path / "raw")

    # And what another program signs must be what the library says of itself.
    content["version"] = "9.9.9"
    openssl(tmp_path, "-sign", "-inkey", key, "-out", text=message(content), signature=tmp_path / "raw")
    content["signature"] = base64.urlsafe_b64encode((tmp_path / "raw").read_bytes()).decode().rstrip("=")
    (tmp_path / "good.so.sig").write_text(json.dumps(content))
    assert "good 9.9.9" in run_gateway("plugin", "verify", "--key", ours, path).stdout
    gateway = start(files={"10-good.json": {"library": str(path), "signed_by": [ours]}})
    gateway.log.find(r"10-good\.json:1:\d+: error: the library is signed as version 9\.9\.9, but says that it is 1\.2\.3")
    assert gateway.get("/health").json()["services"]["good"]["status"] == "error"


def test_verify_says_who_signed_what(signed, keys, tmp_path):
    path = signed("good")
    ours, theirs = keys["ours"][1], keys["theirs"][1]
    good = run_gateway("plugin", "verify", "--key", ours, path)
    assert good.returncode == 0 and "good 1.2.3, for contract 1.0 to below 2.0" in good.stdout and ours in good.stdout
    assert run_gateway("plugin", "verify", path).returncode == 0
    other = run_gateway("plugin", "verify", "--key", theirs, path)
    assert other.returncode == 1 and f"not by {theirs}" in other.stderr
    tampered(path)
    changed = run_gateway("plugin", "verify", path)
    assert changed.returncode == 1 and "of another library" in changed.stderr
    (tmp_path / "good.so.sig").unlink()
    missing = run_gateway("plugin", "verify", path)
    assert missing.returncode == 1 and "gateway plugin sign" in missing.stderr


@pytest.mark.parametrize("arguments", [
    ["key"], ["key", "make"], ["key", "create"], ["key", "create", "--out"], ["plugin", "sign", "x.so"],
    ["plugin", "sign", "--key", "k"], ["plugin", "verify"], ["plugin", "verify", "--key", "short", "x.so"]])
def test_what_is_not_understood_ends_with_2(arguments):
    ended = run_gateway(*arguments)
    assert ended.returncode == 2 and "usage" in ended.stderr


def test_only_what_the_right_key_signed_is_loaded(start, signed, keys, fixture_library, edge, tmp_path):
    """One gateway with a file of each kind; `gateway check` says the same of each."""
    ours = keys["ours"][1]
    good = signed("good")
    unsigned = tmp_path / "answers.so"
    shutil.copy(fixture_library("answers"), unsigned)
    foreign = signed("caller", key="theirs")
    # The code of this one would crash the process at its create; a crash would show that it ran.
    swapped = tmp_path / "create_crashes.so"
    shutil.copy(fixture_library("create_crashes"), swapped)
    shutil.copy(f"{good}.sig", f"{swapped}.sig")
    cut = signed("hanging_check")
    text = (tmp_path / "hanging_check.so.sig").read_text()
    (tmp_path / "hanging_check.so.sig").write_text(text[: len(text) // 2])
    libraries = {
        "10-edge": edge, "20-good": good, "30-unsigned": unsigned, "40-foreign": foreign, "50-swapped": swapped, "60-cut": cut}
    files = {f"{name}.json": {"library": str(path), "signed_by": [ours]} for name, path in libraries.items()}
    del files["10-edge.json"]["signed_by"]  # asks for nothing
    gateway = start(files=files)
    services = gateway.get("/health").json()["services"]
    assert services["edge"]["available"] and services["good"]["available"]
    refusals = {
        "30-unsigned": "answers.so.sig: there is no such file; make it with: gateway plugin sign",
        "40-foreign": f"is signed by {keys['theirs'][1]}, which is not in \"signed_by\"",
        "50-swapped": "create_crashes.so.sig is of another library",
        "60-cut": "hanging_check.so.sig: it is no signature",
    }
    checked = gateway.run("check").stdout
    for name, words in refusals.items():
        assert services[name[3:]]["status"] == "error"
        line = next(line for line in checked.splitlines() if f"{name}.json:" in line)
        # The place is the value of signed_by.
        column = (gateway.plugins / f"{name}.json").read_text().index("[") + 1
        assert f"{name}.json:1:{column}: error: " in line and words in line
        assert line in gateway.log.text().replace('\\"', '"')
    assert "ok: good 1.2.3" in checked and "forced" not in checked
    assert "tainted" not in gateway.get("/health").json() and metric(gateway, "gateway_tainted") == "0"


def test_a_library_that_was_changed_is_refused_and_the_old_one_serves_on(start, signed, keys):
    path = signed("good")
    gateway = start(files={"10-good.json": {"library": str(path), "signed_by": [keys["ours"][1]]}})
    tampered(path)
    reload = gateway.run("plugin", "reload", "good")
    assert reload.returncode == 1 and "is of another library" in reload.stdout + reload.stderr
    assert gateway.get("/health").json()["services"]["good"]["available"] is True
    # The signature comes after its library: it is seen, and no further command needed.
    assert run_gateway("plugin", "sign", "--key", keys["ours"][0], path).returncode == 0
    listed = lambda: json.loads(gateway.run("plugin", "list", "--json").stdout)[0]
    assert eventually(lambda: listed()["generation"] == 2 and listed()["state"] == "active")


def test_a_library_of_another_minor_contract_is_what_was_signed_in_its_own_process_too(start, signed, keys):
    content = {"library": str(signed("prober", MINOR=7)), "signed_by": [keys["ours"][1]], "isolation": "process"}
    gateway = start(files={"10-prober.json": content}, REQUIRE_SIGNED="true")
    assert gateway.get("/health").json()["services"]["prober"]["available"] is True, gateway.log.text()


def test_a_gateway_may_require_that_every_file_names_a_signer(start, signed, keys, edge):
    path = signed("good")
    gateway = start(
        files={"10-edge.json": {"library": str(edge)}, "20-good.json": {"library": str(path), "signed_by": [keys["ours"][1]]}},
        REQUIRE_SIGNED="true")
    services = gateway.get("/health").json()["services"]
    assert services["edge"]["status"] == "error" and services["good"]["available"] is True
    gateway.log.find(r"10-edge\.json:1:13: error: REQUIRE_SIGNED is on")
    checked = gateway.run("check")
    assert checked.returncode == 1 and "10-edge.json:1:13: error: REQUIRE_SIGNED is on" in checked.stdout
    # Also where other settings are wrong.
    unset = run_gateway("check", **{**gateway.environment, "JWT_SECRET_KEY": None})
    assert "10-edge.json:1:13: error: REQUIRE_SIGNED is on" in unset.stdout


def test_a_forced_load_taints_the_gateway_until_it_ends(start, signed, keys):
    path = signed("good")
    tampered(path)
    content = {"library": str(path), "signed_by": [keys["ours"][1]], "force_unsigned": True}
    gateway = start(files={"10-good.json": content})
    checked = gateway.run("check")
    assert checked.returncode == 0 and "its load is forced and taints the gateway: the signature" in checked.stdout
    gateway.log.find("in spite of its signature; the gateway is tainted until it ends .*plugin=good")

    def is_tainted():
        body = gateway.get("/health").json()
        assert body["tainted"] == ["good"] and body["services"]["good"]["tainted"] is True
        assert metric(gateway, "gateway_tainted") == "1"
        return True

    assert is_tainted()
    listed = json.loads(gateway.run("plugin", "list", "--json").stdout)
    assert "is of another library" in listed[0]["taint"]
    assert re.search(r"\n  forced: the signature \S+ is of another library", gateway.run("plugin", "list").stdout)
    # A good build, properly signed, does not make the process what it was.
    assert run_gateway("plugin", "sign", "--key", keys["ours"][0], path).returncode == 0
    gateway.write_plugin("10-good.json", {**content, "force_unsigned": False})
    eventually(lambda: gateway.run("plugin", "reload", "good").returncode == 0)
    assert is_tainted()
    gateway.stop()
    again = start(files={"10-good.json": content})
    assert "tainted" not in again.get("/health").json(), "force_unsigned alone taints nothing when the signature is good"


@pytest.mark.parametrize("content,words", [
    ('"signed_by": []', '"signed_by" must be a list of 1 to 32 public keys'),
    ('"signed_by": ["short"]', '"signed_by" must be a list of 1 to 32 public keys'),
    ('"signed_by": "key"', '"signed_by" must be a list of 1 to 32 public keys'),
    ('"force_unsigned": 1', '"force_unsigned" must be true or false')])
def test_bad_keys_in_a_file_are_named(tmp_path, edge, content, words):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/10-edge.json").write_text(f'{{"library": "{edge}", {content}}}')
    ended = run_gateway("check", PLUGINS_DIR=tmp_path / "plugins.d", DATA_DIR=tmp_path)
    assert ended.returncode == 1 and words in ended.stdout
