"""Starts gateways for the tests, each on a free port with a data directory of its own, and reaps them."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import jwt
import pytest

from raw import RawClient, bearer

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GATEWAY") or ROOT / ".build/release/gateway").resolve()
SECRET = "a secret for tests that has more than 32 bytes"
LIMIT = 20.0

living = []


def eventually(condition, limit=LIMIT, what="the condition"):
    """Waits until `condition` gives something true, and gives it back."""
    end = time.monotonic() + limit
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true in {limit} s"
        pause.wait(0.01)
    return value


class Lines:
    """The lines of a stream as they come, read on a thread of their own."""

    def __init__(self, stream):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        stream.close()

    def find(self, pattern, limit=LIMIT, start=0):
        """Waits for a line that matches `pattern`; gives the match."""
        compiled = re.compile(pattern)
        end = time.monotonic() + limit
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    if match := compiled.search(line):
                        return match
                start = len(self.lines)
                left = end - time.monotonic()
                if self.ended or not self.changed.wait_for(lambda: self.ended or len(self.lines) > start, left):
                    if self.ended and len(self.lines) > start:
                        continue
                    raise AssertionError(f"no line matches {pattern!r} in:\n" + self.text())

    def text(self, last=200):
        with self.changed:
            return "\n".join(self.lines[-last:] if last else self.lines)


def clean_environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    kept.update({name: str(value) for name, value in more.items() if value is not None})
    return kept


def run_gateway(*arguments, limit=60, **environment):
    """Runs a verb that ends by itself."""
    environment.setdefault("JWT_SECRET_KEY", SECRET)
    return subprocess.run(
        [str(BINARY), *arguments], env=clean_environment(**environment), capture_output=True, text=True, timeout=limit
    )


class Gateway:
    """One running gateway."""

    def __init__(self, directory, plugins=(), files=None, wait=True, **environment):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.plugins = self.directory / "plugins.d"
        self.plugins.mkdir(parents=True, exist_ok=True)
        for number, plugin in enumerate(plugins):
            self.write_plugin(f"{10 + number}-{plugin.stem.removeprefix('lib')}.json", {"library": str(plugin)})
        for name, content in (files or {}).items():
            self.write_plugin(name, content)
        self.environment = {
            "JWT_SECRET_KEY": SECRET, "DATA_DIR": self.data, "PLUGINS_DIR": self.plugins, "HOST": "127.0.0.1",
            "PORT": 0, "RATE_LIMIT_TIERS": "bench:0:0,standard:0:0", "LIMIT_CONNECTIONS_PER_ADDRESS_COUNT": 0,
            "LIMIT_DRAIN_NOTICE_SECONDS": 0, **environment,
        }
        self.process = subprocess.Popen(
            [str(BINARY), "serve"], env=clean_environment(**self.environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.directory,
        )
        self.log = Lines(self.process.stderr)
        self.port = None
        living.append(self)
        if wait:
            try:
                self.port = int(self.log.find(r'serving\b.*?\bport"?[=:]"?(\d+)')[1])
            except AssertionError:
                self.stop()
                raise

    def write_plugin(self, name, content):
        text = content if isinstance(content, str) else json.dumps(content)
        (self.plugins / name).write_text(text)

    @property
    def pid(self):
        """The process that serves now; `process` is its supervisor."""
        found = re.findall(r'\bserving\b(?! again).*?\bpid"?[=:]"?(\d+)', self.log.text(None))
        return int(found[-1]) if found else self.process.pid

    def client(self, **options):
        return RawClient(self.port, **options)

    def get(self, path, fields=None):
        with self.client() as client:
            return client.get(path, fields)

    def post(self, path, body, fields=None):
        with self.client() as client:
            return client.post(path, body, fields)

    def delete(self, path, fields=None):
        with self.client() as client:
            return client.request("DELETE", path, fields)

    def token(self, user="alice", scope="read,write", tier="bench", *more):
        made = run_gateway(
            "token", "create", "--user", user, "--scope", scope, "--tier", tier, *more, **self.environment
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def fields(self, user="alice", scope="read,write", tier="bench", **more):
        return {**bearer(make_token(user, scope, tier)), **more}

    def reset_peak(self):
        """Makes `memory` count from now on; gives the bytes resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    def memory(self, name="VmHWM"):
        """Bytes, from the kernel's account of the process; the most there were, unless told otherwise."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024

    def run(self, *arguments, limit=60):
        """Runs another verb with this gateway's settings."""
        return run_gateway(*arguments, limit=limit, **self.environment)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, limit=LIMIT):
        """The exit status once the process has ended."""
        status = self.process.wait(limit)
        self.log.thread.join(limit)
        return status

    def stop(self):
        """Ends the process, at the latest by force."""
        if self in living:
            living.remove(self)
        if self.process.poll() is None:
            self.signal()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log.thread.join(10)
        return self.process.returncode


def make_token(user="alice", scope="read,write", tier="bench", secret=SECRET, algorithm="HS256", **claims):
    """A token as a program with PyJWT makes it."""
    now = int(time.time())
    body = {
        "sub": user, "iat": now, "exp": now + 3600, "jti": os.urandom(8).hex(), "scope": scope.split(","),
        "mfa_verified": False, "rate_limit_tier": tier, **claims,
    }
    return jwt.encode({name: value for name, value in body.items() if value is not None}, secret, algorithm)


@pytest.fixture(scope="session")
def fixture_library(tmp_path_factory):
    """Compiles a plugin of Tests/Fixtures, with these macros; gives the path of the library."""
    directory = tmp_path_factory.mktemp("libraries")

    def library(name, **definitions):
        options = [f"-D{key}={value}" for key, value in sorted(definitions.items())]
        path = directory / ("".join([name, *options]).replace('"', "") + ".so")
        if not path.exists():
            subprocess.run(
                ["clang", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-shared",
                 "-fPIC", *options, "-I", ROOT / "PluginSDK/C", "-I", ROOT / "Tests/Fixtures",
                 ROOT / f"Tests/Fixtures/{name}.c", "-o", path],
                check=True,
            )
        return path

    return library


@pytest.fixture(scope="session")
def utilities():
    """The bundled plugin, beside the binary."""
    path = BINARY.parent / "libutilities.so"
    assert path.exists(), f"{path} is missing: build it with `make build`"
    return path


@pytest.fixture(scope="session")
def agent_forge():
    """The bundled plugin, beside the binary."""
    path = BINARY.parent / "libagent_forge.so"
    assert path.exists(), f"{path} is missing: build it with `make build`"
    return path


@pytest.fixture(scope="session")
def edge(fixture_library):
    return fixture_library("edge")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, edge, utilities):
    """The common gateway: bundled plugin and fixture, no rate limits."""
    gateway = Gateway(tmp_path_factory.mktemp("common"), [edge, utilities])
    yield gateway
    assert gateway.process.poll() is None, "the common gateway has ended by itself"
    assert gateway.stop() == 0


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory):
    """Starts gateways that live as long as the module's tests."""
    started = []

    def start(*arguments, **environment):
        started.append(Gateway(tmp_path_factory.mktemp("gateway"), *arguments, **environment))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def start(tmp_path_factory):
    """Starts gateways that live as long as the test."""
    started = []

    def start(*arguments, **environment):
        started.append(Gateway(tmp_path_factory.mktemp("gateway"), *arguments, **environment))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def fields():
    """The header fields of an unlimited caller who may read and write."""
    return bearer(make_token())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for gateway in living:
            report.sections.append((f"gateway {gateway.pid} (last lines)", gateway.log.text(25)))
    return report


def pytest_sessionfinish():
    for gateway in list(living):
        gateway.stop()
