import PluginStorage

extension DatabaseSchema {
  /// The tables of runs.
  static let runTables = """
    -- One phase that was asked for; a pipeline is the runs that share its id, in the order of their place.
    -- Times are nanoseconds since 1970.
    CREATE TABLE runs (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      owner TEXT NOT NULL,
      phase TEXT NOT NULL,
      name TEXT NOT NULL,
      status TEXT NOT NULL CHECK (
        status IN ('waiting', 'queued', 'running', 'completed', 'failed', 'cancelled')),
      real_training INTEGER NOT NULL,
      -- What the phase is told, and what else was asked of it, as JSON objects.
      phase_order TEXT NOT NULL,
      parameters TEXT NOT NULL,
      -- Ids, as JSON arrays.
      models TEXT NOT NULL,
      files TEXT NOT NULL,
      shards INTEGER NOT NULL,
      pipeline TEXT,
      place INTEGER NOT NULL,
      step INTEGER NOT NULL DEFAULT 0,
      steps INTEGER NOT NULL,
      loss REAL,
      validation_loss REAL,
      learning_rate REAL,
      tokens_per_second REAL NOT NULL DEFAULT 0,
      eta_seconds REAL,
      -- Of the phase, once it was made; NULL before.
      memory_estimated INTEGER,
      -- Numbers of events that are used or laid by; the next attempt goes on counting from here.
      events INTEGER NOT NULL DEFAULT 0,
      -- How often it was started, and how often since it last got further.
      attempts INTEGER NOT NULL DEFAULT 0,
      futile_attempts INTEGER NOT NULL DEFAULT 0,
      error TEXT,
      report TEXT,
      created_at INTEGER NOT NULL,
      started_at INTEGER,
      finished_at INTEGER
    ) STRICT;
    CREATE INDEX runs_by_owner ON runs (owner, number DESC);
    CREATE INDEX runs_by_status ON runs (status, number);
    CREATE INDEX runs_by_pipeline ON runs (pipeline, place) WHERE pipeline IS NOT NULL;

    CREATE TABLE run_models (
      run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      number INTEGER NOT NULL,
      model TEXT NOT NULL,
      PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;

    -- Measured points; thinned evenly, so that a run keeps a bounded number of them.
    CREATE TABLE run_curve (
      number INTEGER PRIMARY KEY,
      run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      step INTEGER NOT NULL,
      loss REAL,
      validation_loss REAL,
      learning_rate REAL,
      tokens_per_second REAL NOT NULL,
      details TEXT NOT NULL
    ) STRICT;
    CREATE INDEX run_curve_by_run ON run_curve (run, step);

    CREATE TABLE run_log (
      run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      sequence INTEGER NOT NULL,
      at INTEGER NOT NULL,
      line TEXT NOT NULL,
      PRIMARY KEY (run, sequence)
    ) STRICT, WITHOUT ROWID;
    """

  /// What a run has used, over all attempts.
  static let runUsage = """
    -- Nanoseconds of all its threads.
    ALTER TABLE runs ADD COLUMN processor_time INTEGER NOT NULL DEFAULT 0;
    -- The most bytes of its buffers at once.
    ALTER TABLE runs ADD COLUMN memory_peak INTEGER NOT NULL DEFAULT 0;
    """
}
