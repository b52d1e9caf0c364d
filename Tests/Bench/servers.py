"""The two servers, started the same way: in a directory of their own, on a free port, pinned where asked."""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time

from client import KeepAlive

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXED_BODY = '{"message":"' + "x" * 124 + '"}'  # 138 bytes


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tool(name):
    """The path of an installed program, or None."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


class Server:
    """A server process. `start` returns once it has answered 200; leaving the `with` block stops it."""

    ready_path = "/"

    def __init__(self, directory, prefix=(), access_log=False):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.prefix = list(prefix)
        self.access_log = access_log
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self):
        """Returns the seconds from the start of the process to the first 200."""
        command, environment = self.prefix + self.command(), self.environment()
        with open(self.directory / "stderr", "ab") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                connection = KeepAlive(self.port, self.ready_path)
                connection.ask()
                taken = time.monotonic() - begun
                connection.close()
                return taken
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begun > 90:
                    said = (self.directory / "stderr").read_text(errors="replace")[-2000:]
                    self.stop()
                    raise SystemExit(f"{' '.join(command)}: did not become ready:\n{said}") from None
                time.sleep(0.001)

    def stop(self):
        if self.process is None:
            return
        # Not the tracer in front of it, if there is one: that ends, and reports, when the server does.
        for pid in [self.served_by()] if self.process.poll() is None else []:
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def served_by(self):
        """The process that a signal goes to."""
        if self.prefix and pathlib.Path(self.prefix[0]).name == "strace":
            return self.children(self.process.pid)[0]
        return self.process.pid

    def memory(self, kind="VmRSS"):
        """Bytes of resident memory of the process that serves; `RssAnon` leaves out what is mapped from files."""
        for line in pathlib.Path(f"/proc/{self.worker()}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"there is no {kind} in /proc; resident memory cannot be measured")

    def cpu_seconds(self):
        """User and system time of all threads of the process that serves, so far."""
        after_name = pathlib.Path(f"/proc/{self.worker()}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def worker(self):
        return self.process.pid

    @staticmethod
    def children(pid):
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Gateway(Server):
    """The release binary with the Swift template as its one plugin, and a tier without limits."""

    ready_path = "/health/ready"
    binary = None
    probes = True  # the child process of the probe is not one that valgrind can run

    def command(self):
        return [str(self.binary), "serve"]

    def environment(self):
        plugins = self.directory / "plugins.d"
        plugins.mkdir(exist_ok=True)
        shutil.copy(ROOT / "PluginSDK/Templates/swift/50-hello_swift.json", plugins)
        key = self.directory / "key"
        if not key.exists():
            key.write_text(secrets.token_hex(32))
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return inherited | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WORKERS": "1",
            "SUPERVISE": "false",  # one process, so that what is measured and traced is the one that serves
            "DATA_DIR": str(self.directory / "data"),
            "PLUGINS_DIR": str(plugins),
            "JWT_SECRET_KEY": key.read_text(),
            "RATE_LIMIT_TIERS": "bench:0:0",
            "PROBE_PLUGINS": "true" if self.probes else "false",
            "ACCESS_LOG": "true" if self.access_log else "false",
            "LIMIT_CONNECTIONS_PER_ADDRESS_COUNT": "0",
            "LIMIT_DRAIN_NOTICE_SECONDS": "0",
        }

    def token(self):
        made = subprocess.run(
            [str(self.binary), "token", "create", "--user", "bench", "--scope", "read", "--tier", "bench"],
            env=self.environment(), capture_output=True, text=True, check=True)
        return made.stdout.strip()


class Nginx(Server):
    """One worker that answers every path with the same bytes."""

    worker_connections = 512  # its default
    one_process = False

    def command(self):
        configuration = self.directory / "nginx.conf"
        log = f"{self.directory}/access.log" if self.access_log else "off"
        temporary = "".join(
            f"  {kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration.write_text(
            ("user root;\n" if os.getuid() == 0 else "")
            + f"daemon off;\nmaster_process {'off' if self.one_process else 'on'};\nworker_processes 1;\n"
            + f"error_log stderr crit;\npid {self.directory}/pid;\n"
            + f"events {{ worker_connections {self.worker_connections}; }}\n"
            + f"http {{\n  access_log {log};\n  keepalive_requests 1000000000;\n  keepalive_timeout 75s;\n"
            + f"  default_type application/json;\n{temporary}"
            + f"  server {{\n    listen 127.0.0.1:{self.port} backlog=4096;\n"
            + f"    location / {{ return 200 '{FIXED_BODY}'; }}\n  }}\n}}\n")
        return [tool("nginx"), "-p", str(self.directory), "-e", "stderr", "-c", str(configuration)]

    def worker(self):
        return self.process.pid if self.one_process else self.children(self.process.pid)[0]
