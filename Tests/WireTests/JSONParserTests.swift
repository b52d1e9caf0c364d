import Testing
import Wire

@Suite("JSON parser, RFC 8259")
struct JSONParserTests {
  @Test(
    arguments: [
      ("null", JSON.null), (" true ", true), ("false", false), ("0", 0), ("-0", 0), ("-12", -12),
      ("9223372036854775807", 9_223_372_036_854_775_807),
      ("-9223372036854775808", -9_223_372_036_854_775_808),
      ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.0", 1.0), ("1E+2", 100.0),
      ("-1.5e-1", -0.15), ("1e-999", 0.0),
      (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"), (#""é\u00e9""#, "éé"),
      (#""\uD83D\uDE00\u0000""#, "😀\0"), ("\"\u{7F}😀\"", "\u{7F}😀"), ("[]", []), ("[ ]", []),
      ("[1,[2 ,\n{}]]", [1, [2, [:]]]), (#"{"a" : {"b":[]},"A":1}"#, ["a": ["b": []], "A": 1]),
    ] as [(String, JSON)]
  )
  func `reads what is allowed`(_ text: String, _ expected: JSON) throws {
    let bytes = Array(text.utf8)
    #expect(try withGuardedBytes(bytes) { try JSON.parse($0) } == expected)
  }

  @Test(arguments: [
    ("", 1, "the text ends where a value is expected"),
    ("nul", 4, "only true, false and null may stand without quotes"),
    ("+1", 1, "a value is expected here"), ("1 2", 3, "nothing may follow the value"),
    ("01", 1, "a number may not start with 0 and another digit"),
    ("-", 2, "a digit is missing in this number"), ("1.", 3, "a digit is missing in this number"),
    ("1e", 3, "a digit is missing in this number"), ("1e999", 1, "this number is too large"),
    ("[1,]", 4, "a value is expected here"),
    ("[1 2]", 4, "a comma or the closing ] is expected here"),
    ("[", 2, "the text ends where a value is expected"),
    ("{\"a\":1,}", 8, "a name in double quotes is expected here"),
    ("{a:1}", 2, "a name in double quotes is expected here"),
    ("{\"a\" 1}", 6, "a colon is expected after the name"),
    ("{\"a\":1 \"b\":2}", 8, "a comma or the closing } is expected here"),
    ("{\"a\":1,\"\\u0061\":2}", 8, "this name stands twice in the same object"),
    ("\"a", 1, "this string is never closed"), ("\"\\n", 1, "this string is never closed"),
    ("\"\n\"", 2, "line breaks and control characters in a string are written as \\n or \\u00XX"),
    ("\"\\x\"", 2, "after a backslash only \" \\ / b f n r t and uXXXX are allowed"),
    ("\"\\u12g4\"", 6, "\\u needs four hexadecimal digits"),
    ("\"\\uD800\"", 2, "\\uD800 to \\uDFFF are halves of a character and come in pairs"),
    ("\"\\uDC00\\uD800\"", 2, "\\uD800 to \\uDFFF are halves of a character and come in pairs"),
    ("\"\\uD800\\uD800\"", 2, "\\uD800 to \\uDFFF are halves of a character and come in pairs"),
    ("/* */1", 1, "a value is expected here"), ("\u{FEFF}1", 1, "a value is expected here"),
  ])
  func `refuses the rest with its place`(_ text: String, _ column: Int, _ reason: String) throws {
    let bytes = Array(text.utf8)
    let error = #expect(throws: JSONError.self) {
      try withGuardedBytes(bytes) { _ = try JSON.parse($0) }
    }
    #expect(error?.reason == reason)
    #expect(error?.line == 1)
    #expect(error?.column == column)
  }

  @Test(
    arguments: [
      [0x22, 0xC3, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22],
    ] as [[UInt8]]
  )
  func `refuses what is not UTF-8`(_ bytes: [UInt8]) {
    let error = #expect(throws: JSONError.self) { try JSON.parse(bytes) }
    #expect(error?.reason == "this string is not valid UTF-8")
  }

  @Test func `counts lines and characters, not bytes`() {
    let error = #expect(throws: JSONError.self) { try JSON.parse("{\n \"é😀\": x}") }
    #expect(error == JSONError(offset: 13, line: 2, column: 8, reason: "a value is expected here"))
    #expect(error?.description == "line 2, column 8: a value is expected here")
  }

  @Test func `nests as deep as allowed and no deeper`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSON.parse(nested(64))
    let error = #expect(throws: JSONError.self) { try JSON.parse(nested(65)) }
    #expect(error?.reason == "arrays and objects are nested deeper than 64")
    _ = try JSON.parse("[[],[],{}]")
  }

  @Test func `finds a repeated name among many`() throws {
    let members = (0..<1000).map { "\"n\($0)\":1" }.joined(separator: ",")
    #expect(try JSON.parse("{\(members)}").asMembers?.count == 1000)
    #expect(throws: JSONError.self) { try JSON.parse("{\(members),\"n7\":2}") }
  }

  @Test func `no cut of a text is a value or a crash`() throws {
    let bytes = Array(#"{"a":[1.5e3,-2,"x\n\uD83D\uDE00é",true,null],"b":{"c":""}}"#.utf8)
    for count in 0..<bytes.count {
      #expect(throws: JSONError.self) {
        try withGuardedBytes(Array(bytes.prefix(count))) { _ = try JSON.parse($0) }
      }
    }
    #expect(try JSON.parse(JSON.parse(bytes).text) == JSON.parse(bytes))
  }
}
