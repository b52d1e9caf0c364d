"""Replacing plugins from outside: libraries and files put in place, and what the gateway says of it."""

import json
import os
import shutil
from pathlib import Path

from conftest import LIMIT, eventually


def put(source, target, mark=b""):
    """Puts a library in place by a completed rename; `mark` behind its end makes another file of it."""
    target = Path(target)
    staged = target.with_name(f".{target.name}.staged")
    shutil.copyfile(source, staged)
    with open(staged, "ab") as file:
        file.write(mark)
    os.replace(staged, target)


def put_file(gateway, name, content):
    """Puts a file of plugins.d in place by a completed rename."""
    staged = gateway.plugins / f".{name}.staged"
    staged.write_text(json.dumps(content))
    os.replace(staged, gateway.plugins / name)


def listed(gateway, name):
    """What the running gateway says of one plugin."""
    ended = gateway.run("plugin", "list", "--json")
    assert ended.returncode == 0, ended.stderr
    return next(plugin for plugin in json.loads(ended.stdout) if plugin["name"] == name)


def reload(gateway, name, *options):
    """The report of `gateway plugin reload`."""
    return change(gateway, "reload", name, *options)


def change(gateway, verb, name, *options):
    ended = gateway.run("plugin", verb, name, "--json", *options, limit=120)
    report = json.loads(ended.stdout)
    assert ended.returncode == (0 if report["outcome"] != "failed" else 1), ended
    return report


def steps(report):
    return {step["name"]: step for step in report["steps"]}


def generation(gateway, name="swapped"):
    return gateway.get(f"/v1/{name}").data["generation"]


def await_generation(gateway, number, name="swapped", limit=LIMIT):
    with gateway.client() as client:
        eventually(lambda: client.get(f"/v1/{name}").data["generation"] >= number, limit, f"generation {number}")


def data_file(gateway, name, plugin="swapped"):
    """A file in the plugin's own directory."""
    return gateway.data / "plugins" / plugin / name
