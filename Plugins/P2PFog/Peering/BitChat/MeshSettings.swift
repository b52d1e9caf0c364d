/// Bounds, rates and times of the mesh.
package struct MeshSettings: Sendable {
  /// Of the sessions.
  package var sessions = SessionSettings()
  /// Of membership.
  package var members = MemberSettings()

  /// The secret of the network, where the operator has set one.
  package var networkSecret: [UInt8]?

  /// Whether this peer shows itself on the local network and answers probes.
  ///
  /// Default true.
  package var isDiscoverable = true

  /// Time between two beacons, in nanoseconds.
  ///
  /// Default 30 s, as the original.
  package var beaconInterval: UInt64 = 30_000_000_000

  /// Neighbours on average: those that this peer chooses, and those that choose it.
  ///
  /// Default 8, at which 1,000 peers are less than seven hops wide. Each more makes a flooded packet travel `size / 2`
  /// bytes more for every peer.
  package var degree = 8

  /// Neighbours at most, chosen or choosing.
  ///
  /// Default 20, as the original.
  package var degreeLimit = 20

  /// A packet waits up to this long before it is passed on, so that neighbours that bring it meanwhile are spared it.
  ///
  /// Default 10 ms, in nanoseconds; the original's 50 to 200 ms are for radio.
  package var relayJitter: UInt64 = 10_000_000

  /// Packets per second of one origin, in the mean; twice as many at once.
  ///
  /// Default 1,000.
  package var originRate: Double = 1000

  /// How long a message waits for a session with its recipient before it is flooded, in nanoseconds.
  ///
  /// Default 300 ms. A handshake costs 1.5 KB, a flooded packet half a KB for every neighbour of every peer.
  package var sessionWait: UInt64 = 300_000_000

  /// First wait for a receipt, in nanoseconds; doubles up to 8 s.
  ///
  /// Default 400 ms.
  package var receiptWait: UInt64 = 400_000_000

  /// Wait after the last fragment before the lacking ones are asked for, in nanoseconds; doubles.
  ///
  /// Default 200 ms.
  package var missingWait: UInt64 = 200_000_000

  /// Own messages under way at most.
  ///
  /// Default 1,000. A further one is refused unless one of lower priority makes room.
  package var outboxLimit = 1000

  /// Messages of others that are kept for peers that are away.
  ///
  /// Default 1,000, as the original.
  package var storeLimit = 1000

  /// Bytes of these.
  ///
  /// Default 16 MiB.
  package var storeBytes = 16 << 20

  /// Of both, one origin's messages may have one part in so many.
  ///
  /// Default 4: up to three origins that send all they can leave room for others.
  package var storeShare = 4

  /// How long one is kept, in nanoseconds.
  ///
  /// Default 1 h, as the original.
  package var storeTime: UInt64 = 3_600_000_000_000

  package init() {}
}
