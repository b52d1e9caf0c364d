/// What is kept of peers and of messages.
enum PeerTables {
  static let create = """
    CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE peers (
      id TEXT PRIMARY KEY,
      record TEXT,                    -- hexadecimal; NULL for one that is expected and has not been met
      endpoint TEXT,                  -- where the operator says it is; else the record's
      how TEXT NOT NULL,
      added_at INTEGER NOT NULL,      -- milliseconds since 1970
      banned INTEGER NOT NULL DEFAULT 0,
      may_be_node INTEGER NOT NULL DEFAULT 0,
      coordinator INTEGER NOT NULL DEFAULT 0  -- this gateway works for it
    ) WITHOUT ROWID;
    CREATE TABLE invitations (
      digest TEXT PRIMARY KEY,        -- SHA-256 of the secret
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      may_be_node INTEGER NOT NULL,
      note TEXT NOT NULL,
      redeemed_by TEXT
    ) WITHOUT ROWID;
    CREATE TABLE messages (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL,
      direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
      user TEXT NOT NULL,             -- whose inbox or outbox; empty for the peer itself
      peer TEXT,                      -- sender or recipient; NULL for all peers
      peer_user TEXT NOT NULL,
      kind TEXT NOT NULL,
      priority INTEGER NOT NULL,
      transport TEXT NOT NULL,
      status TEXT NOT NULL,           -- in: received, read; out: sent, delivered, undelivered, broadcast
      reason TEXT NOT NULL DEFAULT '',
      hops INTEGER,
      round_trip_us INTEGER,
      payload TEXT NOT NULL,          -- JSON
      sent_at INTEGER NOT NULL,
      at INTEGER NOT NULL,
      UNIQUE (direction, id, peer)
    );
    CREATE INDEX messages_of_user ON messages (user, direction, number);
    CREATE INDEX messages_unsettled ON messages (number) WHERE direction = 'out' AND status = 'sent';
    -- How many messages a box has, so that a full one is not counted anew with each message.
    CREATE TABLE boxes (
      user TEXT NOT NULL,
      direction TEXT NOT NULL,
      messages INTEGER NOT NULL,
      PRIMARY KEY (user, direction)
    ) WITHOUT ROWID;
    CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
      INSERT OR IGNORE INTO boxes VALUES (new.user, new.direction, 0);
      UPDATE boxes SET messages = messages + 1 WHERE user = new.user AND direction = new.direction;
    END;
    CREATE TRIGGER message_deleted AFTER DELETE ON messages BEGIN
      UPDATE boxes SET messages = messages - 1 WHERE user = old.user AND direction = old.direction;
    END;
    """

  /// What each sending peer's messages take here, in bytes with what a row and its entries in indexes cost beside its texts.
  ///
  /// A table of its own, since the messages of one peer lie in the boxes of many users.
  static let countSenders = """
    CREATE TABLE senders (
      peer TEXT PRIMARY KEY,
      messages INTEGER NOT NULL,
      bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO senders SELECT peer, count(*), sum(\(size("messages")))
      FROM messages WHERE direction = 'in' GROUP BY peer;
    CREATE TRIGGER sender_charged AFTER INSERT ON messages WHEN new.direction = 'in' BEGIN
      INSERT OR IGNORE INTO senders VALUES (new.peer, 0, 0);
      UPDATE senders SET messages = messages + 1, bytes = bytes + \(size("new")) WHERE peer = new.peer;
    END;
    CREATE TRIGGER sender_relieved AFTER DELETE ON messages WHEN old.direction = 'in' BEGIN
      UPDATE senders SET messages = messages - 1, bytes = bytes - \(size("old")) WHERE peer = old.peer;
      DELETE FROM senders WHERE peer = old.peer AND messages = 0;
    END;
    """

  /// Bytes of a row of messages: text is counted in characters, blobs in bytes.
  private static func size(_ row: String) -> String {
    let texts = ["payload", "user", "peer_user"].map { "length(CAST(\(row).\($0) AS BLOB))" }
    return "(512 + \(texts.joined(separator: " + ")))"
  }
}
