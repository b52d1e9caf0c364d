import Glibc
import Testing
import Wire

@testable import Gateway

@Suite("One line for each exchange")
struct AccessLogTests {
  private func entry(path: String = "/v1/x", subject: String = "user1") -> AccessLog.Entry {
    AccessLog.Entry(
      requestID: Array("req-1".utf8),
      traceID: [],
      method: Array("GET".utf8),
      path: Array(path.utf8),
      status: 200,
      bodyBytes: 12,
      nanoseconds: 34_567,
      peer: Array("127.0.0.1".utf8),
      subject: Array(subject.utf8)
    )
  }

  @Test func `as text`() throws {
    let written = try WrittenLog()
    let log = AccessLog(writer: written.writer, format: .text)
    #expect(log.isEmpty)
    log.write(entry())
    log.write(entry(subject: ""))
    #expect(!log.isEmpty)
    log.flush()
    #expect(log.isEmpty)
    let lines = written.lines()
    #expect(lines.count == 2)
    let rest = " access GET /v1/x 200 bytes=12 us=34 id=req-1 peer=127.0.0.1"
    #expect(lines[0].hasSuffix("Z\(rest) subject=\"user1\""))
    #expect(lines[1].hasSuffix("Z\(rest)"))
    #expect(Timestamp.parse(String(lines[0].prefix { $0 != " " })) != nil)
  }

  @Test func `as JSON`() throws {
    let written = try WrittenLog()
    let log = AccessLog(writer: written.writer, format: .json)
    log.write(entry(path: "/a\"b\\", subject: "a\"b"))
    log.write(entry(subject: ""))
    log.flush()
    let lines = try written.lines().map { try JSON.parse($0) }
    #expect(
      lines[0].asMembers?.dropFirst().map(\.value)
        == [
          "info", "access", "GET", "/a\"b\\", 200, 12, 34, "req-1", "127.0.0.1", "a\"b",
        ]
    )
    #expect(lines[1]["subject"] == nil)
    #expect(lines[0]["time"]?.asString.flatMap { Timestamp.parse($0) } != nil)
  }

  @Test func `names the trace where there is one`() throws {
    for (format, expected) in [
      (Settings.LogFormat.text, " id=req-1 trace=0af7651916cd43dd8448eb211c80319c peer="),
      (.json, #""request_id":"req-1","trace_id":"0af7651916cd43dd8448eb211c80319c","peer":"#),
    ] {
      let written = try WrittenLog()
      let log = AccessLog(writer: written.writer, format: format)
      var traced = entry()
      traced.traceID = Array("0af7651916cd43dd8448eb211c80319c".utf8)
      log.write(traced)
      log.flush()
      #expect(try #require(written.lines().first).contains(expected))
    }
  }

  @Test func `JSON stays JSON whatever bytes the path has`() throws {
    let written = try WrittenLog()
    let log = AccessLog(writer: written.writer, format: .json)
    var odd = entry()
    odd.path = Array(0...255)
    log.write(odd)
    log.flush()
    let lines = written.lines()
    #expect(lines.count == 1)
    #expect(throws: Never.self) { try JSON.parse(try #require(lines.first)) }
  }

  @Test func `hands on a large batch without being asked`() throws {
    let written = try WrittenLog()
    let log = AccessLog(writer: written.writer, format: .text)
    var count = 0
    repeat {
      log.write(entry())
      count += 1
    } while !log.isEmpty && count < 10_000
    #expect(log.isEmpty)
    // At about 100 bytes a line, 32 KiB are some three hundred of them.
    #expect((100..<1_000).contains(count))
    #expect(written.lines().count == count)
  }

  @Test func `flushing nothing writes nothing`() throws {
    let written = try WrittenLog()
    AccessLog(writer: written.writer, format: .text).flush()
    #expect(written.lines() == [])
  }

  @Test func `a request that was never read leaves no gap in the text`() throws {
    let written = try WrittenLog()
    let log = AccessLog(writer: written.writer, format: .text)
    var unread = entry()
    unread.method = []
    unread.path = []
    log.write(unread)
    log.flush()
    #expect(try #require(written.lines().first).contains(" access - - 200 "))
  }
}
