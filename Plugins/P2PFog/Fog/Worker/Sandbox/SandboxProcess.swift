import CSandbox
import Glibc
import PluginStorage

/// A command that runs in a sandbox; used by the thread that started it alone, because the command dies with that thread.
package final class SandboxProcess {
  /// How the command ended.
  package enum End: Equatable {
    /// With this exit code; 128 and the signal's number when one ended it.
    case exited(Int)
    /// Killed from outside, or the sandbox could not be made; the reason is on its standard error.
    case broken(status: Int)
  }

  /// Where bytes came from.
  package enum Stream: String, Sendable, CaseIterable {
    case stdout, stderr
  }

  /// Bytes read at once.
  static let piece = 64 << 10

  private let child: pid_t
  private let group: ControlGroup
  private let status: CInt
  private var outputs: [(stream: Stream, descriptor: CInt)]
  private var hasEnded = false

  /// Starts a command.
  ///
  /// - Parameters:
  ///   - order: What is run, and with what.
  ///   - sandbox: How this machine does it.
  ///   - group: To which it belongs from its first instruction on.
  /// - Throws: `IsolationRefusal`.
  package init(
    _ order: SandboxOrder,
    _ sandbox: Sandbox,
    in group: ControlGroup
  ) throws(IsolationRefusal) {
    // The superuser's jobs are another user's, also where no namespace is asked.
    let isSuperuser = geteuid() == 0
    var given = try Descriptors(doors: group.doors, filter: sandbox.filter)
    defer { given.closeAll() }
    // In the child: 3 is the filter, 4 the status, 5 the options, which nobody sees in a list of processes.
    let options = (isSuperuser ? order.atPlaces : order).options(sandbox.view, filter: 3, status: 4)
    try given.addMemory(options.flatMap { Array($0.utf8) + [0] })
    status = fcntl(given.inherited[1], F_DUPFD_CLOEXEC, 64)
    self.group = group
    var output: CInt = -1
    var error: CInt = -1
    child = Self.start(
      CStrings([sandbox.program, "--args", "5", "--"] + order.command),
      CStrings(isSuperuser ? order.folders : []),
      given,
      order,
      &output,
      &error
    )
    outputs = [(.stdout, output), (.stderr, error)]
    guard child > 0 else {
      hasEnded = true
      outputs = []
      throw IsolationRefusal(
        "\(sandbox.program) cannot be started: \(StorageError.system(call: "exec", code: -child))"
      )
    }
  }

  /// Gives the process, or a negative error number.
  private static func start(
    _ words: CStrings,
    _ places: CStrings,
    _ given: Descriptors,
    _ order: SandboxOrder,
    _ output: inout CInt,
    _ error: inout CInt
  ) -> pid_t {
    let environment = CStrings(["PATH=/usr/bin:/bin"])
    return withExtendedLifetime((words, places, environment)) {
      unsafe given.groups.withUnsafeBufferPointer { groups in
        unsafe given.inherited.withUnsafeBufferPointer { inherited in
          var start = unsafe sandbox_start(
            program: words.first,
            arguments: words.pointers,
            environment: environment.pointers,
            groups: groups.baseAddress,
            group_count: groups.count,
            inherited: inherited.baseAddress,
            inherited_count: inherited.count,
            user: places.count > 0 ? UInt32(SandboxOrder.user) : 0,
            places: places.pointers,
            place_count: places.count,
            file_bytes: UInt64(order.fileBytes),
            files: UInt64(SandboxOrder.descriptors)
          )
          return unsafe sandbox_spawn(&start, &output, &error)
        }
      }
    }
  }

  deinit {
    if !hasEnded {
      group.kill()
      var status: CInt = 0
      while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    }
    for output in outputs { close(output.descriptor) }
    if status >= 0 { close(status) }
  }

  /// Waits for output and gives what there is.
  ///
  /// - Parameters:
  ///   - milliseconds: At most so long.
  ///   - take: Gets at most `piece` bytes of each stream.
  package func read(
    within milliseconds: Int,
    _ take: (Stream, ArraySlice<UInt8>) -> Void
  ) {
    var waiting = outputs.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    guard unsafe poll(&waiting, nfds_t(waiting.count), CInt(milliseconds)) > 0 else { return }
    var closed: [CInt] = []
    for (output, ready) in zip(outputs, waiting) where ready.revents != 0 {
      var buffer = [UInt8](repeating: 0, count: Self.piece)
      let count = unsafe Glibc.read(output.descriptor, &buffer, buffer.count)
      if count > 0 {
        take(output.stream, buffer[..<count])
      } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
        closed.append(output.descriptor)
      }
    }
    for descriptor in closed { close(descriptor) }
    outputs.removeAll { closed.contains($0.descriptor) }
  }

  /// Whether all output has come.
  package var isSilent: Bool { outputs.isEmpty }

  /// How it ended, once it has; nothing of it runs any more then.
  ///
  /// - Returns: `nil` while it runs.
  package func end() -> End? {
    var code: CInt = 0
    let reaped = unsafe waitpid(child, &code, WNOHANG)
    guard reaped == child || (reaped < 0 && errno == ECHILD) else { return nil }
    hasEnded = true
    // The namespace of processes has died with its first; this is for what a broken sandbox may have left.
    group.kill()
    if let exit = Self.exitCode(readStatus()) { return .exited(exit) }
    // The low seven bits are the signal, the next byte the exit status (wait(2)).
    return .broken(status: Int(code & 0x7F == 0 ? code >> 8 & 0xFF : -(code & 0x7F)))
  }

  /// Ends it with all it started.
  package func kill() { group.kill() }

  private func readStatus() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe pread(status, &buffer, buffer.count, 0)
    return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
  }

  /// The exit code that bubblewrap has reported, in lines of JSON.
  static func exitCode(_ text: String) -> Int? {
    guard let place = text.range(of: "\"exit-code\":") else { return nil }
    return Int(text[place.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
  }
}

extension String {
  /// The first place of a text within this one.
  fileprivate func range(of text: String) -> Range<String.Index>? {
    let wanted = Array(text.utf8)
    var start = utf8.startIndex
    while start < utf8.endIndex {
      if utf8[start...].starts(with: wanted) {
        return start..<utf8.index(start, offsetBy: wanted.count)
      }
      utf8.formIndex(after: &start)
    }
    return nil
  }
}

/// Descriptors that a child gets, all above those which it makes itself.
private struct Descriptors {
  private(set) var groups: [CInt] = []
  /// The filter and the status, then the arguments.
  private(set) var inherited: [CInt] = []

  init(doors: [String], filter: [UInt8]) throws(IsolationRefusal) {
    do throws(IsolationRefusal) {
      for door in doors { groups.append(try Self.opened(door, O_WRONLY)) }
      try addMemory(filter)
      try addMemory([])
    } catch {
      closeAll()
      throw error
    }
  }

  /// Adds a file in memory with these bytes.
  mutating func addMemory(_ bytes: [UInt8]) throws(IsolationRefusal) {
    let made = unsafe bytes.withUnsafeBytes { bytes in
      unsafe sandbox_memory_file(bytes.baseAddress, bytes.count)
    }
    guard made >= 0 else {
      throw IsolationRefusal(
        "no file in memory: \(StorageError.system(call: "memfd_create", code: -made))"
      )
    }
    inherited.append(try Self.lifted(made))
  }

  private static func opened(_ path: String, _ flags: CInt) throws(IsolationRefusal) -> CInt {
    let opened = unsafe open(path, flags | O_CLOEXEC)
    guard opened >= 0 else {
      throw IsolationRefusal("\(path) cannot be opened: \(StorageError.last("open"))")
    }
    return try lifted(opened)
  }

  private static func lifted(_ descriptor: CInt) throws(IsolationRefusal) -> CInt {
    let lifted = sandbox_lift(descriptor)
    guard lifted >= 0 else { throw IsolationRefusal("too many open files") }
    return lifted
  }

  func closeAll() {
    for descriptor in groups + inherited { close(descriptor) }
  }
}
