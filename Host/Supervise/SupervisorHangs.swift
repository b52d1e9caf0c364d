import CLinux
import Glibc

/// The end of a serving process of which an event loop hangs, and with it all connections of that loop.
extension Supervisor {
  /// How long a process may take to die of SIGABRT, in nanoseconds: a plugin may have blocked it, or it writes a core file.
  private static let abortPatience: Int64 = 5_000_000_000

  /// When the loops are looked at again, on the monotonic clock; `nil` while they are not.
  var nextLook: Int64? {
    let limit = settings.limits.hangTime.nanoseconds
    guard limit > 0, let current, current.isServing, current.deadline == nil else { return nil }
    return current.loops.next(limit: limit)
  }

  /// Looks at the loops when it is time, and ends the process if one hangs.
  func endHung() {
    let now = MonotonicClock.now
    guard let due = nextLook, due <= now, var process = current else { return }
    let (number, limit) = (process.number, settings.limits.hangTime)
    let hung = process.loops.look(process.turns(), now: now, limit: limit.nanoseconds) {
      linux_is_stopped(number, $0) != 0
    }
    if let hung {
      let code = process.code(of: hung.mark)
      process.hang = ServingProcess.Hang(code: code)
      process.end(by: now + Self.abortPatience)
      log.write(
        .error,
        "an event loop hangs, and its process is ended",
        [
          ("pid", "\(number)"), ("thread", "\(hung.thread)"),
          ("seconds", SettingsValue.secondsText(limit)),
        ] + (code?.fields ?? [])
      )
      // That thread, and not the process: a core file and a handler are to show where it hangs.
      _ = linux_abort_thread(number, hung.thread)
    }
    current = process
  }
}
