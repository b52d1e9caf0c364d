import Testing
import Wire

@Suite("HTTP dates, RFC 9110 §5.6.7")
struct HTTPDateTests {
  @Test(
    arguments: [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (1_756_305_000, "Wed, 27 Aug 2025 14:30:00 GMT"),
      (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
    ] as [(Int64, String)]
  )
  func `writes and reads the fixed form`(_ seconds: Int64, _ text: String) throws {
    var output: [UInt8] = []
    HTTPDate.write(seconds: seconds, to: &output)
    #expect(String(decoding: output, as: UTF8.self) == text)
    #expect(try withGuardedBytes(output) { HTTPDate.parse($0) } == seconds)
    for count in 0..<output.count {
      #expect(try withGuardedBytes(Array(output.prefix(count))) { HTTPDate.parse($0) } == nil)
    }
  }

  @Test(arguments: [
    "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 25:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT ", "Sunday, 06-Nov-94 08:49:37 GM",
  ])
  func `refuses any other form`(_ text: String) {
    #expect(HTTPDate.parse(Array(text.utf8).span) == nil)
  }
}
