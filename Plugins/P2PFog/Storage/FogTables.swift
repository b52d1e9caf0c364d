/// The tables of nodes, jobs and their money.
package enum FogTables {
  /// What a database needs before a coordinator opens it; times are milliseconds since 1970, prices 10⁻⁹ FOG.
  package static let create = """
    CREATE TABLE fog_nodes (
      id TEXT PRIMARY KEY, report TEXT NOT NULL, is_draining INTEGER NOT NULL DEFAULT 0,
      removed_at INTEGER, registered_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
      active_ms INTEGER NOT NULL DEFAULT 0, successes REAL NOT NULL DEFAULT 0,
      failures REAL NOT NULL DEFAULT 0, trust_at INTEGER NOT NULL, latency_ms REAL,
      completed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
      lost INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE fog_jobs (
      number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
      name TEXT NOT NULL, type TEXT NOT NULL, tier TEXT NOT NULL, status TEXT NOT NULL,
      requirements TEXT NOT NULL, parameters TEXT NOT NULL, inputs TEXT NOT NULL,
      output_bytes INTEGER NOT NULL, log_bytes INTEGER NOT NULL, deadline INTEGER,
      price INTEGER NOT NULL, estimate INTEGER NOT NULL, lock_id TEXT, key TEXT,
      digest TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, submitted_at INTEGER NOT NULL,
      started_at INTEGER, start_ms INTEGER, finished_at INTEGER, lease TEXT, node TEXT,
      leased_at INTEGER, reason TEXT NOT NULL DEFAULT '', exit_code INTEGER, usage TEXT,
      progress REAL NOT NULL DEFAULT 0, cost INTEGER, placement TEXT, losses TEXT NOT NULL DEFAULT '[]'
    ) STRICT;
    CREATE INDEX fog_jobs_by_owner ON fog_jobs (owner, number);
    CREATE INDEX fog_jobs_by_status ON fog_jobs (status, number);
    CREATE UNIQUE INDEX fog_jobs_by_key ON fog_jobs (owner, key) WHERE key IS NOT NULL;

    CREATE TABLE fog_attempts (
      lease TEXT PRIMARY KEY, job TEXT NOT NULL REFERENCES fog_jobs (id) ON DELETE CASCADE,
      node TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, leased_at INTEGER NOT NULL,
      ended_at INTEGER, reason TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX fog_attempts_by_job ON fog_attempts (job, number);

    CREATE TABLE fog_files (
      lease TEXT NOT NULL REFERENCES fog_attempts (lease) ON DELETE CASCADE, path TEXT NOT NULL,
      size INTEGER NOT NULL, sha256 TEXT NOT NULL, is_complete INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (lease, path)
    ) STRICT;

    CREATE TABLE fog_quotes (
      id TEXT PRIMARY KEY, owner TEXT NOT NULL, tier TEXT NOT NULL, requirements TEXT NOT NULL,
      price INTEGER NOT NULL, expires_at INTEGER NOT NULL, job TEXT
    ) STRICT;
    CREATE INDEX fog_quotes_by_owner ON fog_quotes (owner, expires_at);

    CREATE TABLE fog_prices (
      tier TEXT PRIMARY KEY, price INTEGER NOT NULL, stepped_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE fog_settlements (
      job TEXT PRIMARY KEY, method TEXT NOT NULL, argument TEXT NOT NULL, state TEXT NOT NULL,
      tries INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, answer TEXT
    ) STRICT;
    CREATE INDEX fog_settlements_by_state ON fog_settlements (state);
    """
}
