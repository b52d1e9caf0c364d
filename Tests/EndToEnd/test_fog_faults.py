"""Faults while jobs run: the coordinator killed or frozen, plugins replaced, a node cut off whose results come late."""

import pytest

from fog import ENDS, OVER, Batch, check_settlements, eventually, leases_of, start_fog
from wire import Wire


@pytest.fixture
def gateways(tmp_path):
    """Starts a coordinator and its nodes."""
    started = []
    yield lambda *names, **more: start_fog(tmp_path, started, *names, **more)
    for peer in started:
        peer.stop()


def test_a_coordinator_that_is_killed_goes_on_where_it_was(gateways):
    ada, bea, cleo = gateways("bea", "cleo", coordinator={"enabled": False})
    batch = Batch(ada, 60)
    batch.over(15)
    ada.kill()
    ada.restart()
    eventually(lambda: ada.has(bea, cleo), ENDS, "the nodes are there again")
    jobs = batch.finish()
    assert all(ada.node(node)["trust"]["leases_lost"] == 0 for node in (bea, cleo)), "it was nobody's fault"
    assert {job["assigned_node"] for job in jobs} == {bea.id, cleo.id}


def test_the_plugin_is_replaced_on_node_and_coordinator_while_jobs_run(gateways):
    ada, bea = gateways("bea", coordinator={"enabled": False})
    batch = Batch(ada, 40)
    batch.over(8)
    bea.replace("p2p_fog")
    batch.over(16)
    ada.replace("p2p_fog")
    batch.over(24)
    ada.replace("tokens")
    batch.finish()


def test_a_node_that_was_cut_off_brings_its_results_too_late(gateways):
    wires = {"ada": Wire(1), "bea": Wire(2)}
    try:
        ada, bea = gateways("bea", wires=wires)
        batch = Batch(ada, 12, "sleep 3; mkdir -p outputs; echo \"result $1\" > outputs/result")
        eventually(lambda: any(one["state"] == "running" for one in leases_of(ada, bea)), ENDS, "bea works")
        held = {one["lease_id"] for one in leases_of(ada, bea)}
        for wire in wires.values():
            wire.cut = True
            wire.break_connections()
        eventually(lambda: not leases_of(ada, bea), ENDS, "the leases of bea are lost")
        for wire in wires.values():
            wire.cut = False
        eventually(lambda: ada.has(bea), ENDS, "bea is back")
        jobs = batch.finish()
        states = {one["lease_id"]: one["state"] for job in jobs for one in job["attempts"]}
        assert {states[lease] for lease in held} <= {"lost", "succeeded"} and "lost" in states.values(), states
    finally:
        for wire in wires.values():
            wire.close()


def test_a_frozen_coordinator_goes_on_where_it_was(gateways):
    ada, bea = gateways("bea", coordinator={"enabled": False})
    batch = Batch(ada, 24)
    batch.over(4)
    thaw = ada.freeze()
    # Longer than a lease: the node has given up what it had.
    eventually(lambda: bea.health()["services"]["p2p_fog"]["checks"]["fog_node"]["detail"]["jobs"] == 0, ENDS,
               "bea has dropped its leases")
    thaw()
    batch.finish()


def test_a_user_with_one_job_does_not_wait_for_another_with_many(gateways):
    (ada,) = gateways()
    many = Batch(ada, 30)
    one = ada.submit(ada.order("true", user="bob", requirements={"cpu_cores": 0.3}), user="bob")["job_id"]
    ada.completed(one, "bob")
    assert many.count(*OVER) < 20
    many.finish()


def test_a_job_is_cancelled_whose_node_is_gone(gateways):
    ada, bea = gateways("bea", coordinator={"enabled": False})
    job = ada.submit(ada.order("sleep 60"))["job_id"]
    ada.begun(job)
    bea.kill()
    assert ada.post(f"/v1/fog/jobs/{job}/cancel")["status"] == "cancelled"
    ada.settled(job)
    assert check_settlements(ada, [ada.job(job)]) == 0


def test_the_ledger_is_gone_for_a_while_and_is_paid_later(gateways):
    ada, bea = gateways("bea", coordinator={"enabled": False})
    job = ada.submit(ada.order("sleep 2; echo done"))["job_id"]
    ada.begun(job)
    assert ada.gateway.run("plugin", "disable", "tokens").returncode == 0
    ada.completed(job)
    assert ada.settlement(job) == "waiting"
    refused = ada.ask("POST", "/v1/fog/jobs", ada.order("true"))
    assert refused.status == 503 and "tokens" in refused.json()["message"], refused
    assert ada.gateway.run("plugin", "enable", "tokens").returncode == 0
    ada.settled(job)
    assert check_settlements(ada, [ada.job(job)]) == 0
