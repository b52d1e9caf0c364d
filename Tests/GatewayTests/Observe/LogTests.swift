import Glibc
import Testing
import Wire

@testable import Gateway

/// `F_SETPIPE_SZ` of fcntl(2), which Glibc shows to GNU programs alone.
let setPipeSize: CInt = 1031

/// What a log writer wrote, read from a pipe after its end.
final class WrittenLog {
  let writer: LogWriter
  private let reader: CInt
  private let end: CInt

  init() throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    (reader, end) = (ends[0], ends[1])
    _ = fcntl(reader, setPipeSize, 1 << 20)
    writer = try LogWriter(output: end)
  }

  /// Ends the writer; call once.
  func lines() -> [String] {
    writer.close()
    close(end)
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = read(reader, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
    close(reader)
    return all.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
  }
}

/// Texts that try to be more than one line, or another value.
let forgeries = [
  "a\nb", "a\r\nb", "a\u{1B}[2Jb", "a\0b", "a\u{7F}b", "a b", "a\"b", "", "a\u{2028}b",
  "x\n2026-01-01T00:00:00.000Z error forged",
]

@Suite("Log lines")
struct LogTests {
  @Test func `text has time, level, message and fields in order`() throws {
    let written = try WrittenLog()
    let log = Log(writer: written.writer, level: .info, format: .text)
    log.write(.warning, "it happened", [("plugin", "x"), ("count", "3")])
    let line = try #require(written.lines().first)
    let stamp = line.prefix { $0 != " " }
    #expect(stamp.utf8.count == 24 && stamp.hasSuffix("Z"))
    #expect(Timestamp.parse(String(stamp)) != nil)
    #expect(line.dropFirst(stamp.count) == " warning it happened plugin=x count=3")
  }

  @Test func `JSON is one object with the same`() throws {
    let written = try WrittenLog()
    let log = Log(writer: written.writer, level: .info, format: .json)
    log.write(.error, "it \"happened\"", [("plugin", "x")])
    let line = try JSON.parse(try #require(written.lines().first))
    #expect(line.asMembers?.map(\.name) == ["time", "level", "message", "plugin"])
    #expect(line["level"] == "error")
    #expect(line["message"] == "it \"happened\"")
    #expect(Timestamp.parse(line["time"]?.asString ?? "") != nil)
  }

  @Test func `levels below the configured one are not written`() throws {
    for level in LogLevel.allCases {
      let written = try WrittenLog()
      let log = Log(writer: written.writer, level: level, format: .text)
      for other in LogLevel.allCases { log.write(other, "x") }
      let wanted = LogLevel.allCases.filter { $0 >= level }
      #expect(written.lines().map { String($0.split(separator: " ")[1]) } == wanted.map(\.name))
      #expect(LogLevel.allCases.allSatisfy { log.isEnabled($0) == ($0 >= level) })
    }
  }

  @Test(arguments: forgeries)
  func `no message, name or value makes a second line or a control character`(
    _ text: String
  ) throws {
    for format in [Settings.LogFormat.text, .json] {
      let written = try WrittenLog()
      let log = Log(writer: written.writer, level: .debug, format: format)
      log.write(.info, text)
      log.write(.info, "m", [("name", text)])
      log.write(.info, "m", [(text, "value")])
      let lines = written.lines()
      #expect(lines.count == 3)
      #expect(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 } })
    }
  }

  @Test(arguments: forgeries) func `JSON gives every text back as it was`(_ text: String) throws {
    let written = try WrittenLog()
    Log(writer: written.writer, level: .debug, format: .json).write(.info, text, [("n", text)])
    let line = try JSON.parse(try #require(written.lines().first))
    #expect(line["message"] == .string(text))
    #expect(line["n"] == .string(text))
  }

  @Test(arguments: [
    ("plain", "plain"), ("a=b", "a=b"), ("two words", "\"two words\""), ("", "\"\""),
    ("a\nb", "\"a\\nb\""), ("say \"x\"", "\"say \\\"x\\\"\""), ("ü", "ü"),
  ])
  func `text quotes a value that would not stand alone`(_ value: String, _ shown: String) throws {
    let written = try WrittenLog()
    Log(writer: written.writer, level: .debug, format: .text).write(.info, "m", [("n", value)])
    #expect(try #require(written.lines().first).hasSuffix(" info m n=\(shown)"))
  }

  @Test func `a name cannot pass for another field`() throws {
    let written = try WrittenLog()
    Log(writer: written.writer, level: .debug, format: .text)
      .write(.info, "m", [("a request_id=forged b", "1"), ("x=y", "2")])
    let line = try #require(written.lines().first)
    #expect(!line.contains(" request_id="))
    #expect(!line.contains("x=y="))
  }
}
