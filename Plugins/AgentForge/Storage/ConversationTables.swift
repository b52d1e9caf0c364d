import PluginStorage

extension DatabaseSchema {
  /// The tables of conversations.
  static let conversationTables = """
    -- One conversation of one owner; two owners may use the same id. Times are nanoseconds since 1970.
    CREATE TABLE conversations (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      owner TEXT NOT NULL,
      id TEXT NOT NULL,
      model TEXT NOT NULL,
      turns INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      UNIQUE (owner, id)
    ) STRICT;
    CREATE INDEX conversations_by_use ON conversations (owner, updated_at DESC, number DESC);

    -- What was said, in order; ordinals count up from 0 and stay when the oldest turns are dropped.
    CREATE TABLE turns (
      conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
      ordinal INTEGER NOT NULL,
      role TEXT NOT NULL,
      content TEXT NOT NULL,
      tokens INTEGER NOT NULL,
      at INTEGER NOT NULL,
      PRIMARY KEY (conversation, ordinal)
    ) STRICT, WITHOUT ROWID;

    """
}
