import CLinux
import Glibc
import Testing

@testable import Gateway

@Suite("Marks of a serving process")
struct ServingProcessTests {
  /// A process whose marks `fill` has written.
  private func withProcess(
    _ fill: (UnsafeMutablePointer<linux_marks>) throws -> Void,
    _ body: (ServingProcess) -> Void
  ) throws {
    let file = linux_make_marks()
    try #require(file >= 0)
    defer { close(file) }
    let marks = try SharedMarks.map(file)
    defer { SharedMarks.unmap(marks) }
    try fill(marks)
    body(ServingProcess(number: getpid(), channel: -1, marks: file, began: 0))
  }

  private static let mark = UInt64(CodeStep.request.rawValue) << 32 | 3

  /// Two threads: one without a loop, and one whose loop began a turn at 5 and is in step `request` of the plugin `one`.
  private func fill(_ marks: UnsafeMutablePointer<linux_marks>) throws {
    marks.pointee.layout = UInt32(LINUX_MARK_LAYOUT)
    let site = UnsafeMutablePointer(mutating: linux_site_at(marks, 3))
    site.pointee.is_used = 1
    site.pointee.generation = 2
    withUnsafeMutableBytes(of: &site.pointee.plugin) { $0.copyBytes(from: "one".utf8) }
    // Swift has no names for arrays as large as those of `linux_marks`.
    let first = try #require(MemoryLayout<linux_marks>.offset(of: \.mark)) + 8
    let threads = UnsafeMutableRawPointer(marks).advanced(by: first)
      .bindMemory(to: linux_thread_mark.self, capacity: 2)
    threads[0].thread = 4
    threads[1].thread = 5
    threads[1].turn = 5
    threads[1].mark = Self.mark
  }

  @Test func `the turns of its loops are read, with the code they are in`() throws {
    try withProcess(fill) { process in
      let mark = Self.mark
      #expect(process.turns() == [LoopWatch.Turn(thread: 5, began: 5, mark: mark)])
      let code = CrashReport.Code(plugin: "one", generation: 2, step: "request", label: "")
      #expect(process.code(of: mark) == code)
      #expect(process.code(of: 0) == nil && process.code(of: mark + 1) == nil)
    }
  }

  @Test func `nothing is read of another layout`() throws {
    try withProcess { marks in
      try fill(marks)
      marks.pointee.layout += 1
    } _: { process in
      #expect(process.turns().isEmpty)
      #expect(process.code(of: Self.mark) == nil)
    }
  }

  @Test func `the end that a hang led to is told as one, any other as what it is`() throws {
    try withProcess(fill) { process in
      #expect(process.endWords(-SIGABRT) == "SIGABRT" && process.culprit(-SIGKILL) == nil)
      var hung = process
      let code = CrashReport.Code(plugin: "two", generation: 1, step: "request", label: "GET /")
      hung.hang = ServingProcess.Hang(code: code)
      for end in [-SIGABRT, -SIGKILL] {
        #expect(hung.endWords(end) == "hang" && hung.culprit(end) == code)
      }
      #expect(hung.endWords(-SIGSEGV) == "SIGSEGV" && hung.culprit(-SIGSEGV)?.plugin == "one")
    }
  }

  @Test func `it is killed at the sooner of two times`() throws {
    try withProcess(fill) { process in
      var process = process
      process.end(by: 7)
      process.end(by: 9)
      #expect(process.deadline == 7)
      process.end(by: 5)
      #expect(process.deadline == 5)
    }
  }

  @Test func `a thread is told stopped when it is, and not when it runs or is gone`() throws {
    #expect(linux_is_stopped(getpid(), linux_thread_number()) == 0)
    let arguments = CStrings(["sleep", "60"])
    var child: pid_t = 0
    try #require(posix_spawn(&child, "/bin/sleep", nil, nil, arguments.pointer, nil) == 0)
    var status: CInt = 0
    kill(child, SIGSTOP)
    #expect(waitpid(child, &status, WUNTRACED) == child)
    #expect(linux_is_stopped(child, child) == 1)
    kill(child, SIGKILL)
    #expect(waitpid(child, &status, 0) == child)
    #expect(linux_is_stopped(child, child) == 0)
  }
}
