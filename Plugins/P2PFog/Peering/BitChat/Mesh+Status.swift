extension Mesh {
  /// The members, in order of their identities.
  package var members: [Member] { membership.all }

  /// What is known of a peer as a member.
  package func member(_ id: PeerID) -> Member? { membership.member(id) }

  /// Members that take part, as far as is known.
  package var present: Int { membership.count(.alive) + membership.count(.suspect) }

  /// This peer's newest record; membership renews it when others have thought it dead.
  package var record: PeerRecord { membership.record }

  /// Peers there is a session with, in order.
  package var connected: [PeerID] { sessions.open }

  /// How many peers there is a session with.
  package var connectedCount: Int { sessions.count }

  /// Whether there is a session with a peer.
  package func isConnected(_ peer: PeerID) -> Bool { sessions.isOpen(peer) }

  /// Where a peer was last heard, which may be another place than its record says.
  package func endpoint(of peer: PeerID) -> Endpoint? { sessions.endpoint(of: peer) }

  /// The peers that flooded packets are passed to.
  package func neighbours(now: Moment) -> [PeerID] {
    neighbours.all(now: now.monotonic).filter(sessions.isOpen)
  }

  /// Whether an own message waits for its receipt.
  package func isSending(_ id: [UInt8]) -> Bool { outbox[MessageKey(id, identity.id)] != nil }

  /// Own messages that wait for a receipt.
  package var outboxCount: Int { outbox.count }

  /// Messages of others that are kept for peers that are away, and their bytes.
  package var storedMessages: (count: Int, bytes: Int) { (stored.count, stored.bytes) }

  /// All counters, with what sessions and membership have dropped.
  package var counters: MeshCounters {
    var all = counts
    all.drops.merge(sessions.drops, uniquingKeysWith: +)
    all.drops.merge(membership.drops, uniquingKeysWith: +)
    return all
  }

  /// Handshakes that led to a session.
  package var handshakes: UInt64 { sessions.handshakes }
}
