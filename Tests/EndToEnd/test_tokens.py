"""The ledger of FOG through the real plugin: accounts, transfers, stakes, votes; killed under load and looked into."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from conftest import BINARY, ROOT, eventually, make_token
from ledgers import Holder, LedgerFile, new_key, units
from raw import Closed, bearer
from subscriber import Subscriber
from swaps import reload


@pytest.fixture(scope="module")
def library():
    path = BINARY.parent / "libtokens.so"
    assert path.exists(), f"{path} is missing: build it with `make build`"
    return path


# A week's votes and locks in seconds, so that a test can see their end.
SHORT = {
    "minimum_lock_seconds": 0, "voting_seconds": 2, "timelock_seconds": 1, "quorum_minimum": "1000",
    "proposal_stake": "1000", "audit_seconds": 1,
}


@pytest.fixture(scope="module")
def tokens(start_shared, library):
    return start_shared(files={"40-tokens.json": {"library": str(library), "settings": SHORT}})


@pytest.fixture
def holder(tokens, request):
    """Makes holders that no other test knows, with their accounts open."""
    def make(name="alice", scope="read,write"):
        made = Holder(tokens, f"{request.node.name[:80]} {name}", scope)
        assert made.get().status == 200
        return made
    return make


def test_an_account_is_opened_at_its_first_sight(tokens, request):
    alice = Holder(tokens, request.node.name)
    answer = alice.get()
    data = answer.data
    assert answer.json()["message"] == "Token status retrieved"
    assert data["balance"] == "1000" and data["user_account"] == alice.name and data["network_status"] == "operational"
    assert units(data["total_supply"]) >= units("1000001000") and data["symbol"] == "FOG" and data["decimals"] == 18
    assert data["staked"] == data["locked"] == data["voting_power"] == "0"
    assert alice.get().data["balance"] == "1000"
    (grant,) = alice.get("/transactions").data["transactions"]
    assert grant["type"] == "signup_grant" and grant["amount"] == "1000" and grant["from_account"] == "system:supply"


def test_a_transfer_arrives_and_both_see_it(holder):
    alice, bob = holder("alice"), holder("bob")
    data = alice.transfer(bob.name, "12.000000000000000001", "for lunch").data
    assert data["fee"] == "0.01" and data["balance"] == "987.989999999999999999" and data["status"] == "confirmed"
    assert alice.balance == "987.989999999999999999" and bob.balance == "1012.000000000000000001"
    entry = bob.get(f"/transactions/{data['transaction_id']}").data
    assert entry["direction"] == "in" and entry["reason"] == "for lunch" and entry["amount"] == "12.000000000000000001"
    assert alice.get("/transactions?direction=out&kind=transfer").data["total_count"] == 1
    assert bob.get("/transactions?direction=out").data["total_count"] == 0
    carol = holder("carol")
    assert carol.get(f"/transactions/{data['transaction_id']}").status == 404
    assert carol.get(f"/transactions?account={bob.name.replace(' ', '%20')}").status == 403
    admin = holder("admin", "read,write,admin")
    assert admin.get(f"/transactions/{data['transaction_id']}").data["tx_id"] == data["transaction_id"]
    assert admin.get(f"/transactions?account={bob.name.replace(' ', '%20')}").data["total_count"] == 2


@pytest.mark.parametrize("amount, status, code", [
    ("1000", 409, "INSUFFICIENT_BALANCE"), ("999.990000000000000001", 409, "INSUFFICIENT_BALANCE"),
    ("-1", 422, "VALIDATION_ERROR"), ("0", 422, "VALIDATION_ERROR"), ("0.00", 422, "VALIDATION_ERROR"),
    ("0.0000000000000000001", 422, "VALIDATION_ERROR"), ("1000000000001", 422, "VALIDATION_ERROR"),
    ("9" * 60, 422, "VALIDATION_ERROR"), ("1e2", 422, "VALIDATION_ERROR"), ("+1", 422, "VALIDATION_ERROR"),
    (" 1", 422, "VALIDATION_ERROR"), ("01", 422, "VALIDATION_ERROR"), ("NaN", 422, "VALIDATION_ERROR"),
    (5, 422, "VALIDATION_ERROR"), (None, 422, "VALIDATION_ERROR"), ("", 422, "VALIDATION_ERROR"),
])
def test_what_is_no_amount_to_send_is_refused_with_the_reason(holder, amount, status, code):
    alice, bob = holder("alice"), holder("bob")
    answer = alice.transfer(bob.name, amount)
    assert answer.status == status and answer.code == code, answer.body
    if status == 422:
        (fault,) = answer.json()["details"]
        assert fault["field"] == "amount" and fault["reason"]
    else:
        assert answer.json()["details"]["available"] == "1000"
    assert alice.balance == bob.balance == "1000"


def test_receivers_that_cannot_be_are_refused(holder):
    alice = holder()
    unknown = alice.transfer("nobody at all", "1")
    assert unknown.status == 404 and unknown.code == "UNKNOWN_ACCOUNT" and "nobody at all" in unknown.json()["message"]
    own = alice.transfer(alice.name, "1")
    assert own.status == 422 and own.json()["details"][0]["field"] == "to"
    assert alice.transfer("system:supply", "1").code == "NOT_ALLOWED"
    assert alice.transfer("x" * 256, "1").status == 422
    assert alice.transfer("a\nb", "1").json()["details"][0]["field"] == "to"
    assert alice.balance == "1000"


def test_a_repeated_key_acts_once_and_another_body_is_refused(holder):
    alice, bob = holder("alice"), holder("bob")
    key = new_key()
    first = alice.transfer(bob.name, "5", key=key)
    again = alice.transfer(bob.name, "5", key=key)
    quoted = alice.transfer(bob.name, "5", key=f'"{key}"')
    assert first.data == again.data == quoted.data
    assert first.get("Idempotent-Replayed") is None and again.get("Idempotent-Replayed") == "true"
    other = alice.transfer(bob.name, "6", key=key)
    assert other.status == 422 and other.code == "IDEMPOTENCY_CONFLICT"
    assert bob.balance == "1005"
    assert bob.transfer(alice.name, "5", key=key).data["balance"] == "999.99", "another's key is another"


def test_a_transfer_needs_a_key_of_16_to_64_characters(holder):
    alice, bob = holder("alice"), holder("bob")
    body = {"to": bob.name, "amount": "1"}
    missing = alice.post("/transfer", body)
    assert missing.status == 400 and missing.code == "IDEMPOTENCY_KEY_REQUIRED" and "Idempotency-Key" in missing.json()["message"]
    for key in ("k" * 15, "k" * 65, "k" * 16 + " k"):
        answer = alice.post("/transfer", body, key)
        assert answer.status == 422 and answer.json()["details"][0]["field"] == "Idempotency-Key"
    assert bob.balance == "1000"
    assert alice.post("/transfer", body, "k" * 16).status == alice.post("/transfer", body, "k" * 64).status == 200
    admin = holder("admin", "admin,read")
    assert admin.post("/mint", {"account": bob.name, "amount": "1", "reason": "x"}).status == 400


def test_scopes_say_who_may_read_change_and_issue(tokens, holder):
    alice = holder()
    reader = holder("reader", "read")
    assert reader.transfer(alice.name, "1").status == 403
    assert reader.post("/stake", {"amount": "1000"}).status == 403
    body = {"account": alice.name, "amount": "1", "reason": "x"}
    for path in ("/mint", "/burn"):
        assert alice.post(path, body, new_key()).status == 403
    assert tokens.get("/v1/tokens").status == 401
    for subject in ("system:treasury", "system:supply", "fog:node1"):
        forged = Holder(tokens, subject)
        assert forged.get().status == 403 and forged.transfer(alice.name, "1").status == 403


def test_an_operator_issues_within_the_maximum_and_burns(tokens, holder):
    alice, admin = holder(), holder("admin", "read,write,admin")
    before = units(alice.get().data["total_supply"])
    minted = admin.post("/mint", {"account": alice.name, "amount": "250.5", "reason": "a prize"}, new_key()).data
    assert minted["balance"] == "1250.5" and units(minted["total_supply"]) == before + units("250.5")
    burned = admin.post("/burn", {"account": alice.name, "amount": "0.5", "reason": "a mistake"}, new_key()).data
    assert burned["balance"] == "1250"
    newest = alice.get("/transactions?limit=2").data["transactions"]
    assert [entry["type"] for entry in newest] == ["burn", "mint"] and admin.name in newest[1]["reason"]
    over = admin.post("/mint", {"account": alice.name, "amount": "9999999999", "reason": "x"}, new_key())
    assert over.status == 409 and over.code == "SUPPLY_CAP"
    ghost = admin.post("/mint", {"account": "a ghost", "amount": "1", "reason": "x"}, new_key())
    assert ghost.status == 404 and ghost.code == "UNKNOWN_ACCOUNT"
    much = admin.post("/burn", {"account": alice.name, "amount": "1251", "reason": "x"}, new_key())
    assert much.code == "INSUFFICIENT_BALANCE"
    assert units(alice.get().data["total_supply"]) == before + units("250")


def test_stake_is_locked_then_given_back_with_its_reward(holder):
    alice, admin = holder(), holder("admin", "read,write,admin")
    admin.post("/mint", {"account": alice.name, "amount": "20000", "reason": "x"}, new_key())
    key = new_key()
    staked = alice.post("/stake", {"amount": "15000", "lock_seconds": 1}, key).data
    assert alice.post("/stake", {"amount": "15000", "lock_seconds": 1}, key).data == staked
    assert staked["staked"] == "15000" and staked["balance"] == "6000" and staked["validator"] is True
    early = alice.post("/unstake", {"amount": "15000", "stake_id": staked["stake_id"]})
    if early.status != 200:  # a second may have passed on a busy machine
        assert early.status == 409 and early.code == "STAKE_LOCKED" and early.json()["details"]["until"] == staked["locked_until"]
        (stake,) = alice.get("/stakes").data["stakes"]
        assert stake["stake_id"] == staked["stake_id"] and stake["locked_until"] == staked["locked_until"]
        eventually(lambda: alice.get("/stakes").data["stakes"][0]["unlocked"], what="the end of the lock")
        assert units(alice.post("/claim").data["reward"]) >= 15000 * 10**18 * 5 // 100 // 31536000
        early = alice.post("/unstake", {"amount": "15000"})
    assert early.data["staked"] == "0" and units(early.data["balance"]) >= units("21000")
    long = alice.post("/stake", {"amount": "1000", "lock_seconds": 86400}).data
    late = alice.post("/unstake", {"amount": "1000"})
    assert late.code == "STAKE_LOCKED" and long["locked_until"] in late.json()["message"]
    assert alice.post("/stake", {"amount": "999"}).json()["details"][0]["field"] == "amount"
    assert alice.post("/stake", {"amount": "1000", "lock_seconds": -1}).status == 422
    assert alice.post("/unstake", {"amount": "1001"}).code == "INSUFFICIENT_STAKE"


def test_a_vote_changes_the_policy_once_after_its_time_lock(holder):
    alice, bob, admin = holder("alice"), holder("bob"), holder("admin", "read,write,admin")
    for one in (alice, bob):
        admin.post("/mint", {"account": one.name, "amount": "9000", "reason": "x"}, new_key())
    alice.post("/stake", {"amount": "5000", "lock_seconds": 86400})
    body = {"title": "Less for tasks", "proposal_type": "parameter_change", "parameters": {"task_reward": "0.05"}}
    assert bob.post("/proposals", body).code == "INSUFFICIENT_STAKE"
    bad = alice.post("/proposals", {**body, "parameters": {"maximum_supply": "1"}})
    assert bad.status == 422 and bad.json()["details"][0]["field"] == "parameters.maximum_supply"
    proposal = alice.post("/proposals", body).data
    path = f"/proposals/{proposal['proposal_id']}"
    assert proposal["status"] == "active" and proposal["votes_for"] == "0"
    bob.post("/stake", {"amount": "9000"})
    assert bob.post(f"{path}/vote", {"vote": "against"}).code == "INSUFFICIENT_STAKE", "staked too late"
    assert alice.post(f"{path}/vote", {"vote": "perhaps"}).status == 422
    assert alice.post(f"{path}/vote", {"vote": "for"}).data["weight"] == "5000"
    assert alice.post(f"{path}/vote", {"vote": "for"}).code == "ALREADY_VOTED"
    early = alice.post(f"{path}/execute")
    assert early.status == 409 and early.code == "PROPOSAL_NOT_EXECUTABLE"
    assert alice.get("/policy").data["task_reward"] == "0.1"
    eventually(lambda: alice.get(path).data["status"] == "executable", what="the end of the time lock")
    assert bob.post(f"{path}/vote", {"vote": "for"}).code == "VOTING_CLOSED"
    assert bob.post(f"{path}/execute").data["status"] == "executed"
    assert alice.get("/policy").data["task_reward"] == "0.05"
    assert alice.post(f"{path}/execute").code == "PROPOSAL_NOT_EXECUTABLE"
    assert alice.get("/proposals").data["proposals"][0]["status"] == "executed"
    assert alice.get("/transactions?kind=governance_vote").data["total_count"] == 1
    assert alice.get("/proposals/999999").status == alice.get("/proposals/x").status == 404


def test_events_go_to_those_whose_balance_changed(tokens, holder):
    alice, bob = holder("alice"), holder("bob")
    with Subscriber(tokens, "token_update", token=make_token(bob.name)) as his, \
            Subscriber(tokens, "token_update", token=make_token("somebody else")) as others:
        sent = alice.transfer(bob.name, "3").data
        his.until(lambda event: event["entry_id"] == sent["transaction_id"], "the transfer")
    (event,) = his.events
    assert event["account"] == bob.name and event["amount"] == "3" and event["balance"] == "1003" and event["kind"] == "transfer"
    assert others.events == []


def test_everyone_who_listens_hears_of_a_proposal(tokens, holder):
    alice = holder()
    holder("admin", "read,write,admin").post("/mint", {"account": alice.name, "amount": "5000", "reason": "x"}, new_key())
    alice.post("/stake", {"amount": "2000"})
    with Subscriber(tokens, "governance_update", token=make_token("a listener")) as events:
        proposal = alice.post("/proposals", {"title": "Be kind", "proposal_type": "text"}).data
        alice.post(f"/proposals/{proposal['proposal_id']}/vote", {"vote": "for"})
        events.until(lambda event: event["event"] == "voted", "the vote")
    own = [event for event in events.events if event["proposal_id"] == proposal["proposal_id"]]
    assert [event["event"] for event in own] == ["opened", "voted"]
    assert own[1]["votes_for"] == "2000" and alice.name not in json.dumps(own), "who votes how is not told"


def test_texts_are_bounded_at_their_edges(holder):
    alice, bob = holder("alice"), holder("bob")
    assert alice.transfer(bob.name, "1", "m" * 255).status == 200
    assert alice.transfer(bob.name, "1", "m" * 256).json()["details"][0]["field"] == "memo"
    proposal = {"title": "t" * 201, "description": "d" * 10001, "proposal_type": "text"}
    faults = alice.post("/proposals", proposal).json()["details"]
    assert [fault["field"] for fault in faults] == ["title", "description"]
    assert alice.post("/proposals", {"title": "t" * 200, "description": "d" * 10000, "proposal_type": "text"}).code == "INSUFFICIENT_STAKE"
    admin = holder("admin", "read,write,admin")
    mint = {"account": bob.name, "amount": "1", "reason": "r" * 256}
    assert admin.post("/mint", mint, new_key()).json()["details"][0]["field"] == "reason"
    assert admin.post("/mint", {**mint, "reason": "r" * 255}, new_key()).status == 200
    assert alice.post("/transfer", {"to": bob.name, "amount": "1", "more": 1}, new_key()).json()["details"][0]["field"] == "more"


def test_operators_see_entries_and_supply(tokens, holder):
    alice, bob = holder("alice"), holder("bob")
    alice.transfer(bob.name, "1")
    text = tokens.get("/metrics", bearer(make_token(scope="admin"))).content.decode()
    lines = [line for line in text.splitlines() if line.startswith("tokens_")]
    assert any(line.startswith("tokens_entries_total{") and 'kind="transfer"' in line for line in lines), lines
    assert any(line.startswith("tokens_supply_fog") and float(line.split()[-1]) > 1e9 for line in lines), lines


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
        assert settled["reward"] == "10.2", "(0.5 * 10 + 0.1) * 2"
        assert p2p_fog.call("settle", **settlement) == settled
        events.until(lambda event: event["kind"] == "penalty", "the penalty")
    assert [event["kind"] for event in events.events] == ["signup_grant", "settlement", "reward", "penalty"]
    assert user.balance == "974.5" and owner.balance == "1034.7"
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
