import Synchronization

/// The requests of one caller in the last minute and the last hour.
///
/// A window counts only while its store remembers it. Whether it does changes under the lock of
/// the store's shard and the window's own, together with the shard's table, and is read under the
/// window's own. So of all windows ever made for one key, at most one counts at any moment, and
/// forgetting a caller whose window is still held elsewhere cannot give it a second quota.
final class SlidingWindow: RateWindow {
  let key: String
  private unowned let store: RateWindows
  private let state = Mutex(State())

  private struct State: ~Copyable {
    var isForgotten = false
    var minute = RateBuckets()
    var hour = RateBuckets()
    var lastTaken = Int64.min
  }

  init(key: String, store: RateWindows) {
    self.key = key
    self.store = store
  }

  func take(_ tier: RateTier, now: Int64) -> RateDecision {
    if tier.isUnlimited { return .unlimited }
    var window = self
    while true {
      if let decision = window.count(tier, now) { return decision }
      window = store.readmit(window)
    }
  }

  /// Nanoseconds at which it was last asked; the least number when it never was.
  var lastTaken: Int64 { state.withLock { $0.lastTaken } }

  /// Called by the store with the lock of the key's shard held.
  func setForgotten(_ isForgotten: Bool) { state.withLock { $0.isForgotten = isForgotten } }

  /// Counts one request; `nil` when the store has forgotten this window.
  private func count(_ tier: RateTier, _ time: Int64) -> RateDecision? {
    state.withLock { state in
      if state.isForgotten { return nil }
      // Threads read the clock before they get the lock, so time may seem to step back here. The
      // later time is the strict one: what it counts leaves later.
      let now = max(time, state.lastTaken)
      state.lastTaken = now
      let second = now / 1_000_000_000
      state.minute.advance(to: second)
      state.hour.advance(to: second / 60)
      let minuteLimit = tier.perMinute == 0 ? Int.max : tier.perMinute
      let hourLimit = tier.perHour == 0 ? Int.max : tier.perHour
      let isAllowed = state.minute.total < minuteLimit && state.hour.total < hourLimit
      if isAllowed {
        state.minute.add()
        state.hour.add()
      }
      let minuteLeft = max(0, minuteLimit - state.minute.total)
      let hourLeft = max(0, hourLimit - state.hour.total)
      let minuteReset = state.minute.room(below: minuteLimit) * 1_000_000_000
      let hourReset = state.hour.room(below: hourLimit) * 60_000_000_000
      // At equal rest, as when both are used up, the window with room later is the tighter one.
      let isHour = hourLeft < minuteLeft || hourLeft == minuteLeft && hourReset > minuteReset
      let reset = isHour ? hourReset : minuteReset
      return RateDecision(
        isAllowed: isAllowed,
        window: isHour ? .hour : .minute,
        limit: isHour ? tier.perHour : tier.perMinute,
        remaining: isHour ? hourLeft : minuteLeft,
        resetSeconds: Int((reset - now + 999_999_999) / 1_000_000_000)
      )
    }
  }
}

/// Counts of one sliding window: 61 buckets, each a sixtieth of its length.
///
/// A bucket leaves when all of it is older than the window. Sixty would not do: the oldest would
/// leave while its last requests are younger than that, and a caller who bursts at the end of one
/// bucket could go over the limit within one window's length.
struct RateBuckets: ~Copyable {
  static let count: Int64 = 61

  /// By bucket number modulo 64: of 64 slots, those outside the window hold 0.
  private var counts = InlineArray<64, UInt32>(repeating: 0)
  private var newest: Int64 = 0
  /// The oldest bucket with a request in it; `newest` when there is none.
  private var oldest: Int64 = 0
  private(set) var total = 0

  private static func slot(_ bucket: Int64) -> Int { Int(truncatingIfNeeded: bucket & 63) }

  /// Lets the buckets leave that are too old when `bucket` is the newest.
  mutating func advance(to bucket: Int64) {
    guard bucket > newest else { return }
    newest = bucket
    let first = bucket - Self.count + 1
    while total > 0, oldest < first || counts[Self.slot(oldest)] == 0 {
      total -= Int(counts[Self.slot(oldest)])
      counts[Self.slot(oldest)] = 0
      oldest += 1
    }
    if total == 0 { oldest = bucket }
  }

  /// Counts one request in the newest bucket.
  mutating func add() {
    counts[Self.slot(newest)] += 1
    total += 1
  }

  /// The bucket number at whose start there is room for one more request than now.
  ///
  /// With fewer requests than `limit` that is when the oldest leaves; else, when enough have left
  /// for a request to be allowed (a caller's limit shrinks when it comes with a lower tier).
  ///
  /// Mutating although it changes nothing: a borrow copies all buckets (measured, Swift 6.3).
  mutating func room(below limit: Int) -> Int64 {
    var bucket = oldest
    var left = total - Int(counts[Self.slot(bucket)])
    while left >= limit, bucket < newest {
      bucket += 1
      left -= Int(counts[Self.slot(bucket)])
    }
    return bucket + Self.count
  }
}
