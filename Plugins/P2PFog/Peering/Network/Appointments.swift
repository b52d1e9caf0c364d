/// Peers that the operator has named and that have not been met: each is tried again until it is there.
///
/// Membership tries again those whose record is known; of these nothing is known but the word of the operator.
struct Appointments {
  /// One of them.
  struct Appointment: Equatable {
    let peer: PeerID
    let endpoint: Endpoint
    let invitation: [UInt8]?
    var nextAt: UInt64
  }

  /// Nanoseconds between two tries, a little more than the handshake's own.
  static let interval: UInt64 = 9_000_000_000
  /// Appointments at most, as many as the settings can name; a further one is passed over.
  static let limit = 2048

  private var all: [PeerID: Appointment] = [:]
  private var nextAt = UInt64.max

  /// Tries a peer from now on.
  mutating func make(with peer: PeerID, at endpoint: Endpoint, invitation: [UInt8]?, now: UInt64) {
    guard all[peer] != nil || all.count < Self.limit else { return }
    all[peer] = Appointment(peer: peer, endpoint: endpoint, invitation: invitation, nextAt: now)
    nextAt = min(nextAt, now)
  }

  /// Tries a peer no more.
  mutating func cancel(_ peer: PeerID) { all[peer] = nil }

  /// Those that are due, in order of their identities; each is due again after `interval`.
  mutating func due(now: UInt64) -> [Appointment] {
    guard now >= nextAt else { return [] }
    let due = all.values.filter { $0.nextAt <= now }.sorted { $0.peer < $1.peer }
    for one in due { all[one.peer]?.nextAt = now + Self.interval }
    nextAt = all.values.lazy.map(\.nextAt).min() ?? .max
    return due
  }
}
