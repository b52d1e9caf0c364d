"""What the gateway notices by itself of its directories, however they are named and whatever becomes of them."""

import os
import shutil
import threading

import pytest

from conftest import eventually
from process import Process
from swaps import put, put_file


def build(gateway):
    answer = gateway.get("/v1/swapped")
    return answer.data["build"] if answer.status == 200 else answer.status


@pytest.fixture
def builds(fixture_library):
    return [fixture_library("swapped", BUILD=number) for number in (1, 2)]


def test_the_watching_thread_of_an_idle_gateway_sleeps(start, builds):
    gateway = start([builds[0]])
    assert build(gateway) == 1
    task, = Process(gateway.pid).tasks("plugin watch")

    def wakes():
        return sum(int(line.split()[1]) for line in (task / "status").read_text().splitlines() if "ctxt" in line)

    before = wakes()
    threading.Event().wait(0.5)  # what is measured is what happens in a time
    assert wakes() - before <= 1


def test_a_plugins_directory_that_appears_later_is_followed(start, builds):
    gateway = start([], PLUGINS_DIR="later.d/")
    gateway.log.find("no plugins directory")
    gateway.plugins = gateway.directory / "later.d"
    gateway.plugins.mkdir()
    put_file(gateway, "10-swapped.json", {"library": str(builds[0])})
    eventually(lambda: build(gateway) == 1)


def test_a_plugins_directory_that_is_replaced_is_followed(start, builds):
    gateway = start([builds[0]])
    new = gateway.directory / "new.d"
    new.mkdir()
    (new / "10-swapped.json").write_text('{"library": "%s"}' % builds[1])
    gateway.plugins.rename(gateway.directory / "old.d")
    new.rename(gateway.plugins)
    eventually(lambda: build(gateway) == 2)
    put_file(gateway, "10-swapped.json", {"library": str(builds[0])})
    eventually(lambda: build(gateway) == 1)


def test_without_a_plugins_directory_everything_serves_on(start, builds):
    gateway = start([], files={"10-swapped.json": {"library": str(builds[0])}})
    shutil.move(gateway.plugins, gateway.directory / "old.d")
    ended = gateway.run("plugin", "rescan")
    assert ended.returncode == 1 and "cannot be read" in ended.stdout and "nothing is changed" in ended.stdout
    assert build(gateway) == 1
    shutil.move(gateway.directory / "old.d", gateway.plugins)
    put_file(gateway, "10-swapped.json", {"library": str(builds[1])})
    eventually(lambda: build(gateway) == 2)


def test_one_directory_may_hold_the_files_and_the_libraries_under_two_names(start, builds, tmp_path):
    both = tmp_path / "both"
    both.mkdir()
    put(builds[0], both / "libswapped.so")
    (both / "10-swapped.json").write_text('{"library": "%s/libswapped.so"}' % both)
    gateway = start([], PLUGINS_DIR=f"{both}/../both/")
    assert build(gateway) == 1
    put(builds[1], both / "libswapped.so")
    eventually(lambda: build(gateway) == 2)
    (both / "10-swapped.json").unlink()
    eventually(lambda: build(gateway) == 404)


@pytest.mark.parametrize("link", ["library", "directory", "..data"])
def test_a_link_that_is_replaced_is_followed(start, builds, tmp_path, link):
    home = tmp_path / "home"
    for number, library in enumerate(builds, 1):
        (home / f"release-{number}").mkdir(parents=True)
        shutil.copyfile(library, home / f"release-{number}" / "libswapped.so")
    os.symlink("release-1", home / "..data")
    os.symlink("release-1", home / "current")
    os.symlink("release-1/libswapped.so", home / "libfile.so")
    os.symlink("..data/libswapped.so", home / "libswapped.so")
    path, name, target = {
        "library": ("libfile.so", "libfile.so", "release-2/libswapped.so"),
        "directory": ("current/libswapped.so", "current", "release-2"),
        "..data": ("libswapped.so", "..data", "release-2"),
    }[link]
    gateway = start([], files={"10-swapped.json": {"library": f"{home}/{path}"}})
    assert build(gateway) == 1
    os.symlink(target, home / "staged")
    os.rename(home / "staged", home / name)
    eventually(lambda: build(gateway) == 2)
