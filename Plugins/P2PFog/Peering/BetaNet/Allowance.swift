/// A token bucket: so many at once, and so many per second after that.
struct Allowance: Sendable {
  private let burst: Double
  private let perSecond: Double
  private var tokens: Double
  private var at: UInt64

  init(burst: Int, perSecond: Int, now: UInt64) {
    self.burst = Double(burst)
    self.perSecond = Double(perSecond)
    tokens = Double(burst)
    at = now
  }

  /// Whether there was one left.
  mutating func take(now: UInt64) -> Bool {
    refill(now)
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }

  /// Whether it is as good as new.
  mutating func isFull(now: UInt64) -> Bool {
    refill(now)
    return tokens >= burst
  }

  private mutating func refill(_ now: UInt64) {
    guard now > at else { return }
    tokens = min(burst, tokens + Double(now - at) / 1e9 * perSecond)
    at = now
  }
}
