import CLinux

/// The clock of deadlines: never set back, shared by host and plugins.
package enum MonotonicClock {
  /// Nanoseconds since an arbitrary start.
  package static var now: Int64 { linux_monotonic() }
}
