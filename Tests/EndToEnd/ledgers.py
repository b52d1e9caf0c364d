"""A holder of FOG, and a look at the ledger's file with nothing but SQLite and SHA-256."""

import hashlib
import json
import os
import sqlite3

import pytest

from conftest import BINARY, make_token
from raw import bearer

UNIT = 10**18

# A week's votes and locks in seconds, so that a test can see their end.
SHORT = {
    "minimum_lock_seconds": 0, "voting_seconds": 2, "timelock_seconds": 1, "quorum_minimum": "1000",
    "proposal_stake": "1000", "audit_seconds": 1,
}


def units(text):
    """A decimal text of FOG in units of 10⁻¹⁸ FOG, without a float."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, fraction = text.partition(".")
    return sign * (int(whole) * UNIT + int(fraction.ljust(18, "0") or 0))


def new_key():
    return os.urandom(16).hex()


class Holder:
    """A caller of one gateway with an account of their own."""

    def __init__(self, gateway, name, scope="read,write"):
        self.gateway, self.name = gateway, name
        self.fields = bearer(make_token(name, scope))

    def get(self, path=""):
        return self.gateway.get(f"/v1/tokens{path}", self.fields)

    def post(self, path, body=None, key=None, client=None, **fields):
        if key:
            fields["Idempotency-Key"] = key
        send = client or self.gateway
        return send.post(f"/v1/tokens{path}", json.dumps({} if body is None else body), {**self.fields, **fields})

    def transfer(self, to, amount, memo="", key=None, **more):
        body = {"to": to, "amount": amount, "memo": memo}
        return self.post("/transfer", body, key or new_key(), **more)

    @property
    def balance(self):
        return self.get().data["balance"]


class LedgerFile:
    """The database of a gateway's ledger, read by another program than the gateway."""

    def __init__(self, gateway):
        self.path = gateway.data / "plugins/tokens/tokens.sqlite"

    def rows(self, sql, *values):
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(sql, values).fetchall()

    def change(self, script):
        connection = sqlite3.connect(self.path, timeout=10)
        connection.executescript(script)
        connection.close()

    def check(self):
        """Supply = sum of accounts, every entry balances, accounts = their postings, and the chain of hashes."""
        accounts = {}
        for row in self.rows("SELECT * FROM accounts"):
            for bucket, at in (("balance", 1), ("staked", 4), ("locked", 7)):
                accounts[row[0], bucket] = row[at] * UNIT + row[at + 1] * 10**9 + row[at + 2]
        assert sum(accounts.values()) == 0
        assert all(amount >= 0 for (name, _), amount in accounts.items() if name != "system:supply")
        sums = dict.fromkeys(accounts, 0)
        postings = {}
        for entry, _, account, bucket, *limbs in self.rows("SELECT * FROM postings ORDER BY entry, ordinal"):
            amount = limbs[0] * UNIT + limbs[1] * 10**9 + limbs[2]
            sums[account, bucket] += amount
            postings.setdefault(entry, []).append((account, bucket, limbs, amount))
        assert sums == accounts
        previous, count = "0" * 64, 0
        for number, row in enumerate(self.rows("SELECT * FROM entries ORDER BY id"), start=1):
            entry, at, kind, reason, reference, before, digest = row
            lines = postings[entry]
            assert entry == number and before == previous and sum(line[3] for line in lines) == 0
            parts = [before, entry, at, kind, reason, reference, len(lines)]
            for account, bucket, limbs, _ in lines:
                parts += [account, bucket, *limbs]
            texts = [str(part).encode() for part in parts]
            previous = hashlib.sha256(b"".join(b"%d:%b," % (len(text), text) for text in texts)).hexdigest()
            assert digest == previous, f"entry {entry}"
            count += 1
        return count


@pytest.fixture(scope="module")
def library():
    path = BINARY.parent / "libtokens.so"
    assert path.exists(), f"{path} is missing: build it with `make build`"
    return path


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
