/// What the overlay has done since it began.
package struct OverlayCounters: Sendable, Equatable {
  /// Over all links, those that are over included.
  package internal(set) var traffic = LinkCounts()
  /// Connections that were refused or given up before they were established, by `LinkClosure.word`.
  package internal(set) var refusedHandshakes: [String: UInt64] = [:]
  /// Links that were established.
  package internal(set) var establishedLinks: UInt64 = 0
  /// Own circuits that were built; that failed, by `CircuitEnd.word`; that were given up as planned.
  package internal(set) var builtCircuits: UInt64 = 0
  package internal(set) var failedCircuits: [String: UInt64] = [:]
  package internal(set) var closedCircuits: UInt64 = 0
  /// Circuits of others that were opened here, and whose opening was refused.
  package internal(set) var openedTransits: UInt64 = 0
  package internal(set) var refusedTransits: UInt64 = 0
  /// Cells passed on for others.
  package internal(set) var relayedCells: UInt64 = 0
  /// Cells of circuits that are not, or no more.
  package internal(set) var strayCells: UInt64 = 0
  /// Own messages that were confirmed, tried again, given up.
  package internal(set) var confirmedMessages: UInt64 = 0
  package internal(set) var retriedMessages: UInt64 = 0
  package internal(set) var undeliveredMessages: UInt64 = 0
  /// Messages to this peer that were given out, had come before, were refused by reason.
  package internal(set) var receivedMessages: UInt64 = 0
  package internal(set) var repeatedMessages: UInt64 = 0
  package internal(set) var refusedMessages: [String: UInt64] = [:]
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
