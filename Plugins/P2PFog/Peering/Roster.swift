/// The peers that this one talks with, and how an unknown one becomes one of them.
///
/// An unknown peer gets the handshake and nothing else. It is let in by an invitation that this peer issued, by the secret of
/// the network, or, where the operator allows it, because a known peer has introduced it. Belongs to the thread of the
/// network's loop; what has to outlive the process leaves as `changes`.
package struct Roster: Sendable {
  /// Records held at most, those of configured peers aside; a further peer is passed over.
  package static let limit = 4096

  /// What has to be stored.
  package enum Change: Sendable, Equatable {
    /// A peer is known from now on, or has a newer record.
    case known(PeerRecord, How)
    /// An invitation was redeemed, and is worth nothing any more; its digest.
    case redeemed([UInt8], by: PeerID)
  }

  /// How a peer became known.
  package enum How: String, Sendable {
    case configured, invited, network, introduced
  }

  /// An invitation that waits for its peer.
  package struct Invitation: Sendable, Equatable {
    /// SHA-256 of its secret, 32 bytes; the secret itself is kept by nobody here.
    package let digest: [UInt8]
    /// Milliseconds since 1970.
    package let expiresAt: UInt64

    package init(digest: [UInt8], expiresAt: UInt64) {
      self.digest = digest
      self.expiresAt = expiresAt
    }
  }

  /// This peer.
  package let own: PeerID
  /// Whether a known peer's word makes another peer known.
  package let admitsIntroduced: Bool

  private var records: [PeerID: PeerRecord] = [:]
  // The keys of `records`, rising: all are asked for four times a second, and seldom does one come or go.
  private var order: [PeerID] = []
  // Known by key alone: configured without a record, which comes with the first handshake.
  private var expected: Set<PeerID> = []
  private var banned: Set<PeerID> = []
  private var invitations: [Invitation] = []

  /// What has to be stored, oldest first; whoever stores it empties it.
  package var changes: [Change] = []

  /// Peers of whose messages as many are kept here as one peer may have: a further one is refused.
  package var overQuota: Set<PeerID> = []

  /// A roster without peers.
  ///
  /// - Parameters:
  ///   - own: This peer.
  ///   - admitsIntroduced: Whether a known peer's word makes another peer known.
  package init(own: PeerID, admitsIntroduced: Bool) {
    self.own = own
    self.admitsIntroduced = admitsIntroduced
  }

  /// The known peers' records, in order of their identities.
  package var all: [PeerRecord] { order.compactMap { records[$0] } }

  /// How many peers are known by record.
  package var count: Int { records.count }

  /// The newest record of a known peer.
  package func record(of id: PeerID) -> PeerRecord? { records[id] }

  /// Whether this peer talks with `id`.
  package func isKnown(_ id: PeerID) -> Bool { records[id] != nil || expected.contains(id) }

  /// Makes a peer known by its key, before it has shown a record.
  package mutating func expect(_ id: PeerID) {
    if id != own, !banned.contains(id) { expected.insert(id) }
  }

  /// Puts back what was stored, without a change to be stored.
  package mutating func restore(_ record: PeerRecord) {
    if record.id != own, !banned.contains(record.id) { put(record) }
  }

  /// Lets an invitation be redeemed, once; one that waits already waits once all the same.
  package mutating func invite(_ invitation: Invitation) {
    withdraw(invitation.digest)
    invitations.append(invitation)
  }

  /// Takes an invitation back by its digest.
  package mutating func withdraw(_ digest: [UInt8]) {
    invitations.removeAll { $0.digest == digest }
  }

  /// Forgets a peer, and refuses it from now on until `expect` is preceded by `pardon`.
  package mutating func ban(_ id: PeerID) {
    banned.insert(id)
    if records.removeValue(forKey: id) != nil { order.remove(at: place(of: id)) }
    expected.remove(id)
  }

  /// Lets a banned peer be made known again.
  package mutating func pardon(_ id: PeerID) { banned.remove(id) }

  /// Takes changes back that could not be stored: of each peer the newest record alone, so that a store that fails for long
  /// costs no more than the roster itself.
  package mutating func putBack(_ unstored: [Change]) {
    let all = unstored + changes
    var newest: [PeerID: Int] = [:]
    // The first word on how a peer became known is the one that counts.
    var hows: [PeerID: How] = [:]
    for (index, change) in all.enumerated() {
      guard case .known(let record, let how) = change else { continue }
      newest[record.id] = index
      hows[record.id] = hows[record.id] ?? how
    }
    changes = all.enumerated().compactMap { index, change in
      guard case .known(let record, let how) = change else { return change }
      return newest[record.id] == index ? .known(record, hows[record.id] ?? how) : nil
    }
  }

  /// Whether the other side of a complete handshake is let in.
  ///
  /// - Parameters:
  ///   - record: As the handshake has proven it.
  ///   - proof: As the handshake brought it.
  ///   - now: For the age of invitations.
  /// - Returns: False for a peer that stays unknown: the connection is closed without a word.
  package mutating func admit(
    _ record: PeerRecord,
    _ proof: PeerHandshake.Proof,
    now: Moment
  ) -> Bool {
    guard record.id != own, !banned.contains(record.id) else { return false }
    if isKnown(record.id) {
      keep(record, .configured)
      return true
    }
    // Before an invitation is spent on it.
    guard records.count < Self.limit else { return false }
    switch proof {
    case .none: return false
    case .network: keep(record, .network)
    case .invitation(let secret):
      let digest = KeyDerivation.sha256(secret)
      invitations.removeAll { $0.expiresAt <= now.wall }
      guard let index = invitations.firstIndex(where: { KeyDerivation.areEqual($0.digest, digest) })
      else { return false }
      invitations.remove(at: index)
      changes.append(.redeemed(digest, by: record.id))
      keep(record, .invited)
    }
    return records[record.id] != nil
  }

  /// Takes a record that a known peer passed on.
  ///
  /// - Parameter record: Its signature is right.
  /// - Returns: Whether it was news: of a known peer and newer, or of a peer that is let in by introduction.
  @discardableResult
  package mutating func introduce(_ record: PeerRecord) -> Bool {
    guard record.id != own, !banned.contains(record.id) else { return false }
    if let held = records[record.id] {
      guard record.sequence > held.sequence else { return false }
    } else if !expected.contains(record.id), !admitsIntroduced {
      return false
    }
    keep(record, .introduced)
    return records[record.id] == record
  }

  private mutating func keep(_ record: PeerRecord, _ how: How) {
    if let held = records[record.id] {
      guard record.sequence > held.sequence else { return }
    } else if records.count >= Self.limit, how != .configured {
      // A peer that the operator has named always has its place.
      return
    }
    put(record)
    expected.remove(record.id)
    changes.append(.known(record, how))
  }

  private mutating func put(_ record: PeerRecord) {
    if records.updateValue(record, forKey: record.id) == nil {
      order.insert(record.id, at: place(of: record.id))
    }
  }

  /// Where an identity stands in `order`, or would.
  private func place(of id: PeerID) -> Int {
    var (low, high) = (0, order.count)
    while low < high {
      let middle = (low + high) / 2
      if order[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
