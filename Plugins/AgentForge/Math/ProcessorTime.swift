import Glibc
import PluginStorage
import Synchronization

/// Processor time that one thread and those that work for it have spent since it was made.
package final class ProcessorTime: Sendable {
  private let thread = pthread_self()
  private let start = Clock.thread()
  /// Nanoseconds of the other threads.
  private let others = Atomic<UInt64>(0)

  /// Counts the calling thread's time from now on.
  package init() {}

  /// Nanoseconds so far, with parts of the work that have ended; asked on the thread that made this.
  package var nanoseconds: UInt64 {
    precondition(isOwn, "the time of one thread is asked of another")
    return Clock.thread() - start + others.load(ordering: .relaxed)
  }

  /// Runs a part of the thread's work, on any thread.
  ///
  /// - Parameter work: The part; on another thread than the one that made this, it calls `measure` no further time.
  /// - Throws: What `work` throws.
  package func measure(_ work: () throws -> Void) rethrows {
    guard !isOwn else { return try work() }
    let begun = Clock.thread()
    defer { others.wrappingAdd(Clock.thread() - begun, ordering: .relaxed) }
    try work()
  }

  private var isOwn: Bool { pthread_equal(thread, pthread_self()) != 0 }
}

extension Parallel {
  /// The same, whose threads' time counts for `time`.
  package func counted(by time: ProcessorTime) -> Parallel {
    Parallel(width: width) { [self] count, work in
      try self(count) { index in try time.measure { try work(index) } }
    }
  }
}
