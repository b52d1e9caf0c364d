import CLinux
import Glibc

/// State behind a lock, whose changes threads can wait for.
// Sendable: `state` is only touched between lock and unlock of the one mutex.
@safe
package final class Monitor<State>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state: State

  package init(_ state: sending State) {
    self.state = state
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    // Deadlines are of the monotonic clock: a step of the wall clock must not end or stretch a wait.
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  package func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Lets one waiting thread look again.
  package func wakeOne() { unsafe pthread_cond_signal(condition) }

  /// Lets all waiting threads look again.
  package func wakeAll() { unsafe pthread_cond_broadcast(condition) }

  /// Calls `body` until it gives a value, each time after a wake-up.
  ///
  /// - Parameters:
  ///   - deadline: Nanoseconds of the monotonic clock; `nil` waits for ever.
  ///   - body: Looks at the state under the lock; `nil` goes on waiting.
  /// - Returns: What `body` gave; `nil` when the deadline passed first.
  package func wait<Result>(
    until deadline: Int64? = nil,
    _ body: (inout State) -> Result?
  ) -> Result? {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&state) { return result }
      guard let deadline else {
        unsafe pthread_cond_wait(condition, mutex)
        continue
      }
      var time = timespec(
        tv_sec: Int(max(deadline, 0) / 1_000_000_000),
        tv_nsec: Int(max(deadline, 0) % 1_000_000_000)
      )
      if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT {
        return body(&state)
      }
    }
  }
}
