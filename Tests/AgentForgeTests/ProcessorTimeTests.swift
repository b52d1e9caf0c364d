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
  func partsCount() throws {
    let time = ProcessorTime()
    struct Stop: Error {}
    time.measure { spend(milliseconds: 20) }
    let own = time.nanoseconds
    #expect((20_000_000..<40_000_000).contains(own))

    let parallel = Parallel(width: 2) { count, work in
      let failure = Mutex<(any Error)?>(nil)
      withoutActuallyEscaping(work) { work in
        let done = DispatchGroup()
        for index in 0..<count {
          done.enter()
          Thread.detachNewThread {
            do { try work(index) } catch { failure.withLock { $0 = error } }
            done.leave()
          }
        }
        done.wait()
      }
      if let error = failure.withLock({ $0 }) { throw error }
    }
    #expect(throws: Stop.self) {
      try parallel.counted(by: time)(3) { index in
        spend(milliseconds: 20)
        if index == 2 { throw Stop() }
      }
    }
    #expect((60_000_000..<1_000_000_000).contains(time.nanoseconds - own))
  }
}
