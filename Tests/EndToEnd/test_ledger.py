"""The ledger of FOG as others see it: SQLite's command line, plugins that call it, `kill -9`, swaps, and tampering."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from conftest import ROOT, eventually, make_token
from ledgers import SHORT, Holder, LedgerFile, holder, library, new_key, tokens, units  # noqa: F401, fixtures among them
from raw import Closed, bearer
from subscriber import Subscriber
from swaps import reload


def test_the_ledger_balances_for_anyone_with_sqlite(tokens, holder):
    alice, bob = holder("alice"), holder("bob")
    for _ in range(20):
        assert alice.transfer(bob.name, "1.000000000000000007").status == 200
    assert LedgerFile(tokens).check() > 40


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="the command line of SQLite is not installed")
def test_the_readmes_sql_says_that_a_sound_ledger_balances(tokens, holder):
    alice, bob = holder("alice"), holder("bob")
    alice.transfer(bob.name, "0.000000000000000001")
    text = (ROOT / "Plugins/Tokens/README.md").read_text()
    blocks = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert len(blocks) >= 2
    for block in blocks:
        ran = subprocess.run(
            ["sqlite3", "-readonly", str(LedgerFile(tokens).path)], input=block, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0 and not ran.stderr, ran.stderr
        for line in ran.stdout.splitlines():
            assert line.split("|")[0] == "ok", ran.stdout
        assert ran.stdout.strip()


UNGUARD = "DROP TRIGGER entries_stay; DROP TRIGGER entries_remain; DROP TRIGGER postings_stay; DROP TRIGGER postings_remain;"


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="the command line of SQLite is not installed")
@pytest.mark.parametrize("change", [
    "UPDATE accounts SET balance_atto = balance_atto + 1 WHERE id = 'system:treasury'",
    "UPDATE postings SET whole = whole - 1 WHERE entry = 2 AND ordinal = 0", "DELETE FROM postings WHERE entry = 2",
    "UPDATE entries SET previous = hash WHERE id = 2", "DELETE FROM entries WHERE id = 2",
])
def test_the_readmes_sql_finds_a_broken_ledger(tokens, holder, tmp_path, change):
    holder("alice"), holder("bob")
    copy = tmp_path / "copy.sqlite"
    with sqlite3.connect(LedgerFile(tokens).path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.executescript(UNGUARD + change)
    sql = "".join(re.findall(r"```sql\n(.*?)```", (ROOT / "Plugins/Tokens/README.md").read_text(), re.S))
    ran = subprocess.run(["sqlite3", "-readonly", str(copy)], input=sql, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "BROKEN" in ran.stdout, ran.stdout + ran.stderr


class Fog:
    """Calls the service through a plugin of that name."""

    def __init__(self, gateway, name):
        self.gateway, self.name = gateway, name

    def call(self, method, **argument):
        answer = self.gateway.post(f"/v1/{self.name}/call/tokens/{method}", json.dumps(argument), bearer(make_token("fog")))
        assert answer.status == 200, answer
        return answer.data


@pytest.fixture(scope="module")
def fog(start_shared, library, fixture_library):
    """A gateway where p2p_fog, which is trusted, and another plugin call the ledger."""
    libraries = [fixture_library("service_caller", NAME=f'"{name}"') for name in ("p2p_fog", "stranger")]
    gateway = start_shared(libraries, files={"40-tokens.json": {"library": str(library), "settings": SHORT}})
    return gateway, Fog(gateway, "p2p_fog"), Fog(gateway, "stranger")


def test_a_job_is_locked_settled_once_and_seen_by_both_sides(fog):
    gateway, p2p_fog, _ = fog
    user, owner = Holder(gateway, "a user"), Holder(gateway, "an owner")
    with Subscriber(gateway, "token_update", token=make_token(owner.name)) as events:
        lock = p2p_fog.call("lock", account=user.name, amount="40", reference="job-7", idempotency_key="lock-7")
        assert lock["balance"] == "960" and user.get().data["locked"] == "40"
        settlement = dict(
            lock_id=lock["lock_id"], idempotency_key="settle-7",
            payments=[{"to": owner.name, "amount": "25.5", "reason": "payment"}, {"to": user.name, "amount": "4.5", "reason": "sla_credit"}],
            reward={"to": owner.name, "compute_hours": 0.5, "tasks_completed": 1}, penalty={"from": owner.name, "amount": "1"})
        settled = p2p_fog.call("settle", **settlement)
        assert settled["paid"] == "25.5" and settled["refunded"] == "14.5" and settled["penalty"] == "1"
        assert settled["reward"] == "1.275", "(0.5 * 10 + 0.1) * 2 is limited to 5 % of what was paid"
        assert "10.2" in settled["reward_reason"]
        assert p2p_fog.call("settle", **settlement) == settled
        events.until(lambda event: event["kind"] == "penalty", "the penalty")
    kinds = [event["kind"] for event in events.events]
    assert kinds == ["signup_grant", "settlement", "marketplace_fee", "reward", "penalty"]
    assert user.balance == "974.5" and owner.balance == "1024.5", "the fee is as much as the reward"
    kinds = [entry["type"] for entry in user.get("/transactions?reference=job-7").data["transactions"]]
    assert kinds == ["release", "settlement", "settlement", "lock"]
    assert p2p_fog.call("settle", **{**settlement, "idempotency_key": "x"})["refused"]["code"] == "LOCK_CLOSED"
    assert p2p_fog.call("settle", **{**settlement, "payments": []})["refused"]["code"] == "IDEMPOTENCY_CONFLICT"
    assert p2p_fog.call("lock_state", lock_id=lock["lock_id"])["state"] == "settled"
    LedgerFile(gateway).check()


def test_a_plugin_that_is_not_trusted_locks_nothing(fog):
    gateway, p2p_fog, stranger = fog
    refused = stranger.call("lock", account="a victim", amount="1", reference="", idempotency_key="k")
    assert refused["refused"]["code"] == "NOT_ALLOWED"
    lock = p2p_fog.call("lock", account="a victim", amount="1", reference="", idempotency_key="k")
    for method in ("settle", "release"):
        answer = stranger.call(method, lock_id=lock["lock_id"], idempotency_key="k", payments=[])
        assert answer["refused"]["code"] == "NOT_ALLOWED"
    assert stranger.call("balance", account="a victim")["locked"] == "1"
    assert p2p_fog.call("release", lock_id=lock["lock_id"], idempotency_key="r") == {"refunded": "1"}
    assert p2p_fog.call("policy") == Holder(gateway, "a reader").get("/policy").data


def health(gateway):
    return gateway.get("/health").json()["services"]["tokens"]


def test_a_change_behind_its_back_halts_the_ledger(start, library):
    gateway = start(files={"40-tokens.json": {"library": str(library), "settings": SHORT}})
    alice, bob = Holder(gateway, "alice"), Holder(gateway, "bob")
    alice.get(), bob.get()
    eventually(lambda: "verified_entries" in json.dumps(health(gateway)), what="a first look of the audit")
    LedgerFile(gateway).change("UPDATE accounts SET balance_whole = balance_whole + 5 WHERE id = 'bob'")
    eventually(lambda: "sum to 5 FOG more" in json.dumps(health(gateway)), what="the audit's finding")
    assert gateway.get("/health").json()["status"] != "healthy"
    refused = alice.transfer("bob", "1")
    assert refused.status == 503 and refused.code == "LEDGER_HALTED"
    assert alice.get().data["network_status"] == "halted"
    pid = gateway.pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: gateway.pid != pid, what="the gateway being back")
    again = alice.transfer("bob", "1")
    assert again.status == 503 and again.code == "LEDGER_HALTED", "also before the audit's next look"
    assert gateway.get("/v1/tokens", bearer(make_token("carol"))).code == "LEDGER_HALTED", "no account is opened"


def test_a_swap_under_load_loses_no_transfer(start, library, tmp_path):
    own = tmp_path / "libtokens.so"
    shutil.copyfile(library, own)
    gateway = start(files={"40-tokens.json": {"library": str(own)}})
    alice, bob = Holder(gateway, "alice"), Holder(gateway, "bob")
    alice.get(), bob.get()
    done, ends = [], threading.Event()

    def send():
        with gateway.client() as client:
            while not ends.is_set():
                done.append(alice.transfer("bob", "0.01", client=client).status)

    thread = threading.Thread(target=send)
    thread.start()
    for _ in range(3):
        count = len(done)
        eventually(lambda: len(done) > count + 5, what="transfers")
        reload(gateway, "tokens")
    ends.set()
    thread.join()
    assert set(done) == {200}
    assert units(bob.balance) == units("1000") + len(done) * units("0.01")
    LedgerFile(gateway).check()


def test_whatever_was_acknowledged_survives_kill_9_exactly_once(start, library, tmp_path):
    """Eight senders, killed in the middle of their transfers again and again; each repeats what was not answered."""
    gateway = start(files={"40-tokens.json": {"library": str(library)}})
    names = [f"sender{number}" for number in range(8)]
    holders = [Holder(gateway, name) for name in names]
    for one in holders:
        assert one.get().status == 200
    acknowledged, ends, kills = [dict() for _ in names], threading.Event(), 4

    def send(number):
        one, to = holders[number], names[(number + 1) % len(names)]
        count = 0
        while not ends.is_set():
            count += 1
            key, memo = new_key(), f"{names[number]} {count}"
            while True:
                try:
                    answer = one.transfer(to, "0.5", memo, key=key)
                    if answer.status == 200:
                        acknowledged[number][memo] = answer.data["transaction_id"]
                        break
                    if answer.code == "INSUFFICIENT_BALANCE":
                        break
                except (OSError, Closed):
                    pass
                if ends.is_set() and gateway.process.poll() is not None:
                    return

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(names))]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        count = sum(map(len, acknowledged))
        eventually(lambda: sum(map(len, acknowledged)) > count + 40, what="40 transfers")
        pid = gateway.pid
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: gateway.pid != pid, what="the gateway being back")
    ends.set()
    for thread in threads:
        thread.join()
    file = LedgerFile(gateway)
    file.check()
    kept = file.rows("SELECT reason, id FROM entries WHERE kind = 'transfer'")
    told = {memo: int(entry) for one in acknowledged for memo, entry in one.items()}
    assert len(told) > 40 * kills and len(kept) == len(dict(kept)), "a memo stands twice"
    assert told.items() <= dict(kept).items()
    fees = file.rows("SELECT count(*) FROM entries WHERE kind = 'fee'")
    assert fees == [(len(kept),)]
