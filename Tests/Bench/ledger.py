"""The ledger: transfers a second, each on the disk before it is answered, and a balance beside 1,000,000 entries.

Each transfer is one fdatasync, so what the disk does of those in a plain file is measured beside them. The big ledger is
made from a small one by the rules of Plugins/Tokens/README.md; the gateway's own audit then says whether it is sound.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))
sys.path.insert(0, str(ROOT / "Tests/Bench"))

SECONDS = 3
ENTRIES = 1_000_000
READS = 3000
ACCOUNT = "SELECT * FROM accounts WHERE id = ?"


def syncs(directory):
    """Writes of 4 KiB into a file of 4 MiB, each with fdatasync, a second: what SQLite does to its log for each commit."""
    size, page = 4 << 20, b"x" * 4096
    descriptor = os.open(Path(directory) / "syncs", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"\0" * size)
    os.fsync(descriptor)
    count, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        os.pwrite(descriptor, page, count * 4096 % size)
        os.fdatasync(descriptor)
        count += 1
    os.close(descriptor)
    return count / SECONDS


def transfers(gateway, writers):
    """Transfers a second of so many clients, and the slowest of 100 in milliseconds."""
    from ledgers import Holder, new_key

    holders = [Holder(gateway, f"writer {number}", "read,write,admin") for number in range(writers)]
    treasury = [one.get().data and one.post("/mint", {"account": one.name, "amount": "100000", "reason": "bench"}, new_key())
                for one in holders]
    assert all(answer.status == 200 for answer in treasury)
    times, end = [], time.monotonic() + SECONDS

    def send(one):
        with gateway.client() as client:
            while (begun := time.monotonic()) < end:
                assert one.transfer("system:treasury", "0.5", client=client).status == 200
                times.append(time.monotonic() - begun)

    threads = [threading.Thread(target=send, args=(one,)) for one in holders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / SECONDS, sorted(times)[len(times) * 99 // 100] * 1e3


def grow(path, entries):
    """Adds transfers of 1 FOG to and fro between two accounts until there are so many entries."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA synchronous = OFF; BEGIN")
    first, previous = connection.execute("SELECT id, hash FROM entries ORDER BY id DESC LIMIT 1").fetchone()
    names = ["reader", "other"]
    if (entries - first) % 2:
        entries -= 1  # as many there as back, so that both accounts stay as they are
    for entry in range(first + 1, entries + 1):
        one, other = names if (entry - first) % 2 else reversed(names)
        at = time.time_ns()
        parts = [previous, entry, at, "transfer", "bench", "", 2, one, "balance", -1, 0, 0, other, "balance", 1, 0, 0]
        texts = [str(part).encode() for part in parts]
        digest = hashlib.sha256(b"".join(b"%d:%b," % (len(text), text) for text in texts)).hexdigest()
        connection.execute("INSERT INTO entries VALUES (?, ?, 'transfer', 'bench', '', ?, ?)", (entry, at, previous, digest))
        connection.execute("INSERT INTO postings VALUES (?, 0, ?, 'balance', -1, 0, 0)", (entry, one))
        connection.execute("INSERT INTO postings VALUES (?, 1, ?, 'balance', 1, 0, 0)", (entry, other))
        previous = digest
    connection.execute("COMMIT")
    connection.close()


def steps(path):
    """What SQLite plans for the read of one account, and how many of its instructions that takes."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    (plan,) = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + ACCOUNT, ("reader",))]
    count = [0]

    def step():
        count[0] += 1

    connection.set_progress_handler(step, 1)
    assert len(connection.execute(ACCOUNT, ("reader",)).fetchall()) == 1
    (entries,) = connection.execute("SELECT max(id) FROM entries").fetchone()
    return plan, count[0], entries


def reads(gateway):
    """Microseconds of GET /v1/tokens: the median and 99 of 100."""
    from client import KeepAlive
    from conftest import make_token

    client = KeepAlive(gateway.port, "/v1/tokens", make_token("reader", "read"))
    times = []
    for _ in range(READS):
        begun = time.monotonic()
        client.ask()
        times.append(time.monotonic() - begun)
    client.close()
    times.sort()
    return times[READS // 2] * 1e6, times[READS * 99 // 100] * 1e6


def audited(gateway, entries, limit=900):
    """Seconds until the audit has verified so many entries; it must find no fault."""
    begun = time.monotonic()
    while True:
        text = json.dumps(gateway.get("/health").json()["services"]["tokens"])
        assert "reason" not in text, text
        if f'"verified_entries": {entries}' in text:
            return time.monotonic() - begun
        assert time.monotonic() - begun < limit, text
        time.sleep(0.2)


def main():
    from conftest import BINARY, Gateway
    from ledgers import Holder, LedgerFile

    directory = Path(tempfile.mkdtemp(prefix="gateway-ledger-", dir=os.environ.get("BENCH_DIR")))
    settings = {"audit_seconds": 1}
    files = {"40-tokens.json": {"library": str(BINARY.parent / "libtokens.so"), "settings": settings}}
    gateway = Gateway(directory, files=files)
    try:
        print(f"ledger: the disk does {syncs(directory):,.0f} writes with fdatasync a second")
        for writers in (1, 8, 64):
            rate, slowest = transfers(gateway, writers)
            print(f"  {writers} clients: {rate:,.0f} transfers/s (two entries each), 99 % within {slowest:.1f} ms")
        for name in ("reader", "other"):
            assert Holder(gateway, name).get().status == 200
        path = LedgerFile(gateway).path
        for count in (None, ENTRIES):
            if count:
                gateway.stop()
                grow(path, count)
                gateway = Gateway(directory, files=files)
            plan, instructions, entries = steps(path)
            median, late = reads(gateway)
            print(f"  {entries:,} entries: GET /v1/tokens {median:.0f} us, 99 % within {late:.0f} us; "
                  f"the account: {plan}, {instructions} instructions")
        print(f"  the audit has verified {entries:,} entries after {audited(gateway, entries):.0f} s, a look each second")
        median, late = reads(gateway)
        print(f"  beside its rounds: GET /v1/tokens {median:.0f} us, 99 % within {late:.0f} us; "
              f"file {path.stat().st_size / 1e6:,.0f} MB")
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


main()
