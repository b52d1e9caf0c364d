import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("State that threads wait for")
struct MonitorTests {
  @Test func `gives at once what is there already`() {
    let monitor = Monitor(7)
    #expect(monitor.wait { $0 } == 7)
    #expect(monitor.wait(until: 0) { $0 } == 7)
  }

  @Test(arguments: [Int64.min, -1, 0, 1]) func `a deadline that has passed ends the wait`(
    _ deadline: Int64
  ) {
    let monitor = Monitor(0)
    let result: Int? = monitor.wait(until: deadline) { _ in nil }
    #expect(result == nil)
  }

  @Test func `does not give up before its deadline`() {
    let monitor = Monitor(0)
    let deadline = MonotonicClock.now + 20_000_000
    let result: Int? = monitor.wait(until: deadline) { _ in nil }
    #expect(result == nil)
    #expect(MonotonicClock.now >= deadline)
  }

  @Test func `looks once more when the deadline passes`() {
    let monitor = Monitor(0)
    // Nobody wakes the waiting thread: the change is found by the last look alone.
    let result: Int? = monitor.wait(until: MonotonicClock.now + 5_000_000) { looks in
      looks += 1
      return looks == 2 ? looks : nil
    }
    #expect(result == 2)
  }

  @Test func `hands a token around eight threads without losing a wake-up`() {
    let monitor = Monitor(0)
    let numbers = Atomic<Int>(0)
    let limit = MonotonicClock.now + 30_000_000_000
    runThreads(8) {
      let me = numbers.wrappingAdd(1, ordering: .relaxed).oldValue
      for round in 0..<200 {
        let turn = round * 8 + me
        let isMine: Bool? = monitor.wait(until: limit) { now in
          guard now == turn else { return nil }
          now += 1
          return true
        }
        guard isMine != nil else { return }
        monitor.wakeAll()
      }
    }
    #expect(monitor.withLock { $0 } == 1600)
  }

  @Test func `each single wake-up lets one waiter take one thing`() throws {
    let monitor = Monitor(0)
    let taken = Atomic<Int>(0)
    let limit = MonotonicClock.now + 30_000_000_000
    let takers = try (0..<4).map { _ in
      try HostThread(name: "taker") {
        for _ in 0..<500 {
          let one: Bool? = monitor.wait(until: limit) { count in
            guard count > 0 else { return nil }
            count -= 1
            return true
          }
          if one != nil { taken.wrappingAdd(1, ordering: .relaxed) }
        }
      }
    }
    for _ in 0..<2000 {
      monitor.withLock { $0 += 1 }
      monitor.wakeOne()
    }
    for taker in takers { taker.join() }
    #expect(taken.load(ordering: .relaxed) == 2000)
  }

  @Test func `gives on what its body throws and unlocks`() {
    struct Failure: Error {}
    let monitor = Monitor(1)
    #expect(throws: Failure.self) { try monitor.withLock { _ in throw Failure() } }
    #expect(monitor.withLock { $0 } == 1)
  }
}
