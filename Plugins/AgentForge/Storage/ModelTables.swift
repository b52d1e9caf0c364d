import PluginStorage

extension DatabaseSchema {
  /// The tables of models.
  static let modelTables = """
    -- One model of one owner. Its numbers are in the folder of its id. Times are nanoseconds since 1970.
    CREATE TABLE models (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      owner TEXT NOT NULL,
      name TEXT NOT NULL,
      -- A phase, or import.
      phase TEXT NOT NULL,
      -- The run that made it; empty for an import.
      run TEXT NOT NULL,
      -- JSON: a list of ids, which may be gone.
      parents TEXT NOT NULL,
      -- JSON: a list of phases.
      phases_completed TEXT NOT NULL,
      -- JSON, as in config.json.
      shape TEXT NOT NULL,
      template TEXT NOT NULL,
      form TEXT NOT NULL,
      -- JSON: an object.
      metrics TEXT NOT NULL,
      data_fingerprint TEXT NOT NULL,
      -- Of all files.
      bytes INTEGER NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX models_by_owner ON models (owner, created_at, number);
    CREATE INDEX models_by_run ON models (run, name) WHERE run <> '';

    """
}
