/// Which peers a circuit goes through.
struct PathChoice {
  /// Peers that may relay, without this one and the recipient.
  let candidates: Set<PeerID>
  /// Those of them that have a link with this peer.
  let linked: Set<PeerID>
  /// Those that have just failed.
  let failed: Set<PeerID>

  /// A random path of `hops` links to `recipient`.
  ///
  /// No peer stands in it twice. The first one is linked where one is; what has just failed is taken when nothing else
  /// is left, for a path through it is worth a try and a shorter one tells more.
  ///
  /// - Parameters:
  ///   - hops: Wanted, 2 to 6.
  ///   - minimum: Fewer, where there are not enough peers.
  ///   - recipient: The last hop.
  /// - Returns: The hops in order; `nil` when there are not enough peers.
  func path(hops: Int, minimum: Int, to recipient: PeerID) -> [PeerID]? {
    let relays = min(hops - 1, candidates.count)
    guard relays >= minimum - 1 else { return nil }
    let fresh = candidates.subtracting(failed).shuffled()
    var pool = fresh + candidates.intersection(failed).shuffled()
    var path: [PeerID] = []
    if let first = pool.prefix(max(fresh.count, 1)).firstIndex(where: linked.contains) {
      path.append(pool.remove(at: first))
    }
    path += pool.prefix(relays - path.count)
    path.append(recipient)
    return path
  }
}
