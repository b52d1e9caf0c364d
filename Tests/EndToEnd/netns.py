"""Network namespaces of this machine: two of them with a cable between, which can be pulled."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


def can_make():
    """Whether this user may make namespaces."""
    name = f"aiv-{os.getpid()}-try"
    made = ip("netns", "add", name).returncode == 0
    if made:
        ip("netns", "delete", name)
    return made


class Cable:
    """Two namespaces with an address each, 10.77.0.1 and 10.77.0.2, joined by a pair of devices."""

    def __init__(self):
        self.names = [f"aiv-{os.getpid()}-{end}" for end in "ab"]
        self.addresses = ["10.77.0.1", "10.77.0.2"]
        for name in self.names:
            self._run("netns", "add", name)
            self._run("-n", name, "link", "set", "lo", "up")
        self._run("link", "add", "end0", "netns", self.names[0], "type", "veth", "peer", "name", "end0", "netns",
                  self.names[1])
        for name, address in zip(self.names, self.addresses):
            self._run("-n", name, "address", "add", f"{address}/24", "dev", "end0")
            self._run("-n", name, "link", "set", "end0", "up")

    def set(self, state):
        """Pulls the cable with `down`, and puts it back with `up`."""
        self._run("-n", self.names[0], "link", "set", "end0", state)

    def close(self):
        for name in self.names:
            ip("netns", "delete", name)

    @staticmethod
    def _run(*arguments):
        ended = ip(*arguments)
        assert ended.returncode == 0, (arguments, ended.stderr)


@contextlib.contextmanager
def inside(name):
    """Lets this thread, and the processes that it starts, have the network of a namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(home)
        os.close(there)
        os.close(home)


def _enter(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
