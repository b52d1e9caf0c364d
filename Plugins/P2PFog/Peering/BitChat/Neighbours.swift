/// The peers that flooded packets are passed to: chosen ones, and those that chose this peer.
///
/// The neighbour on either side in the order of identities makes a ring through all, so that the mesh is in one piece (as
/// Chord's successors, Stoica and others 2001, section 4.2); random ones make its diameter logarithmic. A choice is told
/// every ten seconds and lapses after thirty, so that both ends agree without a protocol of their own. With a degree of 8 a
/// peer chooses two and three random ones, and is chosen by the same two and on average three others.
struct Neighbours: Sendable {
  static let tellInterval: UInt64 = 10_000_000_000
  static let lease: UInt64 = 30_000_000_000

  private let degree: Int
  private let limit: Int
  private(set) var chosen: [PeerID] = []
  private var choosing: [PeerID: UInt64] = [:]

  init(degree: Int, limit: Int) {
    self.degree = degree
    self.limit = limit
  }

  /// A peer says whether it has chosen this one.
  ///
  /// - Returns: False when there are too many.
  mutating func told(_ peer: PeerID, isChosen: Bool, now: UInt64) -> Bool {
    guard isChosen else {
      choosing[peer] = nil
      return true
    }
    choosing = choosing.filter { $0.value > now }
    guard choosing[peer] != nil || choosing.count < limit - chosen.count else { return false }
    choosing[peer] = now + Self.lease
    return true
  }

  /// All whom a packet is passed to, in order; those without a session are left out by the caller.
  func all(now: UInt64) -> [PeerID] {
    let lent = choosing.lazy.filter { $0.value > now }.map(\.key)
    return Set(chosen).union(lent).sorted()
  }

  /// Chooses anew among those that take part.
  ///
  /// - Parameters:
  ///   - candidates: Peers that take part and can be reached, in any order.
  ///   - own: This peer.
  ///   - random: For the choice.
  /// - Returns: Those that are chosen no longer.
  mutating func choose(
    among candidates: [PeerID],
    own: PeerID,
    random: inout SeededRandom
  ) -> [PeerID] {
    let before = chosen
    let side = 1
    let wanted = min(side + degree / 2, candidates.count)
    var next = Self.closest(side, to: own, among: candidates, isAfter: true)
    for peer in Self.closest(side, to: own, among: candidates, isAfter: false)
    where !next.contains(peer) { next.append(peer) }
    let present = Set(candidates)
    // The random ones stay while they can: every change costs a session.
    for peer in before where next.count < wanted && present.contains(peer) && !next.contains(peer) {
      next.append(peer)
    }
    var draws = 0
    while next.count < wanted, draws < degree * 8 {
      draws += 1
      let peer = candidates[Int.random(in: candidates.indices, using: &random)]
      if !next.contains(peer) { next.append(peer) }
    }
    chosen = next
    return before.filter { !next.contains($0) }
  }

  /// The `count` candidates that come after (or before) `own` on the ring of identities.
  private static func closest(
    _ count: Int,
    to own: PeerID,
    among candidates: [PeerID],
    isAfter: Bool
  ) -> [PeerID] {
    var best: [PeerID] = []
    for peer in candidates {
      let place = best.firstIndex { isCloser(peer, than: $0, to: own, isAfter: isAfter) }
      if let place {
        best.insert(peer, at: place)
      } else if best.count < count {
        best.append(peer)
      }
      if best.count > count { best.removeLast() }
    }
    return best
  }

  private static func isCloser(
    _ left: PeerID,
    than right: PeerID,
    to own: PeerID,
    isAfter: Bool
  ) -> Bool {
    let (leftWraps, rightWraps) = isAfter ? (left < own, right < own) : (own < left, own < right)
    if leftWraps != rightWraps { return rightWraps }
    return isAfter ? left < right : right < left
  }
}
