import GatewayPlugin
package import Peering
package import PluginStorage

/// Messages that came for this gateway's users, and those they have sent.
package struct MessageStore: Sendable {
  /// Whose messages, and which of them.
  package struct Filter: Sendable, Equatable {
    /// Empty for the peer itself.
    package var user: String
    /// `in` or `out`.
    package var direction: String
    package var status: String?
    package var kind: String?
    package var peer: String?
    /// Newer ones than this number alone.
    package var after: Int?

    package init(user: String, direction: String) {
      self.user = user
      self.direction = direction
    }
  }

  /// One message as it is kept.
  package struct Entry: Sendable, Equatable {
    /// Rises with each message of the gateway.
    package var number: Int
    /// 32 hexadecimal digits.
    package var id: String
    package var direction: String
    package var user: String
    /// `nil` for all peers.
    package var peer: String?
    package var peerUser: String
    package var kind: String
    package var priority: Int
    /// `auto` until a transport has carried it.
    package var transport: String
    package var status: String
    package var reason: String
    /// Links that it passed; while it is under way, those that were asked for.
    package var hops: Int?
    package var roundTripMicroseconds: Int?
    /// JSON.
    package var payload: String
    /// Milliseconds since 1970, by the sender's clock.
    package var sentAt: UInt64
    /// Milliseconds since 1970, by this gateway's.
    package var at: UInt64
  }

  /// Messages of one inbox or outbox that are kept; the oldest go first.
  package static let keptPerUser = 10_000

  private let database: Database

  /// The store in `database`, which has the tables of `DatabaseSchema.p2pFog`.
  package init(_ database: Database) { self.database = database }

  /// Stores messages that have arrived, all or none.
  ///
  /// - Parameters:
  ///   - messages: With the transport that brought each; one that is stored already is passed over.
  ///   - now: Milliseconds since 1970.
  /// - Returns: Those that are new, as they are kept.
  /// - Throws: `StorageError`; then none is stored, and none may be acknowledged.
  package func receive(
    _ messages: [(message: PeerMessage, transport: PeerMessage.Transport, hops: Int?)],
    now: UInt64
  ) throws(StorageError) -> [Entry] {
    if messages.isEmpty { return [] }
    return try database.write { (connection) throws(StorageError) in
      var stored: [Entry] = []
      for (message, transport, hops) in messages {
        var entry = Entry(received: message, transport, hops: hops, now: now)
        guard try Self.insert(&entry, &connection) else { continue }
        stored.append(entry)
      }
      return stored
    }
  }

  /// The peers whose received messages have reached what one peer may have here.
  ///
  /// - Parameters:
  ///   - messages: How many one peer may have.
  ///   - bytes: What they may take; 512 are counted for each message beside its texts.
  /// - Returns: Those peers; this one is among them when its own users' messages to each other are as many.
  /// - Throws: `StorageError`.
  package func overQuota(messages: Int, bytes: Int) throws(StorageError) -> Set<PeerID> {
    let found = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        "SELECT peer FROM senders WHERE messages >= ?1 OR bytes >= ?2",
        [.count(messages), .count(bytes)]
      ) { $0.text(0) }
    }
    return Set(found.compactMap { PeerID(text: $0) })
  }

  /// Stores a message that is about to be sent.
  ///
  /// - Returns: Its number.
  package func send(_ entry: Entry) throws(StorageError) -> Int {
    try database.write { (connection) throws(StorageError) in
      var entry = entry
      guard try Self.insert(&entry, &connection) else {
        throw .statement(code: 19, reason: "the message is there already", sql: "")
      }
      return entry.number
    }
  }

  /// Stores what became of sent messages, all or none; one whose end is known already keeps it.
  ///
  /// - Parameter outcomes: As the loop tells them.
  /// - Returns: The messages that changed.
  /// - Throws: `StorageError`; then none has.
  package func settle(_ outcomes: [MessageOutcome]) throws(StorageError) -> [Entry] {
    if outcomes.isEmpty { return [] }
    return try database.write { (connection) throws(StorageError) in
      var changed: [Entry] = []
      for outcome in outcomes {
        if let entry = try Self.settle(outcome, &connection) { changed.append(entry) }
      }
      return changed
    }
  }

  private static func settle(
    _ outcome: MessageOutcome,
    _ connection: inout Connection
  ) throws(StorageError) -> Entry? {
    let id = SQLValue.text(Hexadecimal.text(outcome.id))
    let changed = try connection.run(
      """
      UPDATE messages SET status = ?2, reason = ?3, transport = ?4, hops = coalesce(?5, hops), round_trip_us = ?6
      WHERE direction = 'out' AND id = ?1 AND status = 'sent'
      """,
      [
        id, .text(outcome.failure == nil ? "delivered" : "undelivered"),
        .text(outcome.failure ?? ""), .text(outcome.transport.rawValue), .optional(outcome.hops),
        .optional(outcome.roundTripMicroseconds),
      ]
    )
    if changed == 0 { return nil }
    return try connection.first(
      "SELECT \(columns) FROM messages WHERE direction = 'out' AND id = ?1",
      [id],
      entry
    )
  }

  /// Gives up sent messages that are too old to be sent again.
  package func abandonSent(before time: UInt64, reason: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        """
        UPDATE messages SET status = 'undelivered', reason = ?1 WHERE number IN (
          SELECT number FROM \(Self.unsettledOnes) AND at < ?2)
        """,
        [.text(reason), .integer(Int64(bitPattern: time))]
      )
    }
  }

  /// Sent messages without a receipt, the oldest first.
  ///
  /// - Returns: The messages.
  /// - Throws: `StorageError`.
  package func unsettled() throws(StorageError) -> [Entry] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        "SELECT \(Self.columns) FROM \(Self.unsettledOnes) ORDER BY number",
        [],
        Self.entry
      )
    }
  }

  /// Stores a message between two users of this gateway in both their boxes.
  ///
  /// - Parameters:
  ///   - sent: For the sender's outbox.
  ///   - message: For the recipient's inbox.
  ///   - now: Milliseconds since 1970.
  /// - Returns: Both as they are kept.
  /// - Throws: `StorageError`; then neither is.
  package func exchange(
    _ sent: Entry,
    _ message: PeerMessage,
    now: UInt64
  ) throws(StorageError) -> (sent: Entry, received: Entry) {
    try database.write { (connection) throws(StorageError) in
      var sent = sent
      var received = Entry(received: message, .bitchat, hops: 0, now: now)
      received.transport = sent.transport
      _ = try Self.insert(&sent, &connection)
      _ = try Self.insert(&received, &connection)
      return (sent, received)
    }
  }

  /// One page, the newest first (the oldest first with `after`), and how many there are.
  package func list(
    _ filter: Filter,
    limit: Int,
    offset: Int
  ) throws(StorageError) -> (entries: [Entry], total: Int) {
    // Only what is asked for stands in the text, so that the index ends the search where it can.
    var condition = "user = ? AND direction = ?"
    var values: [SQLValue] = [.text(filter.user), .text(filter.direction)]
    func add(_ term: String, _ value: SQLValue?) {
      guard let value else { return }
      condition += " AND \(term)"
      values.append(value)
    }
    add("status = ?", filter.status.map { .text($0) })
    add("kind = ?", filter.kind.map { .text($0) })
    add("peer = ?", filter.peer.map { .text($0) })
    add("number > ?", filter.after.map { .count($0) })
    let order = filter.after == nil ? "DESC" : "ASC"
    return try database.read { [condition, values] (connection) throws(StorageError) in
      try connection.page(
        Self.columns,
        from: "messages WHERE \(condition)",
        values,
        orderedBy: "number \(order)",
        limit: limit,
        offset: offset,
        Self.entry
      )
    }
  }

  /// The messages of an id in a user's inbox and outbox.
  package func find(_ id: String, user: String) throws(StorageError) -> [Entry] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        "SELECT \(Self.columns) FROM messages WHERE \(Self.oneOfUser) ORDER BY number",
        [.text(id), .text(user)],
        Self.entry
      )
    }
  }

  /// Notes that received messages up to a number have been read.
  package func markRead(upTo number: Int, user: String) throws(StorageError) -> Int {
    try database.write { (connection) throws(StorageError) in
      try connection.run(
        """
        UPDATE messages SET status = 'read'
        WHERE user = ?1 AND direction = 'in' AND number <= ?2 AND status = 'received'
        """,
        [.text(user), .count(number)]
      )
    }
  }

  /// Deletes a message of a user.
  ///
  /// - Returns: Whether it was there.
  package func delete(_ id: String, user: String) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      try connection.run(
        "DELETE FROM messages WHERE \(Self.oneOfUser)",
        [.text(id), .text(user)]
      ) > 0
    }
  }

  // Both directions are named, since the index of identifiers begins with them; without the plus sign SQLite would take the
  // index of boxes instead, and read a whole one.
  static let oneOfUser = "direction IN ('in', 'out') AND id = ?1 AND +user = ?2"
  static let unsettledOnes =
    "messages INDEXED BY messages_unsettled WHERE direction = 'out' AND status = 'sent'"
  static let dropOldest = """
    DELETE FROM messages WHERE number IN (
      SELECT number FROM messages WHERE user = ?1 AND direction = ?2 ORDER BY number LIMIT ?3)
    """
  private static let boxSize = "SELECT messages FROM boxes WHERE user = ?1 AND direction = ?2"

  private static let columns = """
    number, id, direction, user, peer, peer_user, kind, priority, transport, status, reason, hops, round_trip_us,
    payload, sent_at, at
    """

  private static func entry(_ row: Row) -> Entry {
    Entry(
      number: row.count(0),
      id: row.text(1),
      direction: row.text(2),
      user: row.text(3),
      peer: row.optionalText(4),
      peerUser: row.text(5),
      kind: row.text(6),
      priority: row.count(7),
      transport: row.text(8),
      status: row.text(9),
      reason: row.text(10),
      hops: row.optionalInteger(11).map { Int($0) },
      roundTripMicroseconds: row.optionalInteger(12).map { Int($0) },
      payload: row.text(13),
      sentAt: UInt64(bitPattern: row.integer(14)),
      at: UInt64(bitPattern: row.integer(15))
    )
  }

  /// Adds a row and drops what is beyond the bound; false for one that is there already.
  private static func insert(_ entry: inout Entry, _ connection: inout Connection)
    throws(StorageError) -> Bool
  {
    let added = try connection.run(
      """
      INSERT OR IGNORE INTO messages (id, direction, user, peer, peer_user, kind, priority, transport, status, payload,
        sent_at, at, hops) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
      """,
      [
        .text(entry.id), .text(entry.direction), .text(entry.user), .optional(entry.peer),
        .text(entry.peerUser), .text(entry.kind), .count(entry.priority), .text(entry.transport),
        .text(entry.status), .text(entry.payload), .integer(Int64(bitPattern: entry.sentAt)),
        .integer(Int64(bitPattern: entry.at)), .optional(entry.hops),
      ]
    )
    if added == 0 { return false }
    entry.number = try connection.first("SELECT last_insert_rowid()") { $0.count(0) } ?? 0
    let count = try connection.first(Self.boxSize, [.text(entry.user), .text(entry.direction)]) {
      $0.count(0)
    }
    if let count, count > keptPerUser {
      try connection.run(
        Self.dropOldest,
        [.text(entry.user), .text(entry.direction), .count(count - keptPerUser)]
      )
    }
    return true
  }
}
