/// A bounded set of threads for calls that may block, fed from a bounded queue.
package final class WorkerPool: Sendable {
  package typealias Work = @Sendable () -> Void

  private struct State {
    /// A ring: `count` entries from `head` on.
    var ring: [Work?]
    var head = 0
    var count = 0
    var idle = 0
    var isStopping = false
    /// Threads that have left their loop.
    var ended = 0

    mutating func grow() {
      ring = Array(ring[head...]) + Array(ring[..<head]) + Array(repeating: nil, count: ring.count)
      head = 0
    }

    mutating func append(_ work: @escaping Work) {
      if count == ring.count {
        ring = Array(ring[head...] + ring[..<head]) + Array(repeating: nil, count: count)
        head = 0
      }
      let end = head + count
      ring[end < ring.count ? end : end - ring.count] = work
      count += 1
    }

    mutating func takeFirst() -> Work? {
      guard count > 0 else { return nil }
      let work = ring[head].take()
      head = head + 1 == ring.count ? 0 : head + 1
      count -= 1
      return work
    }
  }

  private enum Next {
    case run(Work)
    case stop
  }

  private let limit: Int
  private let state: Monitor<State>
  private let threads: Monitor<[HostThread]>

  /// Starts the threads.
  ///
  /// - Parameters:
  ///   - threads: How many calls run at once, at least 1.
  ///   - queue: How many more may wait, at least 1.
  ///   - name: Of the threads, a number is added.
  /// - Throws: `SystemError` when not even one thread could be started.
  package init(threads: Int, queue: Int, name: String = "worker") throws(SystemError) {
    limit = max(queue, 1)
    state = Monitor(State(ring: Array(repeating: nil, count: max(queue, 1))))
    self.threads = Monitor([])
    var failure: SystemError?
    for number in 1...max(threads, 1) {
      do throws(SystemError) {
        let state = state
        let thread = try HostThread(name: "\(name) \(number)") { Self.serve(state) }
        self.threads.withLock { $0.append(thread) }
      } catch {
        failure = error
        break
      }
    }
    if let failure, self.threads.withLock({ $0.isEmpty }) { throw failure }
  }

  /// Runs `work` on a thread of the pool, after the work that waits already.
  ///
  /// - Parameter work: Is dropped without having run when the answer is `false`.
  /// - Returns: Whether there was room.
  package func submit(_ work: @escaping Work) -> Bool {
    var wakes = false
    let taken = state.withLock { state in
      guard !state.isStopping, state.count < limit else { return false }
      state.append(work)
      // A busy thread looks at the queue before it sleeps, so only a sleeping one needs the wake-up.
      wakes = state.idle > 0
      return true
    }
    if wakes { state.wakeOne() }
    return taken
  }

  /// Runs `work` also when the queue is full: for what was promised and cannot be refused any more.
  ///
  /// The caller bounds how much of it there can be. After `shutDown` it runs at once, on this thread.
  ///
  /// - Parameter work: Runs in any case.
  package func submitOwed(_ work: @escaping Work) {
    var wakes = false
    let taken = state.withLock { state in
      guard !state.isStopping else { return false }
      state.append(work)
      wakes = state.idle > 0
      return true
    }
    if wakes { state.wakeOne() }
    if !taken { work() }
  }

  /// Calls that wait for a thread.
  package var waiting: Int { state.withLock { $0.count } }

  /// Takes nothing new, runs what waits, and returns when all threads have ended or `limit` has passed.
  ///
  /// Not to be called from a thread of the pool.
  ///
  /// - Parameter limit: A thread that is inside a call for longer is left to itself.
  /// - Returns: Whether all threads have ended.
  @discardableResult
  package func shutDown(limit: Duration = .seconds(5)) -> Bool {
    state.withLock { $0.isStopping = true }
    state.wakeAll()
    let ending = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    let deadline = MonotonicClock.now + limit.nanoseconds
    let ended: Bool? = state.wait(until: deadline) { $0.ended >= ending.count ? true : nil }
    for thread in ending { if ended == true { thread.join() } else { thread.detach() } }
    return ended == true
  }

  private static func serve(_ state: Monitor<State>) {
    while true {
      var hasSlept = false
      let next: Next? = state.wait { state in
        if let work = state.takeFirst() {
          if hasSlept { state.idle -= 1 }
          return .run(work)
        }
        if state.isStopping { return .stop }
        if !hasSlept { state.idle += 1 }
        hasSlept = true
        return nil
      }
      guard case .run(let work)? = next else {
        state.withLock { $0.ended += 1 }
        state.wakeAll()
        return
      }
      work()
    }
  }
}
