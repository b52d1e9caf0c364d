"""The command line: what it refuses, in which words, and with which status."""

import re
import socket
import subprocess

import jwt
import pytest

from conftest import BINARY, SECRET, clean_environment, make_token, run_gateway


@pytest.fixture
def place(tmp_path):
    """A place where `serve` would start, were it not for one variable."""
    (tmp_path / "plugins.d").mkdir()
    return {"DATA_DIR": tmp_path / "data", "PLUGINS_DIR": tmp_path / "plugins.d", "HOST": "127.0.0.1", "PORT": 0}


def test_serve_without_a_secret_fails_with_one_clear_sentence(place):
    ended = run_gateway("serve", **place, JWT_SECRET_KEY=None)
    assert ended.returncode == 1 and ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "JWT_SECRET_KEY" in ended.stderr and "required" in ended.stderr and "openssl rand" in ended.stderr


def test_a_short_secret_is_refused_with_reason_and_remedy(place):
    ended = run_gateway("serve", **place, JWT_SECRET_KEY="x" * 31)
    assert ended.returncode == 1
    for words in ["JWT_SECRET_KEY", "31 bytes", "32", "RFC 7518 section 3.2", "openssl rand"]:
        assert words in ended.stderr
    assert "x" * 31 not in ended.stderr


@pytest.mark.parametrize("secret,debug", [("x" * 32, None), ("short", "true")])
def test_a_secret_of_32_bytes_or_debug_is_enough(start, secret, debug):
    gateway = start(JWT_SECRET_KEY=secret, DEBUG=debug)
    token = make_token(secret=secret) if len(secret) >= 32 else None
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    assert gateway.get("/health", fields).status == 200


@pytest.mark.parametrize("name,value", [
    ("PORT", "70000"), ("PORT", "http"), ("WORKERS", "0"), ("WORKERS", "65"), ("REQUIRE_MFA", "maybe"),
    ("DEBUG", "2"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml"), ("ACCESS_LOG", "some"), ("HOST", "a b"),
    ("CORS_ORIGINS", "*"), ("CORS_ORIGINS", "https://a/path"), ("RATE_LIMIT_TIERS", "gold:1"),
    ("RATE_LIMIT_TIERS", "gold:x:1"), ("LIMIT_HEAD_BYTES", "1"), ("LIMIT_IDLE_SECONDS", "-1"),
    ("LIMIT_BODY_BYTES", "10MB"), ("PROBE_PLUGINS", "x")])
@pytest.mark.parametrize("verb", ["serve", "check"])
def test_a_bad_value_names_variable_and_value(place, verb, name, value):
    ended = run_gateway(verb, **{**place, name: value})
    text = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert f'{name} is "{value}": ' in text and len(text.split(": ", 2)[-1]) > 10


def test_a_bad_api_key_is_named_and_not_shown(place):
    ended = run_gateway("serve", **place, API_KEY_3="the-key:only")
    assert ended.returncode == 1 and "API_KEY_3" in ended.stderr and "the-key" not in ended.stderr


def test_a_limit_that_does_not_exist_is_refused(place):
    ended = run_gateway("serve", **place, LIMIT_HEADER_BYTES="2048")
    assert ended.returncode == 1 and "LIMIT_HEADER_BYTES" in ended.stderr


def test_all_that_is_wrong_is_said_at_once(place):
    ended = run_gateway("serve", **{**place, "PORT": "x", "WORKERS": "y", "JWT_SECRET_KEY": None})
    assert all(name in ended.stderr for name in ["PORT", "WORKERS", "JWT_SECRET_KEY"])


def test_a_port_that_is_taken_is_named(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run_gateway("serve", **{**place, "PORT": taken.getsockname()[1]})
    assert ended.returncode == 1 and "PORT" in ended.stderr and str(taken) not in ended.stderr
    assert "in use" in ended.stderr.lower()


def test_a_second_gateway_on_the_same_port_is_refused(gateway, place):
    ended = run_gateway("serve", **{**place, "PORT": gateway.port})
    assert ended.returncode == 1 and "PORT" in ended.stderr and "in use" in ended.stderr


def test_an_address_that_is_not_ours_is_named(place):
    ended = run_gateway("serve", **{**place, "HOST": "192.0.2.1"})
    assert ended.returncode == 1 and "HOST" in ended.stderr and "192.0.2.1" in ended.stderr


def test_a_data_directory_that_cannot_be_made_is_named(place, tmp_path):
    (tmp_path / "file").write_text("in the way")
    ended = run_gateway("serve", **{**place, "DATA_DIR": tmp_path / "file/data"})
    assert ended.returncode == 1 and "file/data" in ended.stderr


@pytest.mark.parametrize("arguments", [
    ["served"], ["serve", "now"], ["token"], ["token", "make"], ["token", "create"], ["plugin"], ["plugin", "lost"],
    ["check", "--fast"], ["token", "create", "--user", "a", "--user", "b"], ["token", "create", "--user"],
    ["token", "create", "--user", "a", "--ttl", "soon"], ["token", "create", "--user", "a", "--tier", "gold"],
    ["token", "create", "--user", "a", "--scope", ""], ["token", "create", "--user", "a", "--admin"],
    ["token", "inspect"], ["token", "revoke"]])
def test_what_is_not_understood_ends_with_2_and_a_hint(place, arguments):
    ended = run_gateway(*arguments, **place)
    assert ended.returncode == 2 and (ended.stdout + ended.stderr).strip()


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["token", "--help"], ["plugin", "--help"], ["check", "--help"],
                                       ["serve", "--help"], ["token", "create", "--help"], ["token", "inspect", "-h"],
                                       ["plugin", "check", "--help"], ["plugin", "list", "-h"], ["upgrade", "--help"]])
def test_help_is_no_mistake(arguments):
    ended = run_gateway(*arguments)
    assert ended.returncode == 0 and "usage" in ended.stdout


@pytest.mark.parametrize("arguments, remedy", [
    (["check", "build/libthings.so"], "gateway plugin check build/libthings.so"),
    (["plugin", "check", "plugins.d/50-things.json"], "gateway check plugins.d/50-things.json"),
])
def test_who_takes_one_check_for_the_other_is_told(arguments, remedy):
    ended = run_gateway(*arguments)
    assert ended.returncode == 2 and remedy in ended.stderr


def test_the_version_is_that_of_health(gateway):
    version = run_gateway("version").stdout.split()
    assert version == ["gateway", gateway.get("/health").json()["version"]]


def test_a_created_token_says_what_was_asked_for():
    made = run_gateway("token", "create", "--user=ann", "--scope=read,admin", "--tier=premium", "--mfa", "--ttl=2h")
    claims = jwt.decode(made.stdout.strip(), SECRET, ["HS256"])
    assert claims["exp"] - claims["iat"] == 7200
    assert (claims["sub"], claims["scope"], claims["rate_limit_tier"], claims["mfa_verified"]) == (
        "ann", ["read", "admin"], "premium", True)
    assert len({run_gateway("token", "create", "--user", "a").stdout for _ in range(3)}) == 3


def test_a_token_needs_a_secret_that_is_given_or_kept(tmp_path):
    refused = run_gateway("token", "create", "--user", "a", JWT_SECRET_KEY=None, DATA_DIR=tmp_path)
    assert refused.returncode == 1 and "JWT_SECRET_KEY" in refused.stderr
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o644)
    refused = run_gateway("token", "create", "--user", "a", JWT_SECRET_KEY=None, DATA_DIR=tmp_path)
    assert refused.returncode == 1 and "chmod 600" in refused.stderr
    (tmp_path / "secret").chmod(0o600)
    made = run_gateway("token", "create", "--user", "a", JWT_SECRET_KEY=None, DATA_DIR=tmp_path)
    assert jwt.decode(made.stdout.strip(), SECRET, ["HS256"])["sub"] == "a"


def test_inspect_tells_a_good_token_from_a_bad_one(tmp_path):
    good = run_gateway("token", "inspect", make_token("ann"), DATA_DIR=tmp_path)
    assert good.returncode == 0 and re.search(r"user\s+ann", good.stdout)
    for bad in [make_token(secret="x" * 32), make_token(exp=1), "nonsense"]:
        assert run_gateway("token", "inspect", bad, DATA_DIR=tmp_path).returncode == 1


def test_inspect_reads_a_token_from_standard_input(tmp_path):
    ended = subprocess.run(
        [BINARY, "token", "inspect", "-"], input=make_token("ann") + "\n", text=True, capture_output=True, timeout=20,
        env=clean_environment(JWT_SECRET_KEY=SECRET, DATA_DIR=tmp_path))
    assert ended.returncode == 0 and "ann" in ended.stdout


def test_a_second_gateway_in_the_same_data_directory_is_refused(gateway):
    ended = run_gateway("serve", **{**gateway.environment, "PORT": 0}, limit=20)
    assert ended.returncode == 1 and str(gateway.data) in ended.stderr
    assert gateway.run("plugin", "list").returncode == 0
