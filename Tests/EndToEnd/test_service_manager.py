"""Sockets that a service manager passes on."""

import os
import socket
import subprocess

import pytest

from conftest import BINARY, SECRET, clean_environment


@pytest.mark.parametrize("supervise", ["true", "false"])
def test_a_service_managers_socket_of_another_kind_is_refused(tmp_path, supervise):
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    environment = clean_environment(JWT_SECRET_KEY=SECRET, DATA_DIR=tmp_path / "d", PORT=0, SUPERVISE=supervise)
    shell = f"exec env LISTEN_PID=$$ LISTEN_FDS=1 {BINARY} serve 3<&{bound.fileno()}"
    ended = subprocess.run(["/bin/bash", "-c", shell], env=environment, pass_fds=[bound.fileno()], capture_output=True,
                           text=True, timeout=20)
    assert ended.returncode == 1 and "LISTEN_FDS (descriptor 3) is no TCP socket that listens" in ended.stderr
    bound.close()


@pytest.mark.parametrize("supervise", ["true", "false"])
def test_a_service_managers_socket_is_taken(tmp_path, supervise):
    (tmp_path / "p").mkdir()
    listener = socket.create_server(("127.0.0.1", 0))
    environment = clean_environment(
        JWT_SECRET_KEY=SECRET, DATA_DIR=tmp_path / "d", PLUGINS_DIR=tmp_path / "p", PORT=1, SUPERVISE=supervise,
        LIMIT_DRAIN_NOTICE_SECONDS=0, WORKERS=2)

    def pass_on():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ["LISTEN_PID"] = str(os.getpid())

    shell = f'exec env LISTEN_PID=$$ LISTEN_FDS=1 {BINARY} serve'
    process = subprocess.Popen(["/bin/sh", "-c", shell], env=environment, preexec_fn=pass_on, close_fds=False,
                               stderr=subprocess.DEVNULL)
    try:
        client = socket.create_connection(listener.getsockname(), timeout=20)
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        client.close()
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        listener.close()
