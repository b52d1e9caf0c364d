import Glibc
import Testing
import Wire

@testable import Gateway

@Suite struct CrashJournalTests {
  private static func report(_ second: Int64, plugin: String?) -> CrashReport {
    CrashReport(
      time: second * 1_000_000_000,
      process: 42,
      end: "SIGSEGV",
      code: plugin.map {
        CrashReport.Code(plugin: $0, generation: 3, step: "request", label: "GET /v1/x")
      }
    )
  }

  private func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/gateway-journal-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { Directory.removeAll(path) }
    try body(path)
  }

  @Test func `a report is what it was after it was written and read`() {
    var full = Self.report(1_700_000_000, plugin: "one")
    full.outage = 25
    for report in [full, Self.report(1, plugin: nil)] {
      #expect(CrashReport(report.json) == report)
    }
    #expect(CrashReport(["end": "SIGSEGV"]) == nil)
    #expect(CrashReport(.null) == nil)
  }

  @Test func `crashes are kept over processes, the newest hundred of them`() throws {
    try withDirectory { directory in
      var journal = CrashJournal(directory: directory)
      #expect(journal.reports.isEmpty)
      for second in 1...Int64(CrashJournal.capacity + 1) {
        try journal.add(Self.report(second, plugin: "one"))
      }
      let read = CrashJournal(directory: directory)
      #expect(read.reports.count == CrashJournal.capacity)
      #expect(read.reports == journal.reports)
      #expect(read.reports.first?.time == 2_000_000_000)
    }
  }

  @Test func `the outage ends once`() throws {
    try withDirectory { directory in
      var journal = CrashJournal(directory: directory)
      #expect(try journal.recovered(now: 5) == nil)
      try journal.add(Self.report(10, plugin: nil))
      #expect(try journal.recovered(now: 10_250_000_000)?.outage == 250)
      #expect(try journal.recovered(now: 99_000_000_000) == nil)
      #expect(CrashJournal(directory: directory).reports.last?.outage == 250)
    }
  }

  @Test func `crashes are counted by plugin, from the start of the window on`() throws {
    try withDirectory { directory in
      var journal = CrashJournal(directory: directory)
      for (second, plugin) in [(1, "one"), (2, "two"), (3, "one"), (4, nil)] as [(Int64, String?)] {
        try journal.add(Self.report(second, plugin: plugin))
      }
      #expect(journal.count(of: "one", since: 1_000_000_000) == 2)
      #expect(journal.count(of: "one", since: 1_000_000_001) == 1)
      #expect(journal.count(of: "three", since: 0) == 0)
    }
  }

  @Test func `lines that are none of ours are passed over`() throws {
    try withDirectory { directory in
      var journal = CrashJournal(directory: directory)
      try journal.add(Self.report(1, plugin: "one"))
      let path = "\(directory)/crashes.jsonl"
      let bytes = try FileBytes.read(path, limit: 100_000)
      let file = try #require(fopen(path, "w"))
      for part in ["no JSON\n{}\n", String(decoding: bytes, as: UTF8.self), "{\"time\":"] {
        fputs(part, file)
      }
      fclose(file)
      #expect(CrashJournal(directory: directory).reports == journal.reports)
    }
  }

  @Test func `a report that cannot be written is kept in memory`() {
    var journal = CrashJournal(directory: "/nowhere")
    #expect(throws: SystemError.self) { try journal.add(Self.report(1, plugin: "one")) }
    #expect(journal.count(of: "one", since: 0) == 1)
  }
}
