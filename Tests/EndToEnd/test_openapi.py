"""The OpenAPI document against what the gateway really answers, with every bundled plugin."""

import json

import pytest
from jsonschema import Draft202012Validator

from conftest import make_token
from fog import FogPeer, bundle
from ledgers import SHORT, new_key
from raw import bearer
from uploads import User

WHOLE = {"utilities", "agent_forge", "p2p_fog", "tokens", "admin", "gateway"}


class Described:
    """A gateway with all plugins, and what it says of itself."""

    def __init__(self, place):
        self.peer = FogPeer(place, "ada", plugins=("utilities", "agent_forge"), tokens=SHORT)
        self.gateway = self.peer.gateway
        self.document = json.loads(self.gateway.get("/openapi.json").body)

    def operations(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def resolved(self, node):
        """`node` without references."""
        if isinstance(node, list):
            return [self.resolved(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            return self.resolved(target)
        return {name: self.resolved(one) for name, one in node.items()}

    def check(self, method, path, body=None, scope="read,write", template=None, **fields):
        """Asks, and holds the answer against its declaration; gives the answer."""
        sent = {**bearer(make_token("alice", scope)), **fields}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = json.dumps(body)
        with self.gateway.client() as client:
            answer = client.request(method, path, sent, body)
        operation = self.document["paths"][template or path.split("?")[0]][method.lower()]
        self.conforms(operation, answer, f"{method} {path}")
        return answer

    def conforms(self, operation, answer, what):
        responses = operation["responses"]
        declared = self.resolved(responses.get(str(answer.status)) or responses["default"])
        kind = answer.get("Content-Type").split(";")[0]
        contents = declared.get("content", {})
        content = contents.get(kind) or contents.get("*/*")
        assert content is not None or not contents, f"{what}: {answer.status} {kind} is not declared"
        if kind == "application/json" and content:
            faults = list(Draft202012Validator(content["schema"]).iter_errors(answer.json()))
            assert not faults, f"{what}: {answer.status}: {faults[0]}"


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    described = Described(tmp_path_factory.mktemp("described"))
    yield described
    described.gateway.stop()


def test_every_operation_is_whole(described):
    ids = []
    for method, path, operation in described.operations():
        what = f"{method} {path}"
        ids.append(operation["operationId"])
        assert operation["summary"] and set(operation["tags"]) <= WHOLE, what
        in_path = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert in_path == [part[1:-1] for part in path.split("/") if part.startswith("{")], what
        responses = described.resolved(operation["responses"])
        assert [status for status in responses if status[0] in "12"] and "default" in responses, what
        assert all(one["description"] for one in responses.values()), what
        needs = {"401", "403"} if operation["security"] else set()
        assert needs <= set(responses), what
        for status, one in responses.items():
            assert status[0] not in "45" or one["content"], f"{what}: {status}"
        for schema in schemas(described.resolved(operation)):
            Draft202012Validator.check_schema(schema)
    assert len(set(ids)) == len(ids)


def schemas(node):
    if isinstance(node, dict):
        for name, one in node.items():
            yield from [one] if name == "schema" else schemas(one)
    elif isinstance(node, list):
        for one in node:
            yield from schemas(one)


def test_what_a_request_needs_is_declared(described):
    required = [
        (method, path) for method, path, operation in described.operations()
        if any(one["name"] == "Idempotency-Key" and one["required"] for one in operation.get("parameters", []))]
    assert required == [("POST", f"/v1/tokens/{verb}") for verb in ("transfer", "mint", "burn")]
    # A body that may be of any form is none that a client could be made from.
    for method, path, operation in described.operations():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            assert kind != "application/json" or content["schema"].get("properties"), f"{method} {path}"


def test_every_list_and_status_is_answered_as_declared(described):
    asked = 0
    for method, path, operation in described.operations():
        if method == "GET" and "{" not in path:
            assert described.check("GET", path, scope="read,write,admin").status in (200, 426), path
            asked += 1
    assert asked > 20


def test_errors_are_answered_as_declared(described):
    some = "00000000-0000-4000-8000-000000000000"
    for method, path, operation in described.operations():
        if "/admin/" in path:
            continue
        filled = "/".join(some if part.startswith("{") else part for part in path.split("/"))
        with described.gateway.client() as client:
            answer = client.request(method, filled)
        described.conforms(operation, answer, f"{method} {path} without credentials")
        if operation["security"]:
            assert answer.status == 401, path
            answer = described.check(method, filled, [] if method == "POST" else None, "read,write,admin", path)
            assert answer.status < 500, f"{method} {path}: {answer}"


def test_money_is_answered_as_declared(described):
    post = lambda path, body, **more: described.check("POST", f"/v1/tokens{path}", body, **more)  # noqa: E731
    described.check("GET", "/v1/tokens")
    minted = post("/mint", {"account": "alice", "amount": "9000", "reason": "x"}, scope="read,admin",
                  **{"Idempotency-Key": new_key()})
    assert minted.status == 200
    assert post("/transfer", {"to": "alice", "amount": "1"}).status == 400
    staked = post("/stake", {"amount": "2000", "lock_seconds": 0}).data
    proposal = post("/proposals", {"title": "t", "proposal_type": "text"}).data["proposal_id"]
    vote = described.check("POST", f"/v1/tokens/proposals/{proposal}/vote", {"vote": "for"},
                           template="/v1/tokens/proposals/{id}/vote")
    assert vote.status == 200
    for path in ("/v1/tokens/transactions?limit=100", "/v1/tokens/stakes", "/v1/tokens/proposals"):
        assert described.check("GET", path).status == 200
    assert post("/claim", None).status == 200
    assert post("/unstake", {"amount": "2000", "stake_id": staked["stake_id"]}).status == 200


def test_messages_files_and_jobs_are_answered_as_declared(described):
    sent = described.check("POST", "/v1/p2p/message", {"recipient": "alice", "message": {"payload": None}})
    assert sent.status == 202
    assert described.check("GET", "/v1/p2p/messages").data["total_count"] == 1
    made = described.check("POST", "/v1/p2p/invitations", {"note": "n"}, scope="admin")
    assert made.status == 201
    assert described.check("GET", "/v1/p2p/invitations", scope="admin").data["total_count"] == 1
    file = User(described.gateway, "alice").upload(bundle("true"), "bundle.tar", "application/x-tar")["file_id"]
    assert described.check("GET", "/v1/files").data["total_count"] == 1
    content = described.check("GET", f"/v1/files/{file}/content", template="/v1/files/{id}/content", Range="bytes=0-9")
    assert content.status == 206
    assert described.check("POST", "/v1/fog/quotes", {}).status == 201
    order = {"name": "n", "type": "process", "inputs": [file], "parameters": {"bundle": file, "command": ["true"]}}
    job = described.check("POST", "/v1/fog/jobs", order)
    # Where nothing can isolate a process, the refusal is answered as declared all the same.
    if job.status == 202:
        path = f"/v1/fog/jobs/{job.data['job_id']}"
        for part in ("", "/status", "/files", "/logs"):
            assert described.check("GET", path + part, template="/v1/fog/jobs/{job_id}" + part).status == 200
        described.check("POST", f"{path}/cancel", None, template="/v1/fog/jobs/{job_id}/cancel")
    run = described.check("POST", "/v1/models/train", {"phase_name": "cognate", "real_training": False, "max_steps": 1})
    path = f"/v1/models/train/{run.data['task_id']}"
    assert described.check("GET", path, template="/v1/models/train/{task_id}").status == 200
    assert described.check("GET", f"{path}/logs", template="/v1/models/train/{task_id}/logs").status == 200
