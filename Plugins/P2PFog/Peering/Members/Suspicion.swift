import Glibc

/// The time that a suspected member has, which shrinks as others confirm (Lifeguard, Dadgar, Phillips and Currey 2018, section IV-B).
struct Suspicion: Sendable {
  private let startedAt: UInt64
  private let shortest: Double
  private let longest: Double
  private let wanted: Int
  private var accusers: Set<PeerID>

  /// A suspicion that one member has.
  ///
  /// - Parameters:
  ///   - accuser: Who began it; its own word does not confirm it.
  ///   - members: How many there are.
  ///   - settings: For the interval and the multiplier.
  ///   - now: Monotonic nanoseconds.
  init(by accuser: PeerID, members: Int, settings: MemberSettings, now: UInt64) {
    startedAt = now
    let scale = max(1, log10(Double(max(1, members))))
    shortest = Double(settings.suspicionMultiplier) * scale * Double(settings.probeInterval)
    longest = 6 * shortest
    let possible = settings.suspicionMultiplier - 2
    wanted = members - 2 < possible ? 0 : max(0, possible)
    accusers = [accuser]
  }

  /// When it becomes certainty, in monotonic nanoseconds.
  var deadline: UInt64 {
    guard wanted > 0 else { return startedAt + UInt64(shortest) }
    let share = log(Double(accusers.count)) / log(Double(wanted + 1))
    return startedAt + UInt64(max(shortest, longest - (longest - shortest) * share))
  }

  /// Takes another member's word.
  ///
  /// - Returns: Whether it is news and worth to be passed on.
  mutating func confirm(by accuser: PeerID) -> Bool {
    guard accusers.count <= wanted else { return false }
    return accusers.insert(accuser).inserted
  }
}
