"""What the kernel knows of a process."""

import os
import re
from pathlib import Path


class Process:
    """One process, by its number."""

    def __init__(self, pid):
        self.directory = Path(f"/proc/{pid}")

    @property
    def resident(self):
        return self._status("VmRSS") * 1024

    @property
    def private(self):
        return self._status("RssAnon") * 1024

    @property
    def threads(self):
        return self._status("Threads")

    @property
    def descriptors(self):
        return len(os.listdir(self.directory / "fd"))

    def tasks(self, name):
        """The directories of its threads of that name."""
        found = []
        for task in (self.directory / "task").iterdir():
            try:
                if (task / "comm").read_text().strip() == name:
                    found.append(task)
            except OSError:
                continue  # has ended meanwhile
        return found

    def images(self, label):
        """The private copies of a plugin's library that are mapped, by the process or those it has started."""
        found = set()
        for directory in [self.directory, *self.children()]:
            try:
                lines = (directory / "maps").read_text().splitlines()
            except OSError:
                continue  # has ended meanwhile
            for line in lines:
                if match := re.search(rf"/generations/({re.escape(label)}-\S+\.so)", line):
                    found.add(match[1])
        return found

    def children(self):
        """The directories of the processes that this one has started."""
        for task in (self.directory / "task").iterdir():
            try:
                for pid in (task / "children").read_text().split():
                    yield Path("/proc") / pid
            except OSError:
                continue  # the thread has ended meanwhile

    def _status(self, name):
        return int(re.search(rf"^{name}:\s+(\d+)", (self.directory / "status").read_text(), re.M)[1])
