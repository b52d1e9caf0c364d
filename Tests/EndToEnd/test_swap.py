"""A plugin's code is replaced while the gateway serves."""

import json
import os
import signal
import threading

import pytest

from conftest import LIMIT, eventually
from process import Process
from raw import bearer
from steady import Load, mixed
from subscriber import Subscriber
from swaps import await_generation, change, data_file, generation, listed, put, put_file, reload, steps


@pytest.fixture
def swapped(start, fixture_library, tmp_path):
    """Starts a gateway with a library of its own of the fixture, which can be replaced."""

    def make(environment=None, **definitions):
        library = tmp_path / "libswapped.so"
        put(fixture_library("swapped", **definitions), library)
        gateway = start([library], **{"LIMIT_PROBATION_SECONDS": 0, **(environment or {})})
        gateway.library = library
        return gateway

    return make


def test_a_reload_says_step_by_step_what_was_done(swapped, fixture_library):
    gateway = swapped()
    put(fixture_library("swapped", BUILD=2), gateway.library)
    report = reload(gateway, "swapped")
    assert report["outcome"] == "done", report
    assert (report["generation_before"], report["generation_after"]) in [(1, 2), (2, 3)]
    assert {"copy", "probe", "load", "create", "hold", "state", "activate", "switch"} <= steps(report).keys()
    assert all(step["milliseconds"] >= 0 for step in report["steps"])
    assert gateway.get("/v1/swapped").data["build"] == 2
