import CLinux
import Glibc
import Wire

/// A serving process, as its supervisor sees it.
struct ServingProcess {
  /// What an event loop hung in.
  struct Hang {
    /// `nil` when it was none of a plugin's.
    var code: CrashReport.Code?
  }

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
  var loops = LoopWatch()
  /// Why it is ended, when a loop of it hangs.
  var hang: Hang?
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

  /// Has it killed at `time` of the monotonic clock, unless that is to be sooner.
  mutating func end(by time: Int64) { deadline = min(deadline ?? .max, time) }

  // MARK: - Marks

  private static let faults = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS]

  /// Whether the process has ended because a loop hung.
  ///
  /// - Parameter end: Its exit code, or minus the signal.
  /// - Returns: `false` too of one that hung, and ended otherwise before it was killed.
  func isHang(_ end: CInt) -> Bool { hang != nil && (end == -SIGABRT || end == -SIGKILL) }

  /// How the process has ended.
  ///
  /// - Parameter end: As above.
  /// - Returns: `SIGSEGV`, `exit status 3`, `hang`.
  func endWords(_ end: CInt) -> String { isHang(end) ? "hang" : ChildProcess.endWords(end) }

  /// The plugin's code that ended the process, `nil` when none did.
  ///
  /// - Parameter end: As above.
  /// - Returns: Copied out of the marks.
  func culprit(_ end: CInt) -> CrashReport.Code? {
    if let hang, isHang(end) { return hang.code }
    return unsafe withMarks { marks in
      guard unsafe marks.pointee.thread == 0 else {
        return unsafe Self.code(of: marks.pointee.mark, marks)
      }
      // Who is killed from outside was where it was by chance. A fault without a note is that of a thread whose handler
      // the plugin took away.
      guard end >= 0 || Self.faults.contains(-end) else { return nil }
      return unsafe Self.code(of: linux_only_mark(marks), marks)
    }
  }

  /// The turns that its event loops are in.
  func turns() -> [LoopWatch.Turn] {
    let turns = unsafe withMarks { marks in
      (0..<CInt(LINUX_MARK_THREADS)).compactMap { at -> LoopWatch.Turn? in
        let slot = unsafe linux_thread_at(marks, at)
        guard slot.turn != 0 else { return nil }
        return LoopWatch.Turn(thread: slot.thread, began: slot.turn, mark: slot.mark)
      }
    }
    return turns ?? []
  }

  /// The plugin's code that `mark` stands for, `nil` for none.
  func code(of mark: UInt64) -> CrashReport.Code? {
    unsafe withMarks { unsafe Self.code(of: mark, $0) }
  }

  private static func code(
    of mark: UInt64,
    _ marks: UnsafeMutablePointer<linux_marks>
  ) -> CrashReport.Code? {
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

  /// Reads the marks; `nil` when they cannot be read.
  private func withMarks<Value>(
    _ body: (UnsafeMutablePointer<linux_marks>) -> Value?
  ) -> Value? {
    guard let marks = unsafe try? SharedMarks.map(marks) else { return nil }
    defer { unsafe SharedMarks.unmap(marks) }
    // Another build may have another layout.
    guard unsafe marks.pointee.layout == UInt32(LINUX_MARK_LAYOUT) else { return nil }
    return unsafe body(marks)
  }
}
