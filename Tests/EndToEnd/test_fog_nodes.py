"""Nodes come, are listed, drained, removed, killed and go, by the command line and by the routes."""

import json

import pytest

from conftest import run_gateway
from fog import ENDS, FogPeer, eventually, library

NODE = {"memory_mb": 512, "max_jobs": 4}


@pytest.fixture
def peers(tmp_path):
    started = []

    def start(name, **more):
        started.append(FogPeer(tmp_path / name, name, **more))
        return started[-1]

    yield start
    for peer in started:
        peer.stop()


@pytest.fixture
def pair(peers):
    ada = peers("ada", node={"enabled": False}, fog={"payment": "off", "lease_seconds": 4})
    return ada, peers("bea", plugins=(), node={**NODE, "region": "north", "name": "Bea's machine"})


def node_command(peer, *arguments, status=0):
    """What `gateway node` prints, run with the gateway's own settings."""
    ended = run_gateway("node", *arguments, **{**peer.gateway.environment, "PORT": peer.gateway.port})
    assert ended.returncode == status, ended
    return ended.stdout.strip() if status == 0 else ended.stderr


def test_a_node_joins_works_and_leaves_by_the_command_line(pair):
    ada, bea = pair
    assert node_command(ada, "list", "--json") == "[]"
    link = node_command(ada, "invite", "--ttl", "10m", "--note", "for bea")
    assert node_command(bea, "join", link) == f"this gateway is a node of {ada.id}"
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "the node bea")
    (listed,) = json.loads(node_command(ada, "list", "--json"))
    assert listed["node_id"] == bea.id and listed["name"] == "Bea's machine" and listed["location"]["region"] == "north"
    table = node_command(ada, "list").splitlines()
    assert table[0].split()[:2] == ["NODE", "STATUS"] and table[1].split()[:2] == [bea.id, "active"]
    assert ada.run("echo worked")["assigned_node"] == bea.id
    coordinators = bea.get("/v1/fog/coordinators")["coordinators"]
    assert {one["peer_id"]: one["registered"] for one in coordinators} == {ada.id: True, bea.id: True}
    # The link was for one gateway, once.
    other = node_command(ada, "join", link, status=1)
    assert "invitation" in other or "redeemed" in other or "enabled" in other, other
    assert node_command(bea, "leave", ada.id) == f"this gateway is no node of {ada.id} any more"
    assert "no node" in node_command(bea, "leave", ada.id, status=1)
    eventually(lambda: ada.has(bea, status="offline"), ENDS, "bea is offline")
    for wrong in (["join"], ["join", "a", "b"], ["leave"], ["leave", "../x"], ["invite", "--ttl"], ["sing"], []):
        assert "usage:" in node_command(ada, *wrong, status=2)
    assert "invitation must begin with" in node_command(bea, "join", "betanet:nonsense", status=1)
    assert "usage:" in node_command(bea, "join", "", status=2)


@pytest.mark.parametrize("count", [100, 101, 200, 250])
def test_the_command_lists_all_nodes_however_many_pages_they_fill(peers, count):
    ada = peers("ada", plugins=(), node={"enabled": False}, fog={"payment": "off"})
    ada.stop()
    # Nodes that were here once: their gateways need not run for the coordinator to know them.
    report = {"cpu_millicores": 1500, "memory_mb": 1024, "disk_mb": 1024, "gpus": [], "cpu_load": 0,
              "memory_free_mb": 0, "disk_free_mb": 0, "capabilities": []}
    known = [f"{number:064x}" for number in range(1, count + 1)]
    with ada.database() as store:
        store.executemany(
            "INSERT INTO fog_nodes (id, report, registered_at, seen_at, trust_at) VALUES (?, ?, 1, 1, 1)",
            [(node, json.dumps({**report, "name": f"node {node[-3:]}"})) for node in known])
    store.close()
    ada.start()
    listed = json.loads(node_command(ada, "list", "--json"))
    assert [node["node_id"] for node in listed] == known
    assert listed[-1]["name"] == f"node {known[-1][-3:]}"
    head, *rows = node_command(ada, "list").splitlines()
    assert [row.split()[:3] for row in rows] == [[node, "offline", "1.5"] for node in known], head


def test_an_invitation_is_redeemed_once(peers, pair):
    ada, bea = pair
    cleo = peers("cleo", plugins=(), node=NODE)
    link = node_command(ada, "invite")
    node_command(bea, "join", link)
    refused = cleo.ask("POST", "/v1/fog/coordinators", {"invitation": link}, scope="admin")
    assert refused.status in (403, 409, 422, 502), refused
    assert cleo.id not in ada.nodes()
    # Known for messages alone is no node.
    cleo.join(ada)
    answer = cleo.ask("POST", "/v1/fog/coordinators", {"peer_id": ada.id}, scope="admin")
    assert answer.status in (201, 403), answer
    eventually(lambda: bea.id in ada.nodes(), ENDS, "bea")
    eventually(lambda: next(
        (one["trouble"] for one in cleo.get("/v1/fog/coordinators")["coordinators"] if one["peer_id"] == ada.id), None),
        ENDS, "the reason why cleo is no node")
    assert cleo.id not in ada.nodes()


def test_filters_and_summary(peers, pair):
    ada, bea = pair
    cleo = peers("cleo", plugins=(), node={**NODE, "region": "south", "cpu_cores": 0.5})
    for node in (bea, cleo):
        node.works_for(ada)
    eventually(lambda: ada.has(bea, cleo, capability="process"), ENDS, "both nodes")
    page = ada.get("/v1/fog/nodes")
    assert page["total_nodes"] == page["active_nodes"] == page["total_count"] == 2
    assert page["summary"]["total_memory_gb"] == 1 and page["summary"]["average_load"] == 0
    cores = sum(node["resources"]["cpu_cores"] for node in page["nodes"])
    assert page["summary"]["total_cpu_cores"] == cores and ada.node(cleo)["resources"]["cpu_cores"] == 0.5
    for query, found in {
        "?location=south": {cleo.id}, "?capabilities=process,region:north": {bea.id}, "?capabilities=gpu9": set(),
        "?status=active": {bea.id, cleo.id}, "?status=offline": set(), "?status=busy": set(),
        "?status=all": {bea.id, cleo.id},
        "?tier=platinum": {bea.id, cleo.id},
    }.items():
        assert set(ada.nodes(query)) == found, query
    assert len(ada.nodes("?limit=1")) == 1 and set(ada.nodes("?limit=1")) | set(ada.nodes("?limit=1&offset=1")) == {
        bea.id, cleo.id}
    assert ada.node(bea)["pricing"].keys() == {"bronze_tier", "silver_tier", "gold_tier", "platinum_tier"}


def test_a_draining_node_ends_what_it_has_and_gets_nothing_new(pair):
    ada, bea = pair
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "the node bea")
    running = ada.submit(ada.order("echo begun; sleep 3; echo ended"))["job_id"]
    ada.begun(running)
    assert ada.post(f"/v1/fog/nodes/{bea.id}/drain", scope="admin")["status"] == "draining"
    waiting = ada.submit(ada.order("true"))
    assert waiting["status"] == "queued" and "draining" in json.dumps(waiting["placement"])
    assert "ended" in ada.log_of(ada.completed(running)["job_id"])
    assert ada.job(waiting["job_id"])["status"] == "queued"
    ada.post(f"/v1/fog/nodes/{bea.id}/undrain", scope="admin")
    ada.completed(waiting["job_id"])


def test_a_removed_node_loses_its_jobs_and_comes_back_by_an_operator_alone(pair):
    ada, bea = pair
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "the node bea")
    running = ada.submit(ada.order("sleep 60"))["job_id"]
    ada.begun(running)
    answer = ada.ask("DELETE", f"/v1/fog/nodes/{bea.id}", scope="admin")
    assert answer.data["status"] == "removed" and bea.id not in ada.nodes()
    eventually(lambda: ada.job(running)["status"] == "queued", what="the job waits again")
    eventually(lambda: next(one["trouble"] for one in bea.get("/v1/fog/coordinators")["coordinators"]
                            if one["peer_id"] == ada.id), ENDS, "bea knows that it was removed")
    bea.kill()
    bea.restart()
    eventually(lambda: next((one["trouble"] for one in bea.get("/v1/fog/coordinators")["coordinators"]
                             if one["peer_id"] == ada.id), None), ENDS, "bea is refused again")
    assert bea.id not in ada.nodes() and ada.job(running)["status"] == "queued"
    assert ada.health()["services"]["p2p_fog"]["checks"]["fog"]["status"] == "healthy"
    ada.post(f"/v1/fog/nodes/{bea.id}/admit", scope="admin")
    eventually(lambda: ada.has(bea), ENDS, "bea is back")
    ada.begun(running)
    ada.post(f"/v1/fog/jobs/{running}/cancel")


def test_a_killed_node_is_offline_then_active_again_with_its_record(pair):
    ada, bea = pair
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "the node bea")
    ada.run("true")
    bea.kill()
    eventually(lambda: ada.has(bea, status="offline"), ENDS, "bea is offline")
    assert ada.get("/v1/fog/nodes")["active_nodes"] == 0 and set(ada.nodes("?status=offline")) == {bea.id}
    eventually(lambda: ada.health()["services"]["p2p_fog"]["checks"]["fog"]["status"] == "degraded", ENDS, "degraded")
    assert ada.gateway.get("/health").status == 200
    waiting = ada.submit(ada.order("echo later"))["job_id"]
    bea.restart()
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "bea is active again")
    assert ada.completed(waiting)["assigned_node"] == bea.id
    assert ada.node(bea)["trust"]["completed"] == 2
    eventually(lambda: ada.health()["status"] == "healthy", ENDS, "healthy again")


def test_a_node_gets_no_more_jobs_than_it_takes_at_once(pair):
    ada, bea = pair
    bea.works_for(ada)
    eventually(lambda: ada.has(bea, capability="process"), ENDS, "the node bea")
    jobs = [ada.submit(ada.order("sleep 1"))["job_id"] for _ in range(9)]
    ended = [ada.completed(job) for job in jobs]
    assert [len(job["attempts"]) for job in ended] == [1] * 9, [job["attempts"] for job in ended]
    # A place is free as soon as the coordinator knows of it: no offer was refused, which would cost a pause.
    metrics = ada.gateway.get("/metrics", ada.fields(scope="admin")).content.decode()
    refused = [line for line in metrics.splitlines() if "fog_offers_refused_total" in line and not line.startswith("#")]
    assert all(float(line.split()[-1]) == 0 for line in refused), refused


def test_bad_settings_of_fog_and_node_are_named(start_checks):
    for settings, field in (
        ({"fog": {"lease_seconds": 0}}, "fog.lease_seconds"), ({"fog": {"payment": "maybe"}}, "fog.payment"),
        ({"node": {"types": ["dance"]}}, "node.types"), ({"node": {"max_jobs": 0}}, "node.max_jobs"),
        ({"fog": {"unknown": 1}}, "fog.unknown"), ({"node": {"unknown": 1}}, "node.unknown"),
    ):
        assert field in start_checks(settings), field


@pytest.fixture
def start_checks(tmp_path):
    """What `gateway check` says of a gateway with these settings."""
    (tmp_path / "plugins.d").mkdir()

    def check(settings):
        content = {"library": str(library("p2p_fog")), "settings": {"listen": "127.0.0.1:0", **settings}}
        (tmp_path / "plugins.d/70-p2p-fog.json").write_text(json.dumps(content))
        ended = run_gateway("check", DATA_DIR=tmp_path / "data", PLUGINS_DIR=tmp_path / "plugins.d", PORT=0)
        return ended.stdout + ended.stderr

    return check
