package import PluginStorage

/// What is known of a conversation without its turns.
package struct ConversationRecord: Sendable, Equatable {
  /// As the client named it, or a UUID.
  package let id: String
  /// The model that answered last; it may be gone.
  package let model: String
  /// Turns that are kept.
  package let turns: Int
  /// Nanoseconds since 1970.
  package let createdAt, updatedAt: Int64
}

/// A turn as it was stored.
package struct StoredTurn: Sendable, Equatable {
  /// Its place in the conversation, from 0; the oldest may be gone.
  package let ordinal: Int
  package let turn: Turn
  /// Tokens of an answer; 0 for what was asked.
  package let tokens: Int
  /// Nanoseconds since 1970.
  package let at: Int64
}

/// What was said, for each owner.
///
/// Bounded: of an owner the conversations that were used last are kept, of a conversation the newest turns; older ones
/// are dropped when a new one is stored.
package struct ConversationStore: Sendable {
  /// How much is kept.
  package struct Bounds: Sendable, Equatable {
    /// Conversations of one owner.
    package var conversations = 1000
    /// Turns of one conversation.
    package var turns = 10_000

    package init() {}
  }

  private let database: Database
  private let bounds: Bounds

  /// The store in `database`, which has the tables of `DatabaseSchema.forge`.
  package init(_ database: Database, bounds: Bounds = Bounds()) {
    self.database = database
    self.bounds = bounds
  }

  /// Adds a question and its answer, together or not at all; makes the conversation if it is not there.
  ///
  /// - Parameters:
  ///   - turns: In order.
  ///   - tokens: Of the last of them.
  ///   - id: The conversation's.
  ///   - owner: Whose it is.
  ///   - model: Who answered.
  ///   - now: Nanoseconds since 1970.
  /// - Throws: `StorageError`; then nothing is stored.
  package func append(
    _ turns: [Turn],
    tokens: Int,
    to id: String,
    owner: String,
    model: String,
    now: Int64 = Clock.wall()
  ) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      try connection.run(
        """
        INSERT INTO conversations (owner, id, model, turns, created_at, updated_at)
        VALUES (?1, ?2, ?3, 0, ?4, ?4)
        ON CONFLICT (owner, id) DO UPDATE SET model = ?3, updated_at = ?4
        """,
        [.text(owner), .text(id), .text(model), .integer(now)]
      )
      let found = try connection.first(
        """
        SELECT number, (SELECT max(ordinal) FROM turns WHERE conversation = number)
        FROM conversations WHERE owner = ?1 AND id = ?2
        """,
        [.text(owner), .text(id)]
      ) { (number: $0.integer(0), last: $0.optionalText(1).flatMap { Int($0) } ?? -1) }
      guard let found else { preconditionFailure("a row that was just written is there") }
      for (index, turn) in turns.enumerated() {
        let own = index == turns.count - 1 ? tokens : 0
        try connection.run(
          """
          INSERT INTO turns (conversation, ordinal, role, content, tokens, at)
          VALUES (?1, ?2, ?3, ?4, ?5, ?6)
          """,
          [
            .integer(found.number), .count(found.last + 1 + index), .text(turn.role.rawValue),
            .text(turn.content), .count(own), .integer(now),
          ]
        )
      }
      try trim(found.number, last: found.last + turns.count, owner, &connection)
    }
  }

  /// Drops what is beyond the bounds, and counts what is left.
  private func trim(
    _ number: Int64,
    last: Int,
    _ owner: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run(
      "DELETE FROM turns WHERE conversation = ?1 AND ordinal <= ?2",
      [.integer(number), .count(last - bounds.turns)]
    )
    try connection.run(
      """
      UPDATE conversations SET turns = (SELECT count(*) FROM turns WHERE conversation = number)
      WHERE number = ?1
      """,
      [.integer(number)]
    )
    try connection.run(
      """
      DELETE FROM conversations WHERE number IN (
        SELECT number FROM conversations WHERE owner = ?1
        ORDER BY updated_at DESC, number DESC LIMIT -1 OFFSET ?2
      )
      """,
      [.text(owner), .count(bounds.conversations)]
    )
  }

  /// A page of an owner's conversations, the last used first, and how many there are.
  package func list(
    owner: String,
    limit: Int,
    offset: Int
  ) throws(StorageError) -> (conversations: [ConversationRecord], total: Int) {
    try database.read { (connection) throws(StorageError) in
      try connection.page(
        "id, model, turns, created_at, updated_at",
        from: "conversations WHERE owner = ?1",
        [.text(owner)],
        orderedBy: "updated_at DESC, number DESC",
        limit: limit,
        offset: offset,
        ConversationRecord.init
      )
    }
  }

  /// One conversation of an owner; `nil` when there is none of that id.
  package func find(
    _ id: String,
    owner: String
  ) throws(StorageError) -> ConversationRecord? {
    try database.read { (connection) throws(StorageError) in
      try connection.first(
        """
        SELECT id, model, turns, created_at, updated_at FROM conversations
        WHERE owner = ?1 AND id = ?2
        """,
        [.text(owner), .text(id)],
        ConversationRecord.init
      )
    }
  }

  /// The newest turns of a conversation, oldest first; none when it is not there.
  ///
  /// - Parameters:
  ///   - id: The conversation's.
  ///   - owner: Whose it is.
  ///   - limit: At most so many.
  ///   - offset: Newer ones that are passed over.
  /// - Returns: The turns.
  /// - Throws: `StorageError`.
  package func turns(
    of id: String,
    owner: String,
    limit: Int,
    offset: Int = 0
  ) throws(StorageError) -> [StoredTurn] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT ordinal, role, content, tokens, at FROM turns
        WHERE conversation = (SELECT number FROM conversations WHERE owner = ?1 AND id = ?2)
        ORDER BY ordinal DESC LIMIT ?3 OFFSET ?4
        """,
        [.text(owner), .text(id), .count(limit), .count(offset)]
      ) { row in
        StoredTurn(
          ordinal: row.count(0),
          turn: Turn(Role(rawValue: row.text(1)) ?? .user, row.text(2)),
          tokens: row.count(3),
          at: row.integer(4)
        )
      }.reversed()
    }
  }

  /// Deletes a conversation with its turns; false when there is none of that id.
  package func delete(_ id: String, owner: String) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      try connection.run(
        "DELETE FROM conversations WHERE owner = ?1 AND id = ?2",
        [.text(owner), .text(id)]
      ) > 0
    }
  }
}

extension ConversationRecord {
  fileprivate init(_ row: Row) {
    id = row.text(0)
    model = row.text(1)
    turns = row.count(2)
    createdAt = row.integer(3)
    updatedAt = row.integer(4)
  }
}
