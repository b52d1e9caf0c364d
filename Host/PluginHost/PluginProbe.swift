import CLinux
import Glibc
import Wire

/// Tries a plugin in a child process, where a crash or a hang harms nobody.
package struct PluginProbe: Sendable {
  package enum Verdict: Sendable, Equatable {
    /// Entry, create, self-test and destroy went well; what the plugin declared.
    case passed(PluginReport)
    case failed(PluginFileError)
  }

  /// The hidden verb of the gateway's command line that runs the child's part.
  package static let verb = "check-one"
  /// The child's descriptor for its verdict: a plugin may write to the standard ones.
  package static let reportDescriptor: CInt = 3
  /// Bytes of a verdict.
  private static let maxVerdictBytes = 4 * 1024 * 1024

  private let executable: String
  private let limit: Duration

  /// Describes how to probe.
  ///
  /// - Parameters:
  ///   - executable: The gateway's own binary.
  ///   - limit: Time for one plugin; then it counts as hanging.
  package init(executable: String = "/proc/self/exe", limit: Duration = .seconds(10)) {
    self.executable = executable
    self.limit = limit
  }

  /// Tries the plugin of one file with a data directory of its own that is thrown away.
  ///
  /// - Parameters:
  ///   - file: Path in the plugins directory.
  ///   - libraries: Where libraries are that are named without a slash.
  ///   - library: The library to try instead of the one that the file names: the copy that will run.
  /// - Returns: The verdict.
  package func run(file: String, libraries: String, library: String = "") -> Verdict {
    do throws(SystemError) {
      let directory = try Self.temporaryDirectory()
      defer { Directory.removeAll(directory) }
      return try run(file, libraries: libraries, library: library, data: directory)
    } catch {
      return .failed(Self.fault(file, "the probe could not be started: \(error)"))
    }
  }

  private func run(
    _ file: String,
    libraries: String,
    library: String,
    data: String
  ) throws(SystemError) -> Verdict {
    var ends: [CInt] = [0, 0]
    let piped = unsafe linux_pipe(&ends)
    guard piped == 0 else { throw SystemError(call: "pipe", code: -piped) }
    let input = Descriptor(adopting: ends[0])
    let child: CInt
    do {
      let output = Descriptor(adopting: ends[1])
      let arguments = [executable, Self.verb, file, libraries, data, library]
      child = try spawn(arguments, report: output.raw)
    }
    let deadline = MonotonicClock.now + limit.nanoseconds
    let bytes = Self.read(input.raw, until: deadline)
    let end = Self.wait(for: child, until: deadline)
    // Also when it has ended: what it started may still run.
    kill(-child, SIGKILL)
    guard let end else {
      _ = Self.wait(for: child, until: MonotonicClock.now + 1_000_000_000)
      return .failed(
        Self.fault(
          file,
          "the plugin hangs: create, its self-test or destroy took longer than \(limit)"
        )
      )
    }
    if end < 0 {
      let signal = Self.signalName(-end)
      return .failed(
        Self.fault(file, "the plugin crashes in create, its self-test or destroy (\(signal))")
      )
    }
    return Self.verdict(bytes, file: file, end: end)
  }

  private func spawn(_ arguments: [String], report: CInt) throws(SystemError) -> CInt {
    var list = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe list.forEach { unsafe free($0) } }
    let child = unsafe linux_spawn(executable, &list, report)
    guard child > 0 else { throw SystemError(call: "posix_spawn", code: -child) }
    return child
  }

  private static func read(_ input: CInt, until deadline: Int64) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while bytes.count < maxVerdictBytes {
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
      let end = linux_child_end(child)
      if end != -1000 { return end }
      guard MonotonicClock.now < deadline else { return nil }
      let pause = MonotonicClock.now + 1_000_000
      let _: Bool? = Monitor(()).wait(until: min(pause, deadline)) { _ in nil }
    }
  }

  private static func fault(_ file: String, _ reason: String) -> PluginFileError {
    // The place is the library's name, when the file can be read.
    let position = (try? PluginFile(path: file))?.libraryPosition
    return PluginFileError(file: file, position: position, fault: .load(reason))
  }

  private static func temporaryDirectory() throws(SystemError) -> String {
    let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/gateway-check-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp", code: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func signalName(_ number: CInt) -> String {
    let names: [CInt: String] = [
      SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE",
      SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM",
    ]
    return names[number] ?? "signal \(number)"
  }
}

extension PluginProbe {
  /// What the child writes for its parent.
  ///
  /// - Parameter verdict: Of the child's own check.
  /// - Returns: One JSON object.
  package static func encode(_ verdict: Verdict) -> [UInt8] {
    switch verdict {
    case .passed(let report): return JSON.object(report.members).bytes
    case .failed(let error):
      var members = [JSON.Member(name: "error", value: .string(error.reason))]
      if let position = error.position {
        members.append(JSON.Member(name: "line", value: .integer(Int64(position.line))))
        members.append(JSON.Member(name: "column", value: .integer(Int64(position.column))))
      }
      return JSON.object(members).bytes
    }
  }

  private static func verdict(_ bytes: [UInt8], file: String, end: CInt) -> Verdict {
    guard let json = try? JSON.parse(bytes) else {
      return .failed(
        fault(
          file,
          "the plugin ended the process in create, its self-test or destroy (exit code \(end))"
        )
      )
    }
    if let reason = json["error"]?.asString {
      var error = PluginFileError(file: file, position: nil, fault: .load(reason))
      if let line = json["line"]?.asInteger, let column = json["column"]?.asInteger {
        error.position = SettingsDocument.Position(line: Int(line), column: Int(column))
      }
      return .failed(error)
    }
    let name = json["name"]?.asString ?? ""
    var report = PluginReport(file: json["file"]?.asString ?? "", name: name, state: .loaded)
    report.version = json["version"]?.asString ?? ""
    report.description = json["description"]?.asString ?? ""
    report.reason = json["reason"]?.asString ?? ""
    report.routes = json["routes"]?.asArray?.compactMap(\.asString) ?? []
    return .passed(report)
  }
}
