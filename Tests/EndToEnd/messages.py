"""Messages of /ws through the public client library, and what makes them come."""

import json

from websockets.sync.client import connect

from conftest import make_token
from raw import bearer


def library(gateway, token=None, **options):
    """The public client library."""
    if token:
        options["additional_headers"] = bearer(token)
    return connect(f"ws://127.0.0.1:{gateway.port}/ws", proxy=None, open_timeout=10, close_timeout=5, **options)


def receive(socket):
    return json.loads(socket.recv(timeout=10))


def ask(socket, **message):
    socket.send(json.dumps(message))
    return receive(socket)


def publish(gateway, topic, payload, subject=""):
    answer = gateway.post(f"/v1/edge/publish/{topic}?{subject}", json.dumps(payload), bearer(make_token("publisher")))
    assert answer.data == {"status": 0}


def upload(gateway, user, name="note.txt", text="A note."):
    body = (f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: text/plain\r\n\r\n{text}\r\n--b--\r\n")
    fields = {**bearer(make_token(user)), "Content-Type": "multipart/form-data; boundary=b"}
    answer = gateway.post("/v1/upload", body, fields)
    assert answer.status == 200, answer
    return answer.data
