package import Peering
package import PluginStorage

/// The peers that are known, those that are banned, and the invitations that wait.
package struct PeerStore: Sendable {
  /// One peer as it is kept.
  package struct Entry: Sendable, Equatable {
    package var id: PeerID
    /// Its newest record; `nil` while it has not been met.
    package var record: PeerRecord?
    /// Where the operator says it is; `nil` for where its record says.
    package var endpoint: Endpoint?
    package var how: Roster.How
    /// Milliseconds since 1970.
    package var addedAt: UInt64
    package var isBanned: Bool
    /// It may register here as a node of the fog.
    package var mayBeNode: Bool
    /// This gateway works for it.
    package var isCoordinator: Bool
  }

  /// An invitation without its secret.
  package struct Invitation: Sendable, Equatable {
    /// 64 hexadecimal digits.
    package var digest: String
    package var createdAt: UInt64
    package var expiresAt: UInt64
    package var mayBeNode: Bool
    package var note: String
    package var redeemedBy: String?
  }

  /// Invitations that wait at most.
  package static let invitationLimit = 1000

  private let database: Database

  /// The store in `database`, which has the tables of `DatabaseSchema.p2pFog`.
  package init(_ database: Database) { self.database = database }

  /// All peers, in order of their identities.
  package func all() throws(StorageError) -> [Entry] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT id, record, endpoint, how, added_at, banned, may_be_node, coordinator
        FROM peers ORDER BY id
        """
      ) { Self.entry($0) }
    }
    .compactMap(\.self)
  }

  /// Makes a peer known, or changes what the operator says of it; a ban is lifted.
  package func add(
    _ id: PeerID,
    endpoint: Endpoint?,
    mayBeNode: Bool,
    now: UInt64
  ) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        """
        INSERT INTO peers (id, endpoint, how, added_at, may_be_node) VALUES (?1, ?2, 'configured', ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET endpoint = coalesce(?2, endpoint), banned = 0,
          may_be_node = max(may_be_node, ?4)
        """,
        [
          .text(id.description), .optional(endpoint?.description), .integer(Int64(now)),
          .flag(mayBeNode),
        ]
      )
    }
  }

  /// Forgets a peer, and keeps that it is refused.
  ///
  /// - Returns: Whether it was known.
  package func ban(_ id: PeerID, now: UInt64) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      let known = try connection.first(
        "SELECT banned FROM peers WHERE id = ?1",
        [.text(id.description)]
      ) { !$0.flag(0) }
      guard known == true else { return false }
      try connection.run(
        "UPDATE peers SET banned = 1, record = NULL, endpoint = NULL, may_be_node = 0, coordinator = 0 WHERE id = ?1",
        [.text(id.description)]
      )
      return true
    }
  }

  /// Whether a peer is known by its record, and not banned.
  package func isMet(_ id: PeerID) throws(StorageError) -> Bool {
    try database.read { (connection) throws(StorageError) in
      try connection.first(
        "SELECT 1 FROM peers WHERE id = ?1 AND banned = 0 AND record IS NOT NULL",
        [.text(id.description)]
      ) { $0.flag(0) } ?? false
    }
  }

  /// Lifts a ban, where there is one.
  package func pardon(_ id: PeerID) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run("UPDATE peers SET banned = 0 WHERE id = ?1", [.text(id.description)])
    }
  }

  /// Whether this gateway works for a peer.
  package func setCoordinator(_ id: PeerID, _ isCoordinator: Bool) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        "UPDATE peers SET coordinator = ?2 WHERE id = ?1",
        [.text(id.description), .flag(isCoordinator)]
      )
    }
  }

  /// Whether a peer may register as a node.
  package func mayBeNode(_ id: PeerID) throws(StorageError) -> Bool {
    try database.read { (connection) throws(StorageError) in
      try connection.first(
        "SELECT may_be_node FROM peers WHERE id = ?1 AND banned = 0",
        [.text(id.description)]
      ) { $0.flag(0) } ?? false
    }
  }

  /// Takes away that a peer may register as a node.
  package func forbidNode(_ id: PeerID) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        "UPDATE peers SET may_be_node = 0 WHERE id = ?1",
        [.text(id.description)]
      )
    }
  }

  /// Stores what the network's loop has learned.
  package func apply(_ changes: [Roster.Change], now: UInt64) throws(StorageError) {
    if changes.isEmpty { return }
    try database.write { (connection) throws(StorageError) -> Void in
      for change in changes { try Self.apply(change, now, &connection) }
    }
  }

  /// Lets an invitation be redeemed.
  package func invite(_ invitation: Invitation) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        "DELETE FROM invitations WHERE expires_at <= ?1",
        [.integer(Int64(invitation.createdAt))]
      )
      try connection.run(
        "INSERT INTO invitations (digest, created_at, expires_at, may_be_node, note) VALUES (?1, ?2, ?3, ?4, ?5)",
        [
          .text(invitation.digest), .integer(Int64(invitation.createdAt)),
          .integer(Int64(invitation.expiresAt)), .flag(invitation.mayBeNode),
          .text(invitation.note),
        ]
      )
    }
  }

  /// Invitations of the last time, the newest first; redeemed ones among them until they would have expired.
  package func invitations() throws(StorageError) -> [Invitation] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT digest, created_at, expires_at, may_be_node, note, redeemed_by FROM invitations
        ORDER BY created_at DESC, digest LIMIT \(Self.invitationLimit)
        """
      ) { row in
        Invitation(
          digest: row.text(0),
          createdAt: UInt64(row.integer(1)),
          expiresAt: UInt64(row.integer(2)),
          mayBeNode: row.flag(3),
          note: row.text(4),
          redeemedBy: row.optionalText(5)
        )
      }
    }
  }

  /// Takes an invitation back.
  ///
  /// - Returns: Whether it was there and not yet redeemed.
  package func withdraw(_ digest: String) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      let found = try connection.first(
        "SELECT 1 FROM invitations WHERE digest = ?1 AND redeemed_by IS NULL",
        [.text(digest)]
      ) { $0.flag(0) }
      try connection.run(
        "DELETE FROM invitations WHERE digest = ?1 AND redeemed_by IS NULL",
        [.text(digest)]
      )
      return found ?? false
    }
  }

  private static func apply(
    _ change: Roster.Change,
    _ now: UInt64,
    _ connection: inout Connection
  ) throws(StorageError) {
    switch change {
    case .known(let record, let how):
      try connection.run(
        """
        INSERT INTO peers (id, record, how, added_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET record = ?2
        """,
        [
          .text(record.id.description), .text(Hexadecimal.text(record.bytes)),
          .text(how.rawValue), .integer(Int64(now)),
        ]
      )
    case .redeemed(let digest, let peer):
      let digest = SQLValue.text(Hexadecimal.text(digest))
      try connection.run(
        "UPDATE invitations SET redeemed_by = ?2 WHERE digest = ?1",
        [digest, .text(peer.description)]
      )
      // The peer's row follows in the same transaction, with the record that redeemed it.
      try connection.run(
        """
        INSERT INTO peers (id, how, added_at, may_be_node)
        VALUES (?1, 'invited', ?2, coalesce((SELECT may_be_node FROM invitations WHERE digest = ?3), 0))
        ON CONFLICT (id) DO UPDATE SET may_be_node =
          max(may_be_node, coalesce((SELECT may_be_node FROM invitations WHERE digest = ?3), 0))
        """,
        [.text(peer.description), .integer(Int64(now)), digest]
      )
    }
  }

  private static func entry(_ row: Row) -> Entry? {
    guard let id = PeerID(text: row.text(0)) else { return nil }
    var record: PeerRecord?
    if let bytes = row.optionalText(1).flatMap({ Hexadecimal.bytes($0) }) {
      var reader = ByteReader(bytes)
      // One of an earlier version that no longer reads is as good as none: the next handshake brings it anew.
      record = try? PeerRecord(from: &reader)
    }
    return Entry(
      id: id,
      record: record,
      endpoint: row.optionalText(2).flatMap { Endpoint(text: $0) },
      how: Roster.How(rawValue: row.text(3)) ?? .configured,
      addedAt: UInt64(row.integer(4)),
      isBanned: row.flag(5),
      mayBeNode: row.flag(6),
      isCoordinator: row.flag(7)
    )
  }
}
