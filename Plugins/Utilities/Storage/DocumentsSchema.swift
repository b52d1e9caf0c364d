package import PluginStorage

extension DatabaseSchema {
  /// The document store's.
  package static let documents = DatabaseSchema(steps: [
    """
    -- One uploaded file of one owner. Times are nanoseconds since 1970.
    CREATE TABLE files (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      owner TEXT NOT NULL,
      filename TEXT NOT NULL,
      title TEXT NOT NULL,
      size INTEGER NOT NULL,
      sha256 TEXT NOT NULL,
      content_type TEXT NOT NULL,
      claimed_type TEXT,
      type_matches INTEGER NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('processed', 'stored')),
      category TEXT,
      tags TEXT NOT NULL,
      metadata TEXT NOT NULL,
      chunks INTEGER NOT NULL,
      sections INTEGER NOT NULL,
      words INTEGER NOT NULL,
      truncated INTEGER NOT NULL,
      reason TEXT,
      uploaded_at INTEGER NOT NULL,
      processed_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX files_by_owner ON files (owner, uploaded_at DESC, number DESC);
    CREATE INDEX files_by_content ON files (sha256);

    -- Uploads that are being indexed. A row whose incoming file nobody holds was cut off by a crash;
    -- its passages and its content are removed at the next start.
    CREATE TABLE pending (
      file TEXT PRIMARY KEY,
      incoming TEXT NOT NULL,
      sha256 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Content whose last file was deleted, until it is gone from the disk.
    CREATE TABLE garbage (sha256 TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    -- A passage belongs to a file by id; it counts only once that file's row exists.
    CREATE TABLE passages (
      number INTEGER PRIMARY KEY,
      file TEXT NOT NULL,
      ordinal INTEGER NOT NULL,
      owner_key TEXT NOT NULL,
      heading TEXT NOT NULL,
      body TEXT NOT NULL,
      words INTEGER NOT NULL,
      start INTEGER NOT NULL,
      finish INTEGER NOT NULL,
      line INTEGER NOT NULL,
      page INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX passages_by_file ON passages (file, ordinal);

    CREATE VIRTUAL TABLE passage_index USING fts5 (
      owner_key, heading, body,
      content = 'passages', content_rowid = 'number',
      tokenize = 'porter unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER passage_added AFTER INSERT ON passages BEGIN
      INSERT INTO passage_index (rowid, owner_key, heading, body)
      VALUES (new.number, new.owner_key, new.heading, new.body);
    END;
    CREATE TRIGGER passage_removed AFTER DELETE ON passages BEGIN
      INSERT INTO passage_index (passage_index, rowid, owner_key, heading, body)
      VALUES ('delete', old.number, old.owner_key, old.heading, old.body);
    END;
    """
  ])
}
