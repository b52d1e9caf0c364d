import Testing
import Wire

@Suite("Range requests, RFC 9110 §14")
struct ByteRangeTests {
  static func parse(_ text: String, length: Int64) throws -> ByteRange {
    try withGuardedBytes(Array(text.utf8)) { ByteRange.parse($0, length: length) }
  }

  @Test(arguments: [
    ("bytes=0-499", ByteRange.partial(0..<500)), ("bytes=500-", .partial(500..<1000)),
    ("bytes=-1", .partial(999..<1000)), ("bytes=-5000", .partial(0..<1000)),
    ("bytes=999-999", .partial(999..<1000)), ("bytes=0-99999999999999999999", .partial(0..<1000)),
    ("Bytes=0-0", .partial(0..<1)), ("bytes= 1-2 ", .partial(1..<3)),
    ("bytes=1000-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
    ("bytes=99999999999999999999-", .unsatisfiable),
    ("bytes=0-1,4-5", .whole), ("bytes=5-4", .whole), ("bytes=-", .whole), ("bytes=", .whole),
    ("bytes=a-b", .whole), ("bytes=1", .whole), ("items=0-1", .whole), ("bytes 0-1", .whole),
    ("bytes=+1-2", .whole), ("bytes=1--2", .whole), ("", .whole), ("bytes=0x1-2", .whole),
  ])
  func `reads one range`(_ text: String, _ expected: ByteRange) throws {
    #expect(try Self.parse(text, length: 1000) == expected)
  }

  @Test func `nothing of an empty body can be sent`() throws {
    #expect(try Self.parse("bytes=0-", length: 0) == .unsatisfiable)
    #expect(try Self.parse("bytes=-1", length: 0) == .unsatisfiable)
  }
}
