import CSandbox
import Glibc
import PluginStorage

/// A tool of this machine that is run for a few lines of output.
package enum BoundedCommand {
  /// Runs a tool without input; it is killed when it takes too long or says too much.
  ///
  /// - Parameters:
  ///   - program: Absolute path.
  ///   - arguments: Without the program's name.
  ///   - seconds: It may take.
  ///   - bytes: It may write.
  /// - Returns: What it wrote to its standard output; `nil` unless it ended with 0 and within its limits.
  package static func output(
    of program: String,
    _ arguments: [String],
    seconds: Int = 5,
    bytes: Int = 64 << 10
  ) -> String? {
    var output: CInt = -1
    var error: CInt = -1
    let words = CStrings([program] + arguments)
    let environment = CStrings(["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"])
    var start = unsafe sandbox_start(
      program: words.first,
      arguments: words.pointers,
      environment: environment.pointers,
      groups: nil,
      group_count: 0,
      inherited: nil,
      inherited_count: 0,
      user: 0,
      places: nil,
      place_count: 0,
      file_bytes: 0,
      files: 256
    )
    let child = withExtendedLifetime((words, environment)) {
      unsafe sandbox_spawn(&start, &output, &error)
    }
    guard child > 0 else { return nil }
    defer {
      close(output)
      close(error)
    }
    let deadline = Clock.monotonic() + UInt64(seconds) * 1_000_000_000
    let text = readAll(output, bytes, until: deadline)
    if text == nil { kill(-child, SIGKILL) }
    var status: CInt = -1
    var reaped: pid_t = 0
    while reaped == 0 || (reaped < 0 && errno == EINTR) {
      reaped = unsafe waitpid(child, &status, WNOHANG)
      if reaped != 0 { continue }
      if Clock.monotonic() > deadline { kill(-child, SIGKILL) }
      _ = poll(nil, 0, 2)
    }
    kill(-child, SIGKILL)  // what it may have left behind in its group
    return status == 0 ? text : nil
  }

  private static func readAll(_ descriptor: CInt, _ limit: Int, until deadline: UInt64) -> String? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= limit, Clock.monotonic() < deadline {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&waiting, 1, 50) > 0 else { continue }
      let count = unsafe read(descriptor, &buffer, buffer.count)
      if count == 0 { return String(validating: bytes, as: UTF8.self) }
      if count > 0 { bytes += buffer[..<count] } else if errno != EINTR { return nil }
    }
    return nil
  }
}
