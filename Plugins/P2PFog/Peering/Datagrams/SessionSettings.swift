/// Bounds and times of the sessions.
package struct SessionSettings: Sendable {
  /// A session's keys are replaced after this.
  ///
  /// Default 10 minutes.
  package var rekeyAfter: UInt64 = 600_000_000_000

  /// A session whose keys were not replaced ends after this.
  ///
  /// Default 15 minutes.
  package var rejectAfter: UInt64 = 900_000_000_000

  /// A session over which nothing came ends after this.
  ///
  /// Default 5 minutes.
  package var idleAfter: UInt64 = 300_000_000_000

  /// Datagrams that one key seals before it is replaced; far below where ChaCha20-Poly1305 wears out.
  ///
  /// Default 2^40.
  package var datagramLimit: UInt64 = 1 << 40

  /// Unfinished handshakes that others have begun.
  ///
  /// Default 256. A further first message is dropped.
  package var halfOpenLimit = 256

  /// Of these, from one address (IP version 4) or one network of 64 bits (IP version 6).
  ///
  /// Default 32.
  package var halfOpenPerAddress = 32

  /// From so many unfinished handshakes on, a first message must show that its sender's address is real.
  ///
  /// Default 32.
  package var cookieFrom = 32

  /// How long an unfinished handshake is kept, in nanoseconds.
  ///
  /// Default 10 s.
  package var halfOpenTime: UInt64 = 10_000_000_000

  /// Handshakes of others that are answered per second, in the mean; each costs three agreements on a key.
  ///
  /// Default 200.
  package var handshakeRate: Double = 200

  /// Handshakes of this peer under way at once.
  ///
  /// Default 64.
  package var initiationLimit = 64

  /// First wait for an answer in a handshake, in nanoseconds; doubles three times.
  ///
  /// Default 250 ms.
  package var handshakeWait: UInt64 = 250_000_000

  /// Times that a message of a handshake is sent.
  ///
  /// Default 6: the last wait ends after 7.75 s.
  package var handshakeTries = 6

  /// Datagrams per second that one peer may send, in the mean; twice as many at once.
  ///
  /// Default 4,000.
  package var packetRate: Double = 4000

  /// Bytes per second that one peer may send, in the mean; twice as many at once.
  ///
  /// Default 4 MiB.
  package var byteRate = Double(4 << 20)

  /// Sessions at most; a further one is refused.
  ///
  /// Default 4,096.
  package var sessionLimit = 4096

  package init() {}
}
