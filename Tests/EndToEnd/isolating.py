"""Gateways whose plugins run in processes of their own, and what is known of those processes."""

import json
import re
from pathlib import Path

import pytest

from conftest import Gateway, eventually, make_token
from raw import bearer


def isolated(library, *grants, **more):
    content = {"library": str(library), "isolation": "process", **more}
    return {**content, "grants": list(grants)} if grants else content


def files(*libraries):
    return {f"{10 + n}-{library.stem.removeprefix('lib')}.json": isolated(library, "spawn")
            for n, library in enumerate(libraries)}


class Isolating(Gateway):
    """A gateway that isolates each plugin of which nothing else is said."""

    def write_plugin(self, name, content):
        if isinstance(content, dict) and "isolation" not in content:
            content = {**content, "isolation": "process", "grants": ["spawn"]}
        super().write_plugin(name, content)


def starter(tmp_path_factory, kind):
    started = []

    def start(*arguments, **environment):
        started.append(kind(tmp_path_factory.mktemp("isolating"), *arguments, **environment))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def start(tmp_path_factory):
    yield from starter(tmp_path_factory, Isolating)


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory):
    yield from starter(tmp_path_factory, Isolating)


def listed(gateway, name):
    return next(p for p in json.loads(gateway.run("plugin", "list", "--json").stdout) if p["name"] == name)


def process(gateway, name):
    """The number of a plugin's process, once there is one."""
    return eventually(lambda: listed(gateway, name)["pid"], what=f"a process of {name}")


def health(gateway, name):
    service = gateway.get("/health").json()["services"][name]
    return service, service["checks"]["isolation"].get("detail", {})


def metric(gateway, line):
    text = gateway.get("/metrics", bearer(make_token(scope="admin"))).body.decode()
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True
