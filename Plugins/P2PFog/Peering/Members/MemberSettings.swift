/// Rates, times and bounds of membership; the names and defaults follow memberlist's for a local network.
package struct MemberSettings: Sendable {
  /// Time between two probes, in nanoseconds.
  ///
  /// Default 1 s.
  package var probeInterval: UInt64 = 1_000_000_000

  /// How long a probed member may take before others are asked, in nanoseconds.
  ///
  /// Default 500 ms.
  package var probeTimeout: UInt64 = 500_000_000

  /// Members that are asked to probe one that did not answer.
  ///
  /// Default 3.
  package var indirectProbes = 3

  /// The shortest suspicion lasts so many probe intervals, times the decimal logarithm of the members.
  ///
  /// Default 4; the longest, which no other member has confirmed, is six times that.
  package var suspicionMultiplier = 4

  /// Every update is passed on so many times, times the decimal logarithm of the members.
  ///
  /// Default 4.
  package var retransmitMultiplier = 4

  /// Time between two rounds of gossip while there is something to tell, in nanoseconds.
  ///
  /// Default 200 ms.
  package var gossipInterval: UInt64 = 200_000_000

  /// Members told in one round.
  ///
  /// Default 3.
  package var gossipPeers = 3

  /// Time between two comparisons of the whole state with a member, in nanoseconds.
  ///
  /// Default 30 s.
  package var syncInterval: UInt64 = 30_000_000_000

  /// A comparison follows so long after a state has changed, in nanoseconds, up to twice that.
  ///
  /// Default 1 s. Gossip misses one in some hundred; this finds what it missed while it still matters.
  package var syncAfterNews: UInt64 = 1_000_000_000

  /// Time between two tries to reach a dead member, one at a time, in nanoseconds.
  ///
  /// Default 1 s. Two halves of a network find each other again within about this time divided by the number of
  /// peers that try; then all dead ones are tried at once.
  package var retryInterval: UInt64 = 1_000_000_000

  /// The same when nobody has died for ten minutes, in nanoseconds.
  ///
  /// Default 4 s: a try is one datagram of 512 bytes, and there may be peers that never come back.
  package var slowRetryInterval: UInt64 = 4_000_000_000

  /// With more members than this only the chosen neighbours are probed (and each is probed by its own).
  ///
  /// Default 32. So the sessions of a peer stay bounded as the network grows.
  package var probeAllLimit = 32

  package init() {}
}
