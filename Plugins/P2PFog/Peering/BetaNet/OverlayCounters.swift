/// What the overlay has done since it began.
package struct OverlayCounters: Sendable, Equatable {
  /// Over all links, those that are over included.
  package internal(set) var traffic = LinkCounts()
  /// Connections that were refused or given up before they were established, by `LinkClosure.word`.
  package internal(set) var refusedHandshakes: [String: UInt64] = [:]
  /// Links that were established.
  package internal(set) var establishedLinks: UInt64 = 0
}

/// A link as it is now.
package struct LinkState: Sendable, Equatable {
  /// The loop's number.
  package let link: Int
  /// The other.
  package let peer: PeerID
  /// Whether this side has dialled.
  package let isInitiator: Bool
  /// Once measured.
  package let roundTrip: RoundTrip?
  /// What passed.
  package let counts: LinkCounts
  /// Monotonic nanoseconds.
  package let establishedAt: UInt64
}

extension LinkCounts {
  static func += (left: inout LinkCounts, right: LinkCounts) {
    left.bytesIn += right.bytesIn
    left.bytesOut += right.bytesOut
    left.cellsIn += right.cellsIn
    left.cellsOut += right.cellsOut
    left.paddingIn += right.paddingIn
    left.paddingOut += right.paddingOut
    left.keyUpdates += right.keyUpdates
  }
}
