"""Every route of the peers: who may call it, what it refuses, and what the description of the API says of it."""

import pytest

from peers import meet, shared_peer  # noqa: F401

ID, SECRET = "ab" * 32, "A" * 22
LINK = f"aivillage://127.0.0.1:7946/join?peer={ID}&secret={SECRET}&node=0"
# Method, path, the least scope, and a body that is right as far as it can be without another peer.
ROUTES = [
    ("GET", "/v1/p2p/status", "read", None),
    ("GET", "/v1/p2p/peers", "read", None),
    ("GET", "/v1/p2p/peers/{id}", "read", None),
    ("POST", "/v1/p2p/peers", "admin", {}),
    ("DELETE", "/v1/p2p/peers/{id}", "admin", None),
    ("POST", "/v1/p2p/discover", "write", {}),
    ("GET", "/v1/p2p/invitations", "admin", None),
    ("POST", "/v1/p2p/invitations", "admin", {}),
    ("DELETE", "/v1/p2p/invitations/{id}", "admin", None),
    ("POST", "/v1/p2p/message", "write", {}),
    ("GET", "/v1/p2p/messages", "read", None),
    ("GET", "/v1/p2p/messages/{id}", "read", None),
    ("POST", "/v1/p2p/messages/read", "write", {}),
    ("DELETE", "/v1/p2p/messages/{id}", "write", None),
]
SCOPES = {"read": "write", "write": "read", "admin": "read,write"}


@pytest.fixture(scope="module")
def pair(shared_peer):
    ada, bob = shared_peer("ada"), shared_peer("bob")
    meet(ada, bob)
    return ada, bob


@pytest.mark.parametrize("method, path, scope, body", ROUTES, ids=[f"{method} {path}" for method, path, *_ in ROUTES])
def test_a_route_is_described_and_asks_for_its_scope(pair, method, path, scope, body):
    ada, _ = pair
    described = ada.gateway.get("/openapi.json").json()["paths"]
    assert method.lower() in described[path], f"{method} {path}"
    path = path.replace("{id}", ID)
    answer = ada.ask(method, path, body, scope=SCOPES[scope])
    assert answer.status == 403 and answer.code == "INSUFFICIENT_PERMISSIONS", answer
    with ada.gateway.client() as client:
        assert client.request(method, path, {}, None if body is None else b"{}").status == 401


@pytest.mark.parametrize("query", [
    "status=asleep", "transport=pigeon", "limit=0", "limit=1001", "limit=x", "offset=-1", "offset=1000001", "color=red",
])
def test_the_list_of_peers_refuses_what_it_does_not_know(pair, query):
    answer = pair[0].ask("GET", f"/v1/p2p/peers?{query}")
    assert answer.status == 422 and query.split("=")[0] in answer.content.decode(), answer


def test_the_list_of_peers_is_filtered_and_paged(pair):
    ada, bob = pair
    full = ada.get("/v1/p2p/peers")
    assert full["total_count"] == 1 and full["limit"] == 100 and full["offset"] == 0
    (only,) = full["peers"]
    assert only["peer_id"] == bob.id and only["name"] == "bob" and only["endpoint"] == bob.endpoint
    assert only["status"] == "alive" and only["route"] in ("direct", "mesh") and "bitchat" in only["transports"]
    assert ada.get("/v1/p2p/peers?status=alive&transport=bitchat")["total_count"] == 1
    assert ada.get("/v1/p2p/peers?status=dead")["total_count"] == 0
    page = ada.get("/v1/p2p/peers?offset=1")
    assert page["peers"] == [] and page["total_count"] == 1
    assert ada.get(f"/v1/p2p/peers/{bob.id}")["peer_id"] == bob.id


@pytest.mark.parametrize("name", ["x", ID[:-1], ID + "a", ID.upper(), "zz" * 32, ID])
def test_a_peer_that_is_none_is_not_found(pair, name):
    ada, _ = pair
    for method, scope in (("GET", "read"), ("DELETE", "admin")):
        answer = ada.ask(method, f"/v1/p2p/peers/{name}", scope=scope)
        assert answer.status == 404, answer
    assert ada.ask("DELETE", f"/v1/p2p/invitations/{name}", scope="admin").status == 404
    assert ada.ask("GET", f"/v1/p2p/messages/{name}").status == 404


@pytest.mark.parametrize("body, field", [
    ({}, "peer_id"), ({"peer_id": ID}, "endpoint"), ({"endpoint": "127.0.0.1:1"}, "peer_id"),
    ({"peer_id": ID.upper(), "endpoint": "127.0.0.1:1"}, "peer_id"), ({"peer_id": 1, "endpoint": "127.0.0.1:1"}, "peer_id"),
    ({"peer_id": ID, "endpoint": "localhost:1"}, "endpoint"), ({"peer_id": ID, "endpoint": "127.0.0.1"}, "endpoint"),
    ({"peer_id": ID, "endpoint": "127.0.0.1:0"}, "endpoint"), ({"peer_id": ID, "endpoint": "0.0.0.0:1"}, "endpoint"),
    ({"peer_id": ID, "endpoint": "127.0.0.1:65536"}, "endpoint"), ({"peer_id": ID, "endpoint": "[::1:1"}, "endpoint"),
    ({"peer_id": ID, "endpoint": "127.0.0.1:1", "node": "yes"}, "node"),
    ({"peer_id": ID, "endpoint": "127.0.0.1:1", "color": 1}, "color"),
    ({"invitation": LINK, "peer_id": ID}, "peer_id"), ({"invitation": LINK, "node": True}, "node"),
    ({"invitation": 7}, "invitation"), ({"invitation": ""}, "invitation"), ({"invitation": "x" * 513}, "invitation"),
    ({"invitation": LINK.replace("aivillage", "http")}, "invitation"),
    ({"invitation": LINK.replace("/join", "/leave")}, "invitation"),
    ({"invitation": LINK.replace("127.0.0.1:7946", "example.org")}, "invitation"),
    ({"invitation": LINK.replace(":7946", ":0")}, "invitation"),
    ({"invitation": LINK.replace("127.0.0.1", "0.0.0.0")}, "invitation"),
    ({"invitation": LINK.replace(ID, ID[1:])}, "invitation"),
    ({"invitation": LINK.replace(SECRET, SECRET[1:])}, "invitation"),
    ({"invitation": LINK.replace("node=0", "node=2")}, "invitation"), ({"invitation": LINK + "&more=1"}, "invitation"),
    ({"invitation": LINK + "&node=0"}, "invitation"),
])
def test_a_peer_that_cannot_be_added_is_refused_by_its_field(pair, body, field):
    answer = pair[0].ask("POST", "/v1/p2p/peers", body, scope="admin")
    assert answer.status == 422 and field in answer.content.decode(), answer
    assert SECRET not in answer.content.decode(), "a secret is repeated to nobody"


@pytest.mark.parametrize("body, field", [
    ({"ttl_seconds": 59}, "ttl_seconds"), ({"ttl_seconds": 2_592_001}, "ttl_seconds"), ({"ttl_seconds": "60"}, "ttl_seconds"),
    ({"node": 1}, "node"), ({"note": "x" * 201}, "note"), ({"note": 7}, "note"), ({"color": "red"}, "color"),
])
def test_an_invitation_that_cannot_be_made_is_refused_by_its_field(pair, body, field):
    answer = pair[0].ask("POST", "/v1/p2p/invitations", body, scope="admin")
    assert answer.status == 422 and field in answer.content.decode(), answer


def test_a_hundred_invitations_wait_and_no_more(pair):
    _, bob = pair
    made = [bob.post("/v1/p2p/invitations", {}, status=201, scope="admin") for _ in range(100)]
    assert len({one["link"] for one in made}) == 100
    answer = bob.ask("POST", "/v1/p2p/invitations", {}, scope="admin")
    assert answer.status == 409 and "100 invitations wait already" in answer.json()["message"]
    path = f"/v1/p2p/invitations/{made[0]['invitation_id']}"
    assert bob.ask("DELETE", path, scope="admin").status == 200
    assert bob.ask("POST", "/v1/p2p/invitations", {}, scope="admin").status == 201


@pytest.mark.parametrize("body, field", [
    ({"timeout_seconds": 0}, "timeout_seconds"), ({"timeout_seconds": 31}, "timeout_seconds"),
    ({"max_peers": 0}, "max_peers"), ({"max_peers": 1001}, "max_peers"), ({"discovery_types": "all"}, "discovery_types"),
    ({"color": "red"}, "color"),
])
def test_a_search_that_cannot_be_made_is_refused_by_its_field(pair, body, field):
    answer = pair[0].ask("POST", "/v1/p2p/discover", body)
    assert answer.status == 422 and field in answer.content.decode(), answer


@pytest.mark.parametrize("query", [
    "direction=up", "limit=0", "limit=201", "offset=-1", "after=-1", "after=x", "peer=short", "status=", "box=all",
    f"type={'x' * 33}", "color=red",
])
def test_the_list_of_messages_refuses_what_it_does_not_know(pair, query):
    answer = pair[0].ask("GET", f"/v1/p2p/messages?{query}")
    assert answer.status in (400, 422) and query.split("=")[0] in answer.content.decode(), answer


@pytest.mark.parametrize("body", [{}, {"up_to": -1}, {"up_to": "1"}, {"up_to": 1, "color": 1}])
def test_reading_up_to_nothing_is_refused(pair, body):
    assert pair[0].ask("POST", "/v1/p2p/messages/read", body).status == 422


def test_the_status_has_the_fields_of_the_original(pair):
    status = pair[0].status()
    assert {"status", "bitchat", "betanet", "node_id", "peer_count", "transports", "routing_table", "performance",
            "network_health"} <= set(status)
    assert {"connected", "status", "peers", "messages_sent", "messages_received"} <= set(status["bitchat"])
    assert {"connected", "status", "active_circuits", "links"} <= set(status["betanet"])
    assert status["status"] == "operational" and len(status["node_id"]) == 64 and status["uptime_seconds"] > 0
    assert status["performance"]["bytes_sent"] > 0 and status["performance"]["bytes_received"] > 0
    assert status["routing_table"]["direct_routes"] + status["routing_table"]["mesh_routes"] == 1
