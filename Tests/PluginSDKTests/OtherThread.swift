import Glibc

/// A thread beside the test's own.
final class OtherThread: @unchecked Sendable {
  private var thread = pthread_t()
  private let work: @Sendable () -> Void

  init(_ work: @escaping @Sendable () -> Void) {
    self.work = work
    pthread_create(
      &thread,
      nil,
      { box in
        if let box { Unmanaged<OtherThread>.fromOpaque(box).takeRetainedValue().work() }
        return nil
      },
      Unmanaged.passRetained(self).toOpaque()
    )
  }

  func join() { pthread_join(thread, nil) }
}

/// Waits for a condition; false when it did not come in 20 s.
func eventually(_ condition: () -> Bool) -> Bool {
  var start = timespec()
  clock_gettime(CLOCK_MONOTONIC, &start)
  while !condition() {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    if now.tv_sec - start.tv_sec > 20 { return false }
    sched_yield()
  }
  return true
}
