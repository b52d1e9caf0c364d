"""What the fog refuses, field by field, and in which words."""

import json
from datetime import datetime, timezone

import pytest

from fog import ENDS, FogPeer, eventually
from ledgers import Holder, units

HEX = "0" * 64
UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    """A coordinator that is its only node."""
    peer = FogPeer(tmp_path_factory.mktemp("fog") / "ada", "ada", tokens={"signup_grant": "5"},
                   node={"cpu_cores": 1, "memory_mb": 256, "disk_mb": 128, "region": "here"},
                   fog={"price": "1", "price_floor": "0.5", "price_ceiling": "2", "max_quotes_per_user": 3})
    eventually(lambda: peer.has(peer, capability="process"), ENDS, "its own node")
    yield peer
    peer.stop()


@pytest.fixture(scope="module")
def order(ada):
    return ada.order("true")


def errors(answer):
    """Reasons by field."""
    body = answer.json()
    assert answer.status == 422 and body["error_code"] == "VALIDATION_ERROR", answer
    return {error["field"]: error for error in body["details"]}


def changed(order, field, value):
    """The order with one field, which may stand in an object, changed or removed."""
    order = json.loads(json.dumps(order))
    *outer, name = field.split(".")
    inner = order
    for one in outer:
        inner = inner[one]
    if value is None:
        inner.pop(name)
    else:
        inner[name] = value
    return order


@pytest.mark.parametrize("field, value, reason", [
    ("name", None, "required"), ("name", "", "1"), ("name", "x" * 129, "128"), ("name", 7, "text"),
    ("type", "mine", "process"), ("tier", "tin", "bronze"), ("tier", 1, ""),
    ("requirements", 1, "object"), ("requirements.cpu_cores", 0.05, "0.1"), ("requirements.cpu_cores", 1025, "1024"),
    ("requirements.cpu_cores", "1", "number"), ("requirements.memory_mb", 15, "16"),
    ("requirements.memory_mb", 1.5, "whole number"), ("requirements.disk_mb", 0, "1"),
    ("requirements.gpu_count", 65, "64"), ("requirements.gpu_count", -1, "0"),
    ("requirements.max_duration_s", 0, "1"), ("requirements.max_duration_s", 604801, "604800"),
    ("requirements.capabilities", "gpu", "list"), ("requirements.capabilities", ["a"] * 33, "32"),
    ("requirements.unknown", 1, ""),
    ("inputs", "x", "list"), ("inputs", ["x"] * 2, ""), ("inputs", [str(n) for n in range(65)], "64"),
    ("deadline", "tomorrow", "RFC 3339"), ("deadline", "2001-01-01T00:00:00Z", "future"),
    ("deadline", "2200-01-01T00:00:00Z", "90 days"), ("max_cost", "-1", ""), ("max_cost", "much", ""),
    ("max_cost", [], ""), ("quote_id", "x", "quote"), ("quote_id", 1, ""), ("unknown", 1, ""),
    ("parameters", [], "object"), ("parameters", {"bundle": "x"}, ""), ("parameters.bundle", "other", "inputs"),
    ("parameters.command", [], ""), ("parameters.command", ["a"] * 257, "256"), ("parameters.command", "true", "list"),
    ("parameters.command", ["nul\0"], "NUL"), ("parameters.command", [""], ""),
    ("parameters.environment", {"A": 1}, ""),
    ("parameters.environment", {"1A": "x"}, ""), ("parameters.environment", {f"A{n}": "x" for n in range(65)}, "64"),
    ("parameters.unknown", 1, ""),
], ids=lambda value: json.dumps(value)[:30])
def test_every_field_of_a_job_is_bounded_and_named(ada, order, field, value, reason):
    answer = ada.ask("POST", "/v1/fog/jobs", changed(order, field, value))
    found = errors(answer)
    assert any(name == field or name.startswith((field, field.split(".")[0])) for name in found), found
    assert reason in json.dumps(list(found.values())), found


@pytest.mark.parametrize("name, wanted, largest", [
    ("cpu_cores", 1024, "1.0"), ("memory_mb", 257, "256"), ("disk_mb", 129, "128"), ("gpu_count", 64, None),
])
def test_more_than_any_node_has_is_refused_with_what_the_largest_has(ada, order, name, wanted, largest):
    found = errors(ada.ask("POST", "/v1/fog/jobs", changed(order, f"requirements.{name}", wanted)))
    reason = found[f"requirements.{name}"]["reason"]
    assert "the largest node has" in reason and (largest is None or reason.endswith(largest)), reason


def test_an_unknown_capability_is_refused_with_those_that_are_known(ada, order):
    found = errors(ada.ask("POST", "/v1/fog/jobs", changed(order, "requirements.capabilities", ["quantum"])))
    error = found["requirements.capabilities"]
    assert "quantum" in error["reason"] and "process" in json.dumps(error) and "region:here" in json.dumps(error)


def test_a_type_that_no_node_does_is_refused(ada):
    body = {"name": "t", "type": "train", "requirements": {"memory_mb": 64}, "parameters": {}}
    assert "no node can train" in errors(ada.ask("POST", "/v1/fog/jobs", body))["type"]["reason"]


@pytest.mark.parametrize("kind, parameters", [("train", {}), ("inference", {"model_id": "m", "prompts": ["p"]})])
def test_a_type_that_computes_on_processors_alone_gets_no_gpu(ada, kind, parameters):
    body = {"name": "g", "type": kind, "requirements": {"gpu_count": 1}, "parameters": parameters}
    error = errors(ada.ask("POST", "/v1/fog/jobs", body))["requirements.gpu_count"]
    assert error["reason"].startswith(f"must be 0 for {kind}"), error


@pytest.mark.parametrize("body, status", [(b"", 400), (b"{", 400), (b"[]", 422), (b"null", 422), (b'"x"', 422)])
def test_a_body_that_is_no_object_is_refused(ada, body, status):
    for path in ("/v1/fog/jobs", "/v1/fog/quotes"):
        with ada.gateway.client() as client:
            answer = client.request("POST", path, {**ada.fields(), "Content-Type": "application/json"}, body)
        assert answer.status in (400, 422), (path, body, answer)


def test_bodies_have_a_limit(ada, order):
    large = {**order, "parameters": {**order["parameters"], "environment": {"A": "x" * (256 << 10)}}}
    assert ada.ask("POST", "/v1/fog/jobs", large).status == 413
    assert ada.ask("POST", "/v1/fog/quotes", {"tier": "x" * (16 << 10)}).status == 413
    most = changed(order, "parameters.environment", {f"A{n}": "x" * 4096 for n in range(40)})
    assert "131072 bytes" in json.dumps(errors(ada.ask("POST", "/v1/fog/jobs", most)))


@pytest.mark.parametrize("method, path", [
    ("GET", f"/v1/fog/jobs/{UUID}"), ("GET", f"/v1/fog/jobs/{UUID}/status"), ("GET", f"/v1/fog/jobs/{UUID}/logs"),
    ("GET", f"/v1/fog/jobs/{UUID}/files"), ("GET", f"/v1/fog/jobs/{UUID}/files/content?path=x"),
    ("POST", f"/v1/fog/jobs/{UUID}/cancel"), ("DELETE", f"/v1/fog/jobs/{UUID}"),
    ("DELETE", f"/v1/fog/jobs/{UUID}/files"), ("GET", "/v1/fog/jobs/x"), ("GET", f"/v1/fog/nodes/{HEX}"),
    ("GET", "/v1/fog/nodes/x"),
    ("POST", f"/v1/fog/nodes/{HEX}/drain"), ("POST", f"/v1/fog/nodes/{HEX}/undrain"),
    ("POST", f"/v1/fog/nodes/{HEX}/admit"), ("DELETE", f"/v1/fog/nodes/{HEX}"),
    ("DELETE", f"/v1/fog/coordinators/{HEX}"),
])
def test_what_is_not_there_is_not_found(ada, method, path):
    answer = ada.ask(method, path, scope="read,write,admin")
    assert answer.status == 404 and answer.json()["message"], answer


@pytest.mark.parametrize("method, path, scope", [
    ("GET", "/v1/fog/nodes", "read"), ("GET", f"/v1/fog/nodes/{HEX}", "read"), ("GET", "/v1/fog/resources", "read"),
    ("GET", "/v1/fog/jobs", "read"), ("GET", f"/v1/fog/jobs/{UUID}", "read"),
    ("GET", f"/v1/fog/jobs/{UUID}/logs", "read"), ("GET", f"/v1/fog/jobs/{UUID}/files", "read"),
    ("GET", f"/v1/fog/jobs/{UUID}/files/content", "read"),
    ("GET", "/v1/fog/market", "read"), ("GET", "/v1/fog/coordinators", "read"), ("POST", "/v1/fog/jobs", "write"),
    ("POST", f"/v1/fog/jobs/{UUID}/cancel", "write"), ("DELETE", f"/v1/fog/jobs/{UUID}", "write"),
    ("DELETE", f"/v1/fog/jobs/{UUID}/files", "write"), ("POST", "/v1/fog/quotes", "write"),
    ("POST", f"/v1/fog/nodes/{HEX}/drain", "admin"), ("POST", f"/v1/fog/nodes/{HEX}/undrain", "admin"),
    ("POST", f"/v1/fog/nodes/{HEX}/admit", "admin"), ("DELETE", f"/v1/fog/nodes/{HEX}", "admin"),
    ("GET", "/v1/fog/leases", "admin"), ("POST", "/v1/fog/coordinators", "admin"),
    ("DELETE", f"/v1/fog/coordinators/{HEX}", "admin"),
])
def test_every_route_asks_for_its_scope(ada, method, path, scope):
    others = {"read": "write", "write": "read", "admin": "read,write"}
    body = {} if method == "POST" else None
    assert ada.ask(method, path, body, scope=others[scope]).status == 403
    with ada.gateway.client() as client:
        assert client.request(method, path).status == 401


@pytest.mark.parametrize("path", [
    "nodes?status=dead", "nodes?tier=tin", "nodes?limit=0", "nodes?limit=1001", "nodes?offset=-1", "nodes?unknown=1",
    "nodes?capabilities=" + "x" * 1025, "jobs?status=pending", "jobs?type=mine", "jobs?tier=tin", "jobs?limit=101",
    "jobs?offset=x", "jobs?unknown=1",
])
def test_bad_filters_are_refused_by_name(ada, path):
    name = path.split("?")[1].split("=")[0]
    assert name in errors(ada.ask("GET", f"/v1/fog/{path}"))


@pytest.mark.parametrize("body, field", [
    ({}, "peer_id"), ({"invitation": "x"}, "invitation"), ({"invitation": 1}, "invitation"),
    ({"peer_id": "x"}, "peer_id"), ({"peer_id": HEX, "unknown": 1}, "unknown"),
])
def test_what_is_no_invitation_is_refused(ada, body, field):
    answer = ada.ask("POST", "/v1/fog/coordinators", body, scope="admin")
    assert field in errors(answer), answer


def test_an_invitation_for_messages_alone_makes_no_node(ada):
    link = ada.invite()
    found = errors(ada.ask("POST", "/v1/fog/coordinators", {"invitation": link}, scope="admin"))
    assert "messages alone" in found["invitation"]["reason"]
    own = ada.ask("POST", "/v1/fog/coordinators", {"peer_id": ada.id}, scope="admin")
    assert own.status == 409, own


def test_a_key_is_bounded(ada, order):
    assert ada.ask("POST", "/v1/fog/jobs", order, **{"Idempotency-Key": "x" * 129}).status in (400, 422)


# The market

def test_a_quote_binds_its_price_for_one_job_of_its_size(ada):
    order = ada.order("true")
    wanted = {"tier": "silver", "type": "process", "requirements": order["requirements"]}
    quote = ada.post("/v1/fog/quotes", wanted, status=201)
    assert quote["available"] is True and quote["price_per_core_hour"] == "1.5"
    bound = {**order, "tier": "silver", "quote_id": quote["quote_id"]}
    assert "silver" in errors(ada.ask("POST", "/v1/fog/jobs", {**bound, "tier": "gold"}))["quote_id"]["reason"]
    larger = changed(bound, "requirements.memory_mb", 200)
    assert "less than" in errors(ada.ask("POST", "/v1/fog/jobs", larger))["quote_id"]["reason"]
    longer = changed(bound, "requirements.max_duration_s", 200)
    assert "less than" in errors(ada.ask("POST", "/v1/fog/jobs", longer))["quote_id"]["reason"]
    foreign = ada.order(user="bob", quote_id=quote["quote_id"], tier="silver")
    other = ada.ask("POST", "/v1/fog/jobs", foreign, user="bob")
    assert "no quote of yours" in errors(other)["quote_id"]["reason"]
    job = ada.completed(ada.submit(bound)["job_id"])
    assert job["costs"]["price_per_core_hour"] == "1.5"
    assert job["costs"]["locked"] == quote["cost_estimate"]["total_cost"]
    assert "used" in errors(ada.ask("POST", "/v1/fog/jobs", bound))["quote_id"]["reason"]


def test_quotes_of_one_user_are_bounded_and_say_what_cannot_be(ada):
    for _ in range(3):
        quote = ada.post("/v1/fog/quotes", {"requirements": {"memory_mb": 4096}}, status=201, user="carol")
        assert quote["available"] is False and "no active node" in quote["reason"]
    answer = ada.ask("POST", "/v1/fog/quotes", {}, user="carol")
    assert answer.status == 429 and answer.get("Retry-After"), answer
    for body, field in (({"tier": "tin"}, "tier"), ({"type": "mine"}, "type"), ({"unknown": 1}, "unknown"),
                        ({"requirements": {"cpu_cores": 0}}, "requirements.cpu_cores")):
        assert field in errors(ada.ask("POST", "/v1/fog/quotes", body)), body


def test_a_cost_limit_and_a_balance_that_is_too_small_refuse_and_lock_nothing(ada):
    dave = Holder(ada.gateway, "dave")
    assert dave.balance == "5"
    order = ada.order("true", user="dave", requirements={"cpu_cores": 1, "max_duration_s": 36_000})
    limited = ada.ask("POST", "/v1/fog/jobs", {**order, "max_cost": "1"}, user="dave")
    assert limited.status == 422 and limited.code == "COST_LIMIT_EXCEEDED", limited
    estimate = limited.json()["details"]["estimate"]
    assert units(estimate) > units("10")
    poor = ada.ask("POST", "/v1/fog/jobs", order, user="dave")
    assert poor.status == 402 and poor.code == "INSUFFICIENT_BALANCE" and estimate in poor.json()["message"], poor
    assert dave.balance == "5" and dave.get().data["locked"] == "0"
    assert ada.get("/v1/fog/jobs", user="dave")["total_count"] == 0
    small = changed(order, "requirements.max_duration_s", 60)
    job = ada.completed(ada.submit({**small, "max_cost": "1"}, user="dave")["job_id"], "dave")
    ada.settled(job["job_id"], user="dave")
    assert units(dave.balance) == units("5") - units(job["costs"]["final_cost"])


def test_prices_stay_in_their_bounds_and_follow_demand(ada):
    before = ada.get("/v1/fog/market")["tiers"]
    order = ada.order("sleep 30", tier="silver", requirements={"cpu_cores": 1, "memory_mb": 128})
    jobs = [ada.submit(order)["job_id"] for _ in range(3)]
    busy = ada.get("/v1/fog/market")
    assert busy["market_conditions"]["queued_jobs"] + busy["market_conditions"]["running_jobs"] == 3
    for name, tier in busy["tiers"].items():
        assert units(tier["floor"]) <= units(tier["price_per_core_hour"]) <= units(tier["ceiling"])
    assert units(busy["tiers"]["silver"]["target"]) > units(before["silver"]["target"])
    assert busy["tiers"]["silver"]["demand_supply_ratio"] > 2
    start = units(before["silver"]["price_per_core_hour"])
    moved = eventually(
        lambda: (p := units(ada.get("/v1/fog/market")["tiers"]["silver"]["price_per_core_hour"])) > start and p, 30,
        "a higher price")
    assert moved < start * 1.1
    for job in jobs:
        ada.post(f"/v1/fog/jobs/{job}/cancel")


def test_a_late_start_is_credited(ada):
    full = ada.submit(ada.order("sleep 60", requirements={"cpu_cores": 1, "memory_mb": 128}))["job_id"]
    ada.begun(full)
    late = ada.submit(ada.order("sleep 1", tier="platinum", requirements={"cpu_cores": 1}))["job_id"]
    eventually(lambda: ada.job(late)["sla"]["missed"] is not False and waited(ada, late) > 1.5, what="a broken promise")
    ada.post(f"/v1/fog/jobs/{full}/cancel")
    job = ada.completed(late)
    ada.settled(late)
    job = ada.job(late)
    assert job["sla"]["missed"] is True and job["sla"]["start_ms"] > job["sla"]["promised_start_ms"] == 1000
    credit, cost = units(job["costs"]["sla_credit"]), units(job["costs"]["final_cost"])
    assert 0 < credit == cost * 30 // 100 // 10**9 * 10**9, "a credit is counted in billionths"
    settled = job["costs"]["settlement"]["answer"]["settled"]
    assert {one["reason"] for one in settled} == {"payment", "sla_credit"}


def waited(peer, job):
    created = datetime.fromisoformat(peer.job(job)["created_at"].replace("Z", "+00:00"))
    return (datetime.now(timezone.utc) - created).total_seconds()
