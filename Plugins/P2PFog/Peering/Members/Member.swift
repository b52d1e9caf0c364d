/// Another peer of the network, as this one sees it.
package struct Member: Sendable {
  package let id: PeerID
  /// The sequence of its newest record: its incarnation.
  package internal(set) var sequence: UInt64
  package internal(set) var state: MemberState
  /// When the state began, in monotonic nanoseconds.
  package internal(set) var changedAt: UInt64
  /// The way to it, by own probes.
  package internal(set) var quality = PathQuality()

  // A peer of the stored roster counts as dead until anybody has heard of it, but that is nobody's news.
  var isHeard: Bool
  var suspicion: Suspicion?
  // A member that others reach and this peer does not is probed seldom, or it would be suspected again and again.
  var skipUntil: UInt64 = 0
  var skipTime: UInt64 = 0

  /// Whether it takes part, as far as is known.
  package var isPresent: Bool { state == .alive || state == .suspect }
}
