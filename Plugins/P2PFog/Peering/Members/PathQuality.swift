/// How the way to a member is, measured by the probes that this peer sent it itself.
package struct PathQuality: Sendable, Equatable {
  /// Smoothed round trip in nanoseconds; `nil` before the first answer (RFC 6298 section 2).
  package private(set) var roundTrip: UInt64?
  /// Mean deviation of the round trip in nanoseconds.
  package private(set) var deviation: UInt64 = 0
  /// Share of the last probes that went without an answer, 0 to 1; each new one counts for a sixteenth.
  package private(set) var loss = 0.0
  /// Probes sent.
  package private(set) var sent: UInt64 = 0
  /// Probes without an answer in time.
  package private(set) var lost: UInt64 = 0

  package init() {}

  mutating func answered(after elapsed: UInt64) {
    if let held = roundTrip {
      let distance = elapsed > held ? elapsed - held : held - elapsed
      deviation = (3 * deviation + distance) / 4
      roundTrip = (7 * held + elapsed) / 8
    } else {
      roundTrip = elapsed
      deviation = elapsed / 2
    }
    count(isLost: false)
  }

  mutating func unanswered() { count(isLost: true) }

  private mutating func count(isLost: Bool) {
    sent += 1
    lost += isLost ? 1 : 0
    // The first probes count evenly, or the loss would begin far from what they say.
    let weight = max(1.0 / 16, 1 / Double(sent))
    loss += ((isLost ? 1 : 0) - loss) * weight
  }
}
