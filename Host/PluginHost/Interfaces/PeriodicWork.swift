import Synchronization

/// Something of a plugin that is done again and again on a worker, never twice at once.
final class PeriodicWork: Sendable {
  /// Does the work once and calls `done` when the next round may come, at once or later, on any thread.
  typealias Work = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void

  private struct State {
    var isActive = false
    var isBusy = false
    var ticket: TimerThread.Ticket?
  }

  let interval: Duration
  private let period: Int64
  private let timers: TimerThread
  private let pool: WorkerPool
  private let work: Work
  private let state = Mutex(State())

  init(period: Duration, timers: TimerThread, pool: WorkerPool, _ work: @escaping Work) {
    interval = period
    self.period = max(period.nanoseconds, 1_000_000)
    self.timers = timers
    self.pool = pool
    self.work = work
  }

  /// Begins; the first round comes after `delay`.
  func start(delay: Duration) {
    state.withLock { $0.isActive = true }
    schedule(at: MonotonicClock.now + delay.nanoseconds)
  }

  /// Begins no further round; one that runs goes on.
  func stop() {
    let ticket = state.withLock { state in
      state.isActive = false
      return state.ticket.take()
    }
    if let ticket { timers.cancel(ticket) }
  }

  /// Whether a round runs, or waits for a thread.
  var isBusy: Bool { state.withLock { $0.isBusy } }

  private func schedule(at due: Int64) {
    state.withLock { state in
      guard state.isActive else { return }
      state.ticket = timers.schedule(at: due) { self.fire(due: due) }
    }
  }

  private func fire(due: Int64) {
    let now = MonotonicClock.now
    // Rounds that were missed (a stopped process, a slow round) are left out, not made up for.
    schedule(at: max(due + period, now))
    let begins = state.withLock { state in
      guard state.isActive, !state.isBusy else { return false }
      state.isBusy = true
      return true
    }
    guard begins else { return }
    let taken = pool.submit { self.work { self.state.withLock { $0.isBusy = false } } }
    if !taken { state.withLock { $0.isBusy = false } }
  }
}
