package import PluginStorage

extension DatabaseSchema {
  /// The ledger's database.
  package static let tokens = DatabaseSchema(steps: [
    accountTables + journalTables + stakeTables + governanceTables + fogTables
  ])
}

// An amount is three columns of one sign: FOG, 10⁻⁹ FOG, 10⁻¹⁸ FOG; see `Amount`. A user's row alone tells its balance.
private let accountTables = """
  CREATE TABLE accounts(
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 255),
    balance_whole INTEGER NOT NULL DEFAULT 0,
    balance_nano INTEGER NOT NULL DEFAULT 0,
    balance_atto INTEGER NOT NULL DEFAULT 0,
    staked_whole INTEGER NOT NULL DEFAULT 0 CHECK (staked_whole >= 0),
    staked_nano INTEGER NOT NULL DEFAULT 0 CHECK (staked_nano BETWEEN 0 AND 999999999),
    staked_atto INTEGER NOT NULL DEFAULT 0 CHECK (staked_atto BETWEEN 0 AND 999999999),
    locked_whole INTEGER NOT NULL DEFAULT 0 CHECK (locked_whole >= 0),
    locked_nano INTEGER NOT NULL DEFAULT 0 CHECK (locked_nano BETWEEN 0 AND 999999999),
    locked_atto INTEGER NOT NULL DEFAULT 0 CHECK (locked_atto BETWEEN 0 AND 999999999),
    opened_at INTEGER NOT NULL,
    CHECK (balance_nano BETWEEN -999999999 AND 999999999),
    CHECK (balance_atto BETWEEN -999999999 AND 999999999),
    CHECK (CASE WHEN id = 'system:supply'
      THEN balance_whole <= 0 AND balance_nano <= 0 AND balance_atto <= 0
      ELSE balance_whole >= 0 AND balance_nano >= 0 AND balance_atto >= 0 END)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX stakers ON accounts(id, staked_whole, staked_nano, staked_atto)
    WHERE staked_whole > 0 OR staked_nano > 0 OR staked_atto > 0;
  CREATE TABLE idempotency(
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    answer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (subject, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_by_age ON idempotency(at);

  """

private let journalTables = """
  CREATE TABLE entries(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mint', 'burn', 'transfer', 'stake', 'unstake', 'reward', 'penalty',
      'governance_vote', 'marketplace_fee', 'lock', 'settlement', 'release', 'fee', 'signup_grant')),
    reason TEXT NOT NULL,
    reference TEXT NOT NULL,
    previous TEXT NOT NULL CHECK (length(previous) = 64),
    hash TEXT NOT NULL CHECK (length(hash) = 64)
  ) STRICT;
  CREATE TABLE postings(
    entry INTEGER NOT NULL REFERENCES entries(id),
    ordinal INTEGER NOT NULL CHECK (ordinal IN (0, 1)),
    account TEXT NOT NULL REFERENCES accounts(id),
    bucket TEXT NOT NULL CHECK (bucket IN ('balance', 'staked', 'locked')),
    whole INTEGER NOT NULL,
    nano INTEGER NOT NULL CHECK (nano BETWEEN -999999999 AND 999999999),
    atto INTEGER NOT NULL CHECK (atto BETWEEN -999999999 AND 999999999),
    PRIMARY KEY (entry, ordinal),
    CHECK (CASE ordinal WHEN 0 THEN whole <= 0 AND nano <= 0 AND atto <= 0
      ELSE whole >= 0 AND nano >= 0 AND atto >= 0 END)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX postings_by_account ON postings(account, entry);
  CREATE INDEX stake_postings ON postings(account, entry) WHERE bucket = 'staked';
  CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
  CREATE TRIGGER entries_remain BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;
  CREATE TRIGGER postings_stay BEFORE UPDATE ON postings
    BEGIN SELECT RAISE(ABORT, 'a posting is never changed'); END;
  CREATE TRIGGER postings_remain BEFORE DELETE ON postings
    BEGIN SELECT RAISE(ABORT, 'a posting is never deleted'); END;

  """

private let stakeTables = """
  CREATE TABLE stakes(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES accounts(id),
    whole INTEGER NOT NULL CHECK (whole >= 0),
    nano INTEGER NOT NULL CHECK (nano BETWEEN 0 AND 999999999),
    atto INTEGER NOT NULL CHECK (atto BETWEEN 0 AND 999999999),
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    rewarded_until INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX stakes_by_account ON stakes(account, until);
  CREATE TABLE rates(
    since INTEGER NOT NULL,
    basis_points INTEGER NOT NULL CHECK (basis_points >= 0)
  ) STRICT;
  CREATE INDEX rates_by_time ON rates(since);

  """

private let governanceTables = """
  CREATE TABLE proposals(
    id INTEGER PRIMARY KEY,
    proposer TEXT NOT NULL REFERENCES accounts(id),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('parameter_change', 'text')),
    parameters TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    opening_entry INTEGER NOT NULL REFERENCES entries(id),
    voting_end INTEGER NOT NULL,
    executable_at INTEGER NOT NULL,
    quorum_whole INTEGER NOT NULL,
    quorum_nano INTEGER NOT NULL,
    quorum_atto INTEGER NOT NULL,
    executed_at INTEGER
  ) STRICT;
  CREATE TABLE votes(
    proposal INTEGER NOT NULL REFERENCES proposals(id),
    account TEXT NOT NULL REFERENCES accounts(id),
    choice TEXT NOT NULL CHECK (choice IN ('for', 'against', 'abstain')),
    whole INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    atto INTEGER NOT NULL,
    entry INTEGER NOT NULL REFERENCES entries(id),
    PRIMARY KEY (proposal, account)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE parameters(
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    proposal INTEGER NOT NULL REFERENCES proposals(id),
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  """

private let fogTables = """
  CREATE TABLE locks(
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts(id),
    whole INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    atto INTEGER NOT NULL,
    reference TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'settled', 'released')),
    created_at INTEGER NOT NULL,
    closed_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX open_locks ON locks(account, whole, nano, atto) WHERE state = 'open';
  CREATE TABLE contributions(
    entry INTEGER PRIMARY KEY REFERENCES entries(id),
    account TEXT NOT NULL REFERENCES accounts(id),
    at INTEGER NOT NULL,
    compute_microhours INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX contributions_by_time ON contributions(at);

  """
