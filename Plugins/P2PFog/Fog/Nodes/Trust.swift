import Glibc

/// What a node's record is worth: beta reputation (Jøsang and Ismail, 2002).
///
/// Successes and failures are counted on top of a prior of Beta(1, 1), and forgotten with time: both decay toward the prior
/// by 0.001 a day (aivillage-api 10.6). A slow start counts as part of a failure, a lost lease as a whole one.
package struct Trust: Sendable, Equatable {
  /// Share that is forgotten in a day.
  package static let decayPerDay = 0.001
  private static let day = 86_400_000.0

  /// Above the prior.
  package var successes = 0.0
  package var failures = 0.0
  /// Milliseconds since 1970 to which both numbers have decayed.
  package var at: Int64
  /// Milliseconds from lease to running: a moving average with weight 0.2 of the newest; `nil` before the first.
  package var latencyMilliseconds: Double?

  /// The prior, at a time.
  package init(at: Int64) { self.at = at }

  /// The expected share of leases that end well, 0 to 1; 0.5 without a record.
  ///
  /// - Parameter now: Milliseconds since 1970.
  /// - Returns: The mean of the distribution.
  package func score(_ now: Int64) -> Double {
    let kept = Self.kept(from: at, to: now)
    return (1 + successes * kept) / (2 + (successes + failures) * kept)
  }

  /// A lease ended well.
  ///
  /// - Parameters:
  ///   - startMilliseconds: From lease to running.
  ///   - promised: What the tier promises; a start that took longer counts a quarter as a failure.
  ///   - now: Milliseconds since 1970.
  package mutating func succeed(startMilliseconds: Int, promised: Int, _ now: Int64) {
    decay(now)
    successes += 1
    if startMilliseconds > promised { failures += 0.25 }
    let newest = Double(startMilliseconds)
    latencyMilliseconds = latencyMilliseconds.map { $0 * 0.8 + newest * 0.2 } ?? newest
  }

  /// A lease was lost, or the node itself failed.
  package mutating func fail(_ now: Int64) {
    decay(now)
    failures += 1
  }

  private mutating func decay(_ now: Int64) {
    let kept = Self.kept(from: at, to: now)
    successes *= kept
    failures *= kept
    at = max(at, now)
  }

  private static func kept(from: Int64, to: Int64) -> Double {
    exp(-decayPerDay * Double(max(0, to - from)) / day)
  }
}
