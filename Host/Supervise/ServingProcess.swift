import CLinux
import Glibc
import Wire

/// A serving process, as its supervisor sees it.
struct ServingProcess {
  /// The child's number.
  let number: CInt
  /// The supervisor's end of the channel.
  let channel: CInt
  let marks: CInt
  /// When it was started, in nanoseconds of the monotonic clock.
  let began: Int64
  var isServing = false
  var hasStopped = false
  /// Whether its end of the channel is closed: it is about to end, and `poll` would report that again and again.
  var hasHungUp = false
  /// When it is killed, on the monotonic clock, once it is to end.
  var deadline: Int64?
  /// The version of `SupervisorState` that its program reads.
  var stateVersion = 0
  /// Why it said that it cannot start.
  var failure: String?
  /// Files of plugins that it could not load.
  var failedPlugins: [String] = []

  /// What the supervisor must keep open.
  var descriptors: [CInt] { [channel, marks] }

  /// Starts one.
  ///
  /// - Parameters:
  ///   - path: The program.
  ///   - environment: Its variables.
  ///   - listeners: Handed down.
  ///   - takesOver: Whether another process serves until this one does.
  ///   - leftOut: Why plugins are not to be loaded, by their ids.
  ///   - counts: What it tells in `/metrics`.
  /// - Returns: The process, which does not serve yet.
  /// - Throws: `SystemError`; nothing runs.
  static func start(
    _ path: String,
    environment: [String: String],
    listeners: [CInt],
    takesOver: Bool,
    leftOut: [String: String],
    counts: CrashCounts
  ) throws(SystemError) -> ServingProcess {
    let marks = Descriptor(adopting: try retrying("memfd_create") { linux_make_marks() })
    var ends: [CInt] = [0, 0]
    _ = try retrying("socketpair") { unsafe linux_message_pair(&ends) }
    let own = Descriptor(adopting: ends[0])
    let other = Descriptor(adopting: ends[1])
    let order = ServingOrder(
      parent: getpid(),
      channel: other.raw,
      marks: marks.raw,
      listeners: listeners,
      takesOver: takesOver,
      leftOut: leftOut,
      counts: counts
    )
    let kept = [other.raw, marks.raw] + listeners
    let arguments = CStrings(["gateway", ServingOrder.verb, order.text])
    let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
    let child = try retrying("execve") {
      unsafe linux_start_child(
        path,
        arguments.pointer,
        variables.pointer,
        kept,
        CInt(kept.count)
      )
    }
    linux_adopt(own.raw)
    return ServingProcess(
      number: child,
      channel: try copy(own.raw),
      marks: try copy(marks.raw),
      began: MonotonicClock.now
    )
  }

  private static func copy(_ descriptor: CInt) throws(SystemError) -> CInt {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw SystemError(call: "fcntl", code: errno) }
    return copy
  }

  /// Closes the supervisor's descriptors; the process has ended.
  func close() { for descriptor in descriptors { Glibc.close(descriptor) } }

  private static let faults = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS]

  /// The plugin's code that ended the process, `nil` when none did.
  ///
  /// - Parameter end: Its exit code, or minus the signal.
  /// - Returns: Copied out of the marks.
  func culprit(_ end: CInt) -> CrashReport.Code? {
    guard let marks = unsafe try? SharedMarks.map(marks) else { return nil }
    defer { unsafe SharedMarks.unmap(marks) }
    // Another build may have another layout.
    guard unsafe marks.pointee.layout == UInt32(LINUX_MARK_LAYOUT) else { return nil }
    var mark = unsafe marks.pointee.mark
    if unsafe marks.pointee.thread == 0 {
      // Who is killed from outside was where it was by chance. A fault without a note is that of a thread whose handler
      // the plugin took away.
      guard end >= 0 || Self.faults.contains(-end) else { return nil }
      mark = unsafe linux_only_mark(marks)
    }
    guard mark & 0xFFFF_FFFF != 0 else { return nil }
    let site = unsafe linux_site_at(marks, UInt32(truncatingIfNeeded: mark))
    guard unsafe site.pointee.is_used != 0 else { return nil }
    return CrashReport.Code(
      plugin: unsafe String(cString: linux_site_plugin(site)),
      generation: unsafe site.pointee.generation,
      step: CodeStep(rawValue: UInt32(truncatingIfNeeded: mark >> 32))?.name ?? "",
      label: unsafe String(cString: linux_site_label(site))
    )
  }
}
