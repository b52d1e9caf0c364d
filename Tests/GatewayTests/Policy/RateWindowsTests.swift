import Synchronization
import Testing

@testable import Gateway

/// Nanoseconds of so many seconds.
func at(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }

func tier(_ perMinute: Int, _ perHour: Int) -> RateTier {
  RateTier(Tier(name: "t", perMinute: perMinute, perHour: perHour))
}

@Suite("Sliding rate windows")
struct SlidingWindowTests {
  let store = RateWindows(callers: 100)

  /// How many of `count` requests at one moment are allowed.
  func allowed(_ count: Int, _ window: any RateWindow, _ tier: RateTier, _ seconds: Double) -> Int {
    (0..<count).count { _ in window.take(tier, now: at(seconds)).isAllowed }
  }

  @Test func `allows the limit and not one more`() {
    let window = store.window(for: "a")
    #expect(allowed(60, window, tier(60, 1000), 5.5) == 60)
    let refused = window.take(tier(60, 1000), now: at(5.5))
    #expect(!refused.isAllowed && refused.remaining == 0 && refused.limit == 60)
    #expect(refused.window == .minute)
    #expect(refused.resetSeconds == 61)  // second 5 is wholly older than 60 s at 66
  }

  @Test func `is allowed again exactly when it was told, and not before`() {
    let window = store.window(for: "a")
    #expect(allowed(61, window, tier(60, 1000), 5.999) == 60)
    let wait = window.take(tier(60, 1000), now: at(6.25)).resetSeconds
    #expect(wait == 60)
    #expect(allowed(1, window, tier(60, 1000), 65.999) == 0)
    #expect(allowed(1, window, tier(60, 1000), 6.25 + Double(wait)) == 1)
  }

  @Test func `refused requests do not count`() {
    let window = store.window(for: "a")
    #expect(allowed(1000, window, tier(10, 0), 0) == 10)
    #expect(allowed(1000, window, tier(10, 0), 61) == 10)
  }

  @Test func `no 60 s hold more than the limit, whatever the rhythm`() {
    var random = SystemRandomNumberGenerator()
    let window = store.window(for: "a")
    var admitted: [Int64] = []
    var now: Int64 = 0
    for _ in 0..<20_000 {
      now += Int64.random(in: 0...2_000_000_000, using: &random)
      if window.take(tier(20, 0), now: now).isAllowed { admitted.append(now) }
    }
    for index in admitted.indices.dropFirst(20) {
      #expect(admitted[index] - admitted[index - 20] >= 60_000_000_000)
    }
    // The grain of a second costs at most one part in sixty of the quota.
    #expect(admitted.count > Int(now / 61_000_000_000) * 19)
  }

  @Test func `no 3600 s hold more than the limit`() {
    let window = store.window(for: "a")
    var admitted: [Double] = []
    for step in 0..<4000 {
      let time = Double(step) * 3.7
      admitted += Array(repeating: time, count: allowed(2, window, tier(0, 100), time))
    }
    for index in admitted.indices.dropFirst(100) {
      #expect(admitted[index] - admitted[index - 100] >= 3600)
    }
    #expect(admitted.count >= 400)
  }

  @Test func `the hour is told of when it is the tighter one`() {
    let window = store.window(for: "a")
    let first = window.take(tier(60, 1000), now: at(0))
    #expect(first.window == .minute && first.remaining == 59 && first.resetSeconds == 61)
    let tight = window.take(tier(60, 3), now: at(0))
    #expect(tight.window == .hour && tight.limit == 3 && tight.remaining == 1)
    #expect(tight.resetSeconds == 61 * 60)
  }

  @Test func `when both are used up, the later time is told`() {
    let window = store.window(for: "a")
    #expect(allowed(1, window, tier(2, 2), 0) == 1)
    #expect(allowed(2, window, tier(2, 2), 3650) == 1)
    // The hour has room at 3660, the minute never ran out: 10 s.
    #expect(window.take(tier(2, 2), now: at(3650)).resetSeconds == 10)
    #expect(allowed(2, window, tier(2, 2), 3660) == 1)
    let both = window.take(tier(2, 2), now: at(3660))
    #expect(!both.isAllowed && both.window == .hour && both.resetSeconds == 3600)
  }

  @Test func `a lower tier counts what the higher one allowed`() {
    let window = store.window(for: "a")
    #expect(allowed(5, window, tier(10, 0), 0.5) == 5)
    #expect(allowed(5, window, tier(10, 0), 7.5) == 5)
    let lower = window.take(tier(3, 0), now: at(8))
    #expect(!lower.isAllowed && lower.remaining == 0)
    #expect(lower.resetSeconds == 60)  // the five of second 7 must leave too
    #expect(allowed(1, window, tier(3, 0), 67.9) == 0)
    #expect(allowed(4, window, tier(3, 0), 68) == 3)
  }

  @Test func `an unlimited tier is neither counted nor described`() {
    let window = store.window(for: "a")
    #expect(window.take(tier(0, 0), now: at(0)) == .unlimited)
    #expect(window.take(tier(1, 0), now: at(0)).isAllowed)
  }

  @Test func `a clock that steps back between threads gives no quota back`() {
    let window = store.window(for: "a")
    #expect(allowed(3, window, tier(3, 0), 100) == 3)
    #expect(allowed(3, window, tier(3, 0), 10) == 0)
    #expect(allowed(3, window, tier(3, 0), 160.9) == 0)
    #expect(allowed(3, window, tier(3, 0), 161) == 3)
  }

  @Test func `a long silence empties the window`() {
    let window = store.window(for: "a")
    #expect(allowed(3, window, tier(3, 3), 0) == 3)
    #expect(allowed(3, window, tier(3, 3), 1_000_000) == 3)
  }

  @Test func `8 threads on one caller are allowed exactly the limit`() {
    final class Total: Sendable { let allowed = Atomic(0) }
    let total = Total()
    let store = store
    runThreads(8) {
      let window = store.window(for: "shared")
      var mine = 0
      for step in 0..<2_000 where window.take(tier(500, 0), now: at(Double(step) / 1000)).isAllowed
      {
        mine += 1
      }
      total.allowed.add(mine, ordering: .relaxed)
    }
    #expect(total.allowed.load(ordering: .relaxed) == 500)
  }
}

@Suite("The callers that are remembered")
struct RateWindowsTests {
  @Test func `one key has one window`() {
    let store = RateWindows(callers: 10)
    #expect(store.window(for: "a") === store.window(for: "a"))
    #expect(store.window(for: "a") !== store.window(for: "b"))
  }

  @Test(arguments: [1, 2, 63, 64, 1000, 5000])
  func `never more callers than there is room for`(_ room: Int) {
    let store = RateWindows(callers: room)
    for index in 0..<(room * 3) {
      _ = store.window(for: RateKey.subject("k\(index)")).take(tier(5, 5), now: at(Double(index)))
      #expect(store.callers <= room)
    }
    #expect(store.callers >= room / 4)
  }

  @Test func `the one idle longest goes first, one past the limit`() {
    let store = RateWindows(callers: 4)
    for (index, key) in ["a", "b", "c", "d"].enumerated() {
      _ = store.window(for: key).take(tier(1, 0), now: at(Double(index)))
    }
    _ = store.window(for: "a").take(tier(1, 0), now: at(5))
    _ = store.window(for: "e").take(tier(1, 0), now: at(6))
    #expect(store.callers == 4)
    #expect(!store.window(for: "a").take(tier(1, 0), now: at(7)).isAllowed)
    #expect(store.window(for: "b").take(tier(1, 0), now: at(8)).isAllowed, "b was forgotten")
  }

  @Test func `a flood of addresses forgets no subject`() {
    let store = RateWindows(callers: 128)
    let user = RateKey.subject("ann")
    #expect(store.window(for: user).take(tier(1, 0), now: at(0)).isAllowed)
    for index in 0..<10_000 {
      let key = RateKey.address("192.0.\(index / 256).\(index % 256)")
      _ = store.window(for: key).take(tier(1, 0), now: at(1))
    }
    #expect(store.callers <= 128)
    #expect(!store.window(for: user).take(tier(1, 0), now: at(2)).isAllowed)
  }

  @Test func `a forgotten window that is still held cannot be a second quota`() {
    let store = RateWindows(callers: 1)
    let held = store.window(for: "a")
    #expect(held.take(tier(4, 0), now: at(0)).isAllowed)
    _ = store.window(for: "b")
    let second = store.window(for: "a")
    #expect(second !== held)
    var admitted = 0
    for _ in 0..<10 {
      if held.take(tier(4, 0), now: at(1)).isAllowed { admitted += 1 }
      if second.take(tier(4, 0), now: at(1)).isAllowed { admitted += 1 }
    }
    #expect(admitted == 4)
  }

  @Test func `a forgotten window keeps its counts when it comes back first`() {
    let store = RateWindows(callers: 1)
    let held = store.window(for: "a")
    #expect(held.take(tier(1, 0), now: at(0)).isAllowed)
    _ = store.window(for: "b")
    #expect(!held.take(tier(1, 0), now: at(1)).isAllowed)
    #expect(store.window(for: "a") === held)
  }

  @Test func `threads that crowd each other out keep to the room`() {
    let store = RateWindows(callers: 1)
    runThreads(8) {
      for step in 0..<500 {
        _ = store.window(for: step % 2 == 0 ? "a" : "b").take(tier(10, 0), now: at(1))
      }
    }
    #expect(store.callers == 1)
  }
}

@Suite("Names of callers")
struct RateKeyTests {
  @Test(arguments: [
    ("192.0.2.7", "a:192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "a:2001:db8:1:2::/64"),
    ("2001:db8:1:2::9", "a:2001:db8:1:2::/64"),
    ("2001:db8::9", "a:2001:db8:0:0::/64"),
    ("::1", "a:0:0:0:0::/64"),
    ("::", "a:0:0:0:0::/64"),
    ("fe80::1%eth0", "a:fe80:0:0:0::/64"),
  ])
  func `an address is counted by its network`(_ address: String, _ key: String) {
    #expect(RateKey.address(address) == key)
  }

  @Test func `a subject cannot pose as an address`() {
    #expect(RateKey.subject("192.0.2.7") != RateKey.address("192.0.2.7"))
  }
}
