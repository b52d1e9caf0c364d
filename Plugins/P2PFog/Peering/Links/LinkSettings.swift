/// The limits of a link; times in nanoseconds.
package struct LinkSettings: Sendable {
  /// From the connection to the end of the handshake.
  package var handshakeLimit: UInt64 = 5_000_000_000
  /// Between pings.
  package var pingInterval: UInt64 = 10_000_000_000
  /// Pings without any answer or other sign of life, after which a link is over.
  package var missedPings = 3
  /// Noise messages in one direction under one key.
  ///
  /// Both sides must have the same: a receiver refuses more.
  package var keyMessages = 1 << 20
  /// Sealed bytes in one direction under one key; as above.
  package var keyBytes = 1 << 30
  /// Bytes given to the connection and not written yet, above which nothing more is given.
  package var queueLimit = 256 << 10
  /// Frames of control that wait; a peer that provokes more without reading is cut off.
  package var controlLimit = 1024
  /// Calls open at once, in each direction.
  package var callLimit = 64
  /// Bytes of bodies at once: of own requests, of own answers, of the other's requests, of the other's answers.
  package var callBytes = 8 << 20
  /// For a request to arrive whole, and for an answer to leave.
  package var bodyLimit: UInt64 = 120_000_000_000

  package init() {}
}
