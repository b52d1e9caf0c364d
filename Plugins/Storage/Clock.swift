import Glibc

/// The machine's clocks, in nanoseconds.
package enum Clock {
  /// Time since some moment before the process; never goes back.
  package static func monotonic() -> UInt64 { UInt64(read(CLOCK_MONOTONIC)) }

  /// Time since 1970-01-01T00:00:00Z.
  package static func wall() -> Int64 { read(CLOCK_REALTIME) }

  /// Processor time of the calling thread.
  package static func thread() -> UInt64 { UInt64(read(CLOCK_THREAD_CPUTIME_ID)) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
