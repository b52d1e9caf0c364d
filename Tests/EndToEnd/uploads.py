"""Multipart forms, and a caller who sends them."""

import json

from conftest import make_token
from raw import bearer

BOUNDARY = "the-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name, data, filename=None, kind=None):
    data = data if isinstance(data, bytes) else data.encode()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return head.encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def file_form(data, filename="note.txt", kind="text/plain", metadata=None):
    parts = [part("file", data, filename, kind)]
    if metadata is not None:
        parts.append(part("metadata", metadata if isinstance(metadata, str) else json.dumps(metadata)))
    return form(*parts)


class User:
    """A caller of one gateway, with files of their own."""

    def __init__(self, gateway, name, scope="read,write"):
        self.gateway = gateway
        self.fields = bearer(make_token(name, scope))

    def send(self, body, **fields):
        return self.gateway.post("/v1/upload", body, {**self.fields, **FORM, **fields})

    def upload(self, data, *arguments, **options):
        answer = self.send(file_form(data, *arguments, **options))
        assert answer.status == 200, answer
        return answer.data

    def get(self, path, **fields):
        return self.gateway.get(path, {**self.fields, **{n.replace("_", "-"): v for n, v in fields.items()}})

    def delete(self, path):
        return self.gateway.delete(path, self.fields)

    def query(self, query, **more):
        return self.gateway.post("/v1/query", json.dumps({"query": query, **more}), self.fields)

    def files(self, query=""):
        return self.get(f"/v1/files{query}").data
