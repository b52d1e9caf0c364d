import Synchronization

/// Threads for loops that are divided over the cores; the calling thread takes part.
package final class ComputePool: Sendable {
  // Sendable: the loop's function is called from several threads, which its caller has allowed.
  private final class Loop: Sendable {
    let count: Int
    let work: @Sendable (Int) -> Void
    let next = Atomic<Int>(0)
    let finished: Monitor<Int>

    init(count: Int, work: @escaping @Sendable (Int) -> Void) {
      self.count = count
      self.work = work
      finished = Monitor(0)
    }

    /// Takes indexes until none is left.
    func run() {
      var done = 0
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { break }
        work(index)
        done += 1
      }
      guard done > 0 else { return }
      let all = finished.withLock { finished in
        finished += done
        return finished == count
      }
      if all { finished.wakeAll() }
    }

    func waitForAll() {
      let _: Bool? = finished.wait { $0 == count ? true : nil }
    }
  }

  private let pool: WorkerPool?
  private let helpers: Int

  /// Starts the threads.
  ///
  /// - Parameter cores: How many threads work on one loop, the caller among them.
  package init(cores: Int) {
    helpers = max(cores - 1, 0)
    // Without threads the caller does all the work: slower, never wrong.
    pool =
      helpers == 0 ? nil : try? WorkerPool(threads: helpers, queue: 16 * cores, name: "compute")
  }

  /// Calls `work` with 0 to `count - 1`, on several threads, and returns when all calls have.
  ///
  /// A thread of the pool may call this: the caller alone can finish every loop.
  ///
  /// - Parameters:
  ///   - count: How many calls.
  ///   - width: Threads at most; 0: one for each core.
  ///   - work: Called on several threads at once.
  package func run(count: Int, width: Int, _ work: @escaping @Sendable (Int) -> Void) {
    guard count > 0 else { return }
    let threads = min(width == 0 ? helpers + 1 : width, helpers + 1, count)
    let loop = Loop(count: count, work: work)
    for _ in 0..<(threads - 1) {
      guard pool?.submit({ loop.run() }) == true else { break }
    }
    loop.run()
    loop.waitForAll()
  }

  package func shutDown() { pool?.shutDown(limit: .seconds(1)) }
}
