import CLinux
import Glibc

/// A run of the gateway's own binary as a child that reports through a pipe, and may crash or hang.
enum ChildProcess {
  /// How a child ended.
  enum End: Sendable, Equatable {
    case exited(CInt)
    case crashed(signal: CInt)
    /// It had not ended in its time, and was killed.
    case hung
  }

  /// The child's descriptor for its report: a plugin may write to the standard ones.
  static let reportDescriptor: CInt = 3
  /// Bytes of a report.
  private static let maxReportBytes = 4 * 1024 * 1024

  /// Runs a program to its end; everything that it started ends with it.
  ///
  /// - Parameters:
  ///   - program: Path of the binary.
  ///   - arguments: All of them, the program's name first.
  ///   - limit: Then the child counts as hanging.
  /// - Returns: What it wrote to `reportDescriptor`, and how it ended.
  /// - Throws: `SystemError` when it could not be started.
  static func run(
    _ program: String,
    _ arguments: [String],
    limit: Duration
  ) throws(SystemError) -> (report: [UInt8], end: End) {
    var ends: [CInt] = [0, 0]
    let piped = unsafe linux_pipe(&ends)
    guard piped == 0 else { throw SystemError(call: "pipe", code: -piped) }
    let input = Descriptor(adopting: ends[0])
    let child: CInt
    do {
      let output = Descriptor(adopting: ends[1])
      child = try spawn(program, arguments, report: output.raw)
    }
    let deadline = MonotonicClock.now + limit.nanoseconds
    let report = read(input.raw, until: deadline)
    let status = wait(for: child, until: deadline)
    // Also when it has ended: what it started may still run. Its number is not given to another before it is reaped.
    kill(-child, SIGKILL)
    kill(child, SIGKILL)
    _ = status ?? wait(for: child, until: MonotonicClock.now + 1_000_000_000)
    _ = linux_child_end(child)
    guard let status else { return (report, .hung) }
    return (report, status < 0 ? .crashed(signal: -status) : .exited(status))
  }

  /// How a process ended, in words.
  ///
  /// - Parameter end: Its exit status, or minus the number of the signal.
  /// - Returns: `SIGSEGV`, or `exit status 3`.
  static func endWords(_ end: CInt) -> String {
    end < 0 ? signalName(-end) : "exit status \(end)"
  }

  /// The name of a signal, as `kill -l` and crash reports write it.
  static func signalName(_ number: CInt) -> String {
    let names: [CInt: String] = [
      SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE",
      SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM",
    ]
    return names[number] ?? "signal \(number)"
  }

  /// Makes a directory of a name that nobody else has.
  ///
  /// - Returns: Its path, below TMPDIR or /tmp; mode 0700.
  /// - Throws: `SystemError`.
  static func temporaryDirectory() throws(SystemError) -> String {
    let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/gateway-check-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp", code: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func spawn(
    _ program: String,
    _ arguments: [String],
    report: CInt
  ) throws(SystemError) -> CInt {
    let list = CStrings(arguments)
    let child = unsafe linux_spawn(program, list.pointer, nil, report, -1)
    guard child > 0 else { throw SystemError(call: "posix_spawn", code: -child) }
    return child
  }

  private static func read(_ input: CInt, until deadline: Int64) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while bytes.count < maxReportBytes {
      let left = (deadline - MonotonicClock.now) / 1_000_000
      var ready = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
      guard left > 0, unsafe poll(&ready, 1, CInt(clamping: left)) > 0 else { break }
      let count = unsafe Glibc.read(input, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes
  }

  private static func wait(for child: CInt, until deadline: Int64) -> CInt? {
    while true {
      let end = linux_child_ended(child)
      if end != -1000 { return end }
      guard MonotonicClock.now < deadline else { return nil }
      let pause = MonotonicClock.now + 1_000_000
      let _: Bool? = Monitor(()).wait(until: min(pause, deadline)) { _ in nil }
    }
  }
}
