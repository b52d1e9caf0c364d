import Synchronization
import Testing

@testable import Gateway

@Suite("Worker pool")
struct WorkerPoolTests {
  @Test func `runs what it took and refuses what does not fit`() throws {
    let pool = try WorkerPool(threads: 1, queue: 2)
    let gate = Monitor(false)
    let ran = Monitor(0)
    let started = Monitor(false)
    #expect(
      pool.submit {
        started.withLock { $0 = true }
        started.wakeAll()
        let _: Bool? = gate.wait { $0 ? true : nil }
      }
    )
    let _: Bool? = started.wait { $0 ? true : nil }
    #expect(pool.submit { ran.withLock { $0 += 1 } })
    #expect(pool.submit { ran.withLock { $0 += 1 } })
    #expect(!pool.submit { ran.withLock { $0 += 100 } })
    for _ in 0..<10 { pool.submitOwed { ran.withLock { $0 += 10 } } }
    #expect(pool.waiting == 12)
    gate.withLock { $0 = true }
    gate.wakeAll()
    pool.shutDown()
    #expect(ran.withLock { $0 } == 102)
    #expect(!pool.submit {})
  }

  @Test func `loses nothing between many threads`() throws {
    let pool = try WorkerPool(threads: 4, queue: 16)
    let done = Monitor(0)
    let accepted = Atomic<Int>(0)
    runThreads(4) {
      for _ in 0..<2_000 {
        let taken = pool.submit { done.withLock { $0 += 1 } }
        if taken { accepted.wrappingAdd(1, ordering: .relaxed) }
      }
    }
    pool.shutDown()
    #expect(done.withLock { $0 } == accepted.load(ordering: .relaxed))
    #expect(accepted.load(ordering: .relaxed) > 0)
  }
}

@Suite("Timer and divided loops")
struct TimerThreadTests {
  @Test func `calls in order of time and not what was cancelled`() throws {
    let timers = try TimerThread()
    let calls = Monitor<[Int]>([])
    let now = MonotonicClock.now
    for (delay, number) in [(30, 3), (10, 1), (20, 2)] {
      timers.schedule(at: now + Int64(delay) * 1_000_000) {
        calls.withLock { $0.append(number) }
        calls.wakeAll()
      }
    }
    let ticket = timers.schedule(at: now + 15_000_000) { calls.withLock { $0.append(9) } }
    #expect(timers.cancel(ticket))
    #expect(!timers.cancel(ticket))
    let all = calls.wait(until: now + 10_000_000_000) { $0.count == 3 ? $0 : nil }
    #expect(all == [1, 2, 3])
    timers.shutDown()
  }

  @Test(arguments: [0, 1, 2, 1000]) func `a divided loop calls each index once`(_ count: Int) {
    let pool = ComputePool(cores: 4)
    let calls = Mutex([Int](repeating: 0, count: count))
    pool.run(count: count, width: 0) { index in calls.withLock { $0[index] += 1 } }
    #expect(calls.withLock { $0.allSatisfy { $0 == 1 } })
    pool.shutDown()
  }

  @Test func `what was cancelled does not gather until its time`() throws {
    let timers = try TimerThread()
    for _ in 0..<10_000 {
      let ticket = timers.schedule(at: .max) {}
      #expect(timers.cancel(ticket))
      #expect(!timers.cancel(ticket))
    }
    #expect(timers.held <= 65)
    timers.shutDown()
  }

  @Test func `what is wanted comes, also while much is cancelled`() throws {
    let timers = try TimerThread()
    let fired = Monitor<[Int]>([])
    var unwanted: [TimerThread.Ticket] = []
    for number in 0..<1000 {
      unwanted.append(timers.schedule(at: .max - Int64(number)) {})
      if number % 100 == 0 {
        timers.schedule(at: Int64(1000 - number)) {
          fired.withLock { $0.append(number) }
          fired.wakeAll()
        }
      }
    }
    for ticket in unwanted { timers.cancel(ticket) }
    let limit = MonotonicClock.now + 10_000_000_000
    let all = fired.wait(until: limit) { $0.count == 10 ? $0.sorted() : nil }
    #expect(all == Array(stride(from: 0, to: 1000, by: 100)))
    timers.shutDown()
  }
}
