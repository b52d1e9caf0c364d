import Testing
import Wire

@Suite("JSON writer")
struct JSONWriterTests {
  @Test(
    arguments: [
      (JSON.null, "null"), (true, "true"), (false, "false"), (0, "0"),
      (.integer(.min), "-9223372036854775808"), (1.5, "1.5"), (.number(.infinity), "null"),
      (.number(.nan), "null"), ("", #""""#), ([], "[]"), ([:], "{}"), ([1, [2]], "[1,[2]]"),
      (["a": 1, "b": ["c": nil]], #"{"a":1,"b":{"c":null}}"#), ("é😀/", #""é😀/""#),
    ] as [(JSON, String)]
  )
  func `writes compact text`(_ value: JSON, _ expected: String) {
    #expect(value.text == expected)
    #expect(value.bytes == Array(expected.utf8))
  }

  @Test func `escapes quotes, backslashes and controls`() {
    let text = "\"\\\u{0}\u{8}\t\n\u{C}\r\u{1F}\u{7F}"
    #expect(JSON.string(text).text == "\"\\\"\\\\\\u0000\\b\\t\\n\\f\\r\\u001f\u{7F}\"")
  }

  @Test func `what it writes is read back`() throws {
    let text = String((0..<0x250).compactMap { Unicode.Scalar($0).map(Character.init) })
    let value: JSON = ["text": .string(text), "number": 1e-7, "large": 1e300, "small": -0.1]
    #expect(try JSON.parse(value.text) == value)
  }
}
