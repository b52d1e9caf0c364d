import Foundation
import PluginStorage
import Synchronization
import Testing

@testable import AgentForge

/// Spends processor time on the calling thread.
func spend(milliseconds: Int) {
  let end = Clock.thread() + UInt64(milliseconds) * 1_000_000
  while Clock.thread() < end {}
}

@Suite("Processor time")
struct ProcessorTimeTests {
  @Test("what a thread spends counts, what it waits does not")
  func ownTimeCounts() {
    let time = ProcessorTime()
    spend(milliseconds: 20)
    let spent = time.nanoseconds
    #expect((20_000_000..<1_000_000_000).contains(spent))
    usleep(30_000)
    #expect(time.nanoseconds - spent < 20_000_000)
  }

  @Test("parts of the work count once, on whatever thread they are done, also those that throw")
  func partsCount() {
    struct Stop: Error {}
    let time = ProcessorTime()
    time.measure { spend(milliseconds: 20) }
    let own = time.nanoseconds
    #expect((20_000_000..<40_000_000).contains(own))

    let done = DispatchGroup()
    for _ in 0..<3 {
      done.enter()
      Thread.detachNewThread {
        try? time.measure {
          spend(milliseconds: 20)
          throw Stop()
        }
        done.leave()
      }
    }
    done.wait()
    #expect((60_000_000..<1_000_000_000).contains(time.nanoseconds - own))
  }

  @Test("work that is spread is counted, and what it throws is thrown")
  func spreadWorkCounts() {
    struct Stop: Error {}
    let spread = Parallel(width: 2) { count, work in
      let failure = Mutex<(any Error)?>(nil)
      DispatchQueue.concurrentPerform(iterations: count) { index in
        do { try work(index) } catch { failure.withLock { $0 = error } }
      }
      if let error = failure.withLock({ $0 }) { throw error }
    }
    for parallel in [spread, .serial] {
      let time = ProcessorTime()
      #expect(throws: Stop.self) {
        try parallel.counted(by: time)(3) { index in
          spend(milliseconds: 20)
          if index == 2 { throw Stop() }
        }
      }
      #expect((60_000_000..<1_000_000_000).contains(time.nanoseconds))
    }
  }
}
