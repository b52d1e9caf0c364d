import CChild
import Glibc
import PluginStorage

/// A program run for its output, without a shell and within limits.
package enum ChildProcess {
  package enum Failure: Error, Equatable {
    case cannotStart(code: CInt)
    case timedOut(seconds: Int)
    case outputTooLarge(limit: Int)
    /// Ended by itself, with this exit status, or minus the signal that killed it.
    case failed(status: CInt)
  }

  /// What the child may use.
  package struct Limits: Sendable {
    package var seconds: Int
    package var outputBytes: Int
    package var memoryBytes: Int

    package init(seconds: Int, outputBytes: Int, memoryBytes: Int) {
      self.seconds = seconds
      self.outputBytes = outputBytes
      self.memoryBytes = memoryBytes
    }
  }

  /// Runs a program and gives what it wrote to its standard output.
  ///
  /// The child has no input, no descriptors of this process, its own process group, and a small
  /// environment. On every failure it is killed, with all it started, and reaped.
  ///
  /// - Parameters:
  ///   - program: Absolute path.
  ///   - arguments: Without the program's name.
  ///   - limits: What it may use; whoever exceeds them is killed.
  /// - Returns: The output.
  /// - Throws: `Failure`.
  package static func output(
    of program: String,
    _ arguments: [String],
    limits: Limits
  ) throws(Failure) -> [UInt8] {
    var pipe: CInt = -1
    let child = try start(program, arguments, output: &pipe)
    defer { close(pipe) }
    // On top of time and output, which this process enforces itself.
    child_restrict(child, UInt64(limits.memoryBytes), UInt64(limits.seconds))
    let deadline = Clock.monotonic() + UInt64(limits.seconds) * 1_000_000_000
    let result = readAll(pipe, limits: limits, until: deadline)
    if case .failure = result { kill(-child, SIGKILL) }
    let status = reap(child, until: deadline)
    let output = try result.get()
    guard let status else { throw .timedOut(seconds: limits.seconds) }
    // The low seven bits are the signal, the next byte the exit status (wait(2)).
    let code = status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    guard code == 0 else { throw .failed(status: code) }
    return output
  }

  private static func start(
    _ program: String,
    _ arguments: [String],
    output: inout CInt
  ) throws(Failure) -> pid_t {
    func copied(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
      unsafe words.map { (word: String) in unsafe strdup(word) } + [nil]
    }
    let words = unsafe copied([program] + arguments)
    let environment = unsafe copied(["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"])
    defer { unsafe (words + environment).forEach { unsafe free($0) } }
    let child = unsafe child_start(program, words, environment, &output)
    guard child > 0 else { throw .cannotStart(code: -child) }
    return child
  }

  private static func readAll(
    _ descriptor: CInt,
    limits: Limits,
    until deadline: UInt64
  ) -> Result<[UInt8], Failure> {
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      guard wait(for: descriptor, until: deadline) else {
        return .failure(.timedOut(seconds: limits.seconds))
      }
      let count = unsafe read(descriptor, &buffer, buffer.count)
      if count == 0 { return .success(output) }
      if count < 0 {
        if errno == EINTR { continue }
        return .failure(.failed(status: errno))
      }
      guard output.count + count <= limits.outputBytes else {
        return .failure(.outputTooLarge(limit: limits.outputBytes))
      }
      output.append(contentsOf: buffer[..<count])
    }
  }

  private static func wait(for descriptor: CInt, until deadline: UInt64) -> Bool {
    while true {
      let now = Clock.monotonic()
      guard now < deadline else { return false }
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let milliseconds = CInt(clamping: (deadline - now) / 1_000_000 + 1)
      let ready = unsafe poll(&waiting, 1, milliseconds)
      if ready > 0 { return true }
      guard ready == 0 || errno == EINTR else { return false }
    }
  }

  /// Waits for the child's end, and brings it about when the time is over; `nil` then.
  private static func reap(_ child: pid_t, until deadline: UInt64) -> CInt? {
    var status: CInt = 0
    while Clock.monotonic() < deadline {
      let reaped = unsafe waitpid(child, &status, WNOHANG)
      if reaped == child {
        kill(-child, SIGKILL)  // what it may have left behind in its group
        return status
      }
      if reaped < 0, errno != EINTR { return nil }
      // A program that closed its output ends at once; the pause is not on the way of good ones.
      _ = poll(nil, 0, 2)
    }
    kill(-child, SIGKILL)
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    return nil
  }
}
