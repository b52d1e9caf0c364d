/// The limits and wishes of the overlay; times in nanoseconds.
package struct OverlaySettings: Sendable {
  /// Of each link.
  package var link = LinkSettings()
  /// The secret of this peer's network, where the operator has set one.
  package var networkSecret: [UInt8]?
  /// Connections that are not through their handshake at once.
  package var handshakeLimit = 64
  /// Connections at once.
  package var linkLimit = 1024
  /// For a connection that the loop was asked for to be established.
  package var dialLimit: UInt64 = 10_000_000_000
  /// How old a link may be to lose against a new one of the same two peers by the order of their identities.
  ///
  /// Above that the new one wins: whoever dials again has lost the old one.
  package var crossingLimit: UInt64 = 10_000_000_000
  /// Calls that wait for a link, and bytes of their bodies.
  package var waitingCallLimit = 256, waitingCallBytes = 16 << 20
  /// Cells per second and link at least, by cover where nothing else goes; 0 for none.
  package var cover = 0

  package init() {}
}
