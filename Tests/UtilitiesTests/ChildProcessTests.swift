import PluginStorage
import Testing

@testable import Utilities

@Suite("A bounded child process")
struct ChildProcessTests {
  static let limits = ChildProcess.Limits(
    seconds: 20,
    outputBytes: 100_000,
    memoryBytes: 1 << 30
  )

  static func run(
    _ script: String,
    _ limits: ChildProcess.Limits = limits
  ) throws -> String {
    String(
      decoding: try ChildProcess.output(of: "/bin/sh", ["-c", script], limits: limits),
      as: UTF8.self
    )
  }

  @Test func `gives what was written, and no environment of ours`() throws {
    #expect(try Self.run("echo hello; echo no >&2") == "hello\n")
    #expect(try Self.run("echo $HOME$USER") == "\n")
    #expect(try Self.run("cat") == "")
    #expect(try Self.run("ls /proc/self/fd | wc -l").contains("4"))
  }

  @Test func `says how it ended`() {
    #expect(throws: ChildProcess.Failure.failed(status: 3)) { try Self.run("exit 3") }
    #expect(throws: ChildProcess.Failure.failed(status: -9)) { try Self.run("kill -9 $$") }
    #expect(throws: ChildProcess.Failure.cannotStart(code: 2)) {
      try ChildProcess.output(of: "/nowhere/at/all", [], limits: Self.limits)
    }
  }

  @Test func `output is taken up to the limit and not one byte past it`() throws {
    var limits = Self.limits
    limits.outputBytes = 10
    #expect(try Self.run("printf 0123456789", limits) == "0123456789")
    #expect(throws: ChildProcess.Failure.outputTooLarge(limit: 10)) {
      try Self.run("printf 0123456789a", limits)
    }
    #expect(throws: ChildProcess.Failure.outputTooLarge(limit: 10)) {
      try Self.run("while :; do echo y; done", limits)
    }
  }

  @Test func `a child that does not end is ended, with all it started`() throws {
    var limits = Self.limits
    limits.seconds = 1
    let start = Clock.monotonic()
    #expect(throws: ChildProcess.Failure.timedOut(seconds: 1)) {
      try Self.run("sleep 100 & sleep 100", limits)
    }
    #expect(throws: ChildProcess.Failure.timedOut(seconds: 1)) {
      try Self.run("exec >&-; sleep 100", limits)
    }
    #expect(Clock.monotonic() - start < 20_000_000_000)
  }
}
