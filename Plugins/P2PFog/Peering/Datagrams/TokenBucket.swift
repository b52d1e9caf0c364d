/// A rate limit that lets short bursts pass.
package struct TokenBucket: Sendable {
  private let rate: Double
  private let burst: Double
  private var level: Double
  private var filledAt: UInt64 = 0

  /// A full bucket.
  ///
  /// - Parameters:
  ///   - rate: Tokens that flow in per second.
  ///   - burst: Tokens that it holds.
  package init(rate: Double, burst: Double) {
    self.rate = rate
    self.burst = burst
    level = burst
  }

  /// Takes `count` tokens when so many are there.
  ///
  /// - Parameters:
  ///   - count: Tokens.
  ///   - now: Monotonic nanoseconds.
  /// - Returns: Whether they were there; nothing is taken otherwise.
  package mutating func take(_ count: Double = 1, now: UInt64) -> Bool {
    guard holds(count, now: now) else { return false }
    level -= count
    return true
  }

  /// Whether `count` tokens are there.
  package mutating func holds(_ count: Double, now: UInt64) -> Bool {
    if now > filledAt {
      level = min(burst, level + Double(now - filledAt) / 1e9 * rate)
      filledAt = now
    }
    return level >= count
  }
}
