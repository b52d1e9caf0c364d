import Testing
import Wire

@Suite("Settings document")
struct SettingsDocumentTests {
  static let file = """
    // the utilities
    {
      "library": "libutilities.so", /* beside the
         gateway */
      "limits": { "body": 1_0, },
    }
    """

  static func parse(_ text: String) throws(JSONError) -> SettingsDocument {
    try SettingsDocument.parse(Array(text.utf8))
  }

  @Test func `every value and name knows its place`() throws {
    let text = Self.file.replacing("1_0", with: "[10, -1.5, true, null,]")
    let root = try Self.parse(text).root
    #expect(root.position == SettingsDocument.Position(line: 2, column: 1))
    let members = try #require(root.members)
    #expect(members.map(\.name) == ["library", "limits"])
    #expect(members[0].namePosition == SettingsDocument.Position(line: 3, column: 3))
    #expect(members[0].node.position == SettingsDocument.Position(line: 3, column: 14))
    #expect(root["limits"]?["body"]?.position == SettingsDocument.Position(line: 5, column: 23))
    let elements = try #require(root["limits"]?["body"]?.elements)
    #expect(elements.map(\.position.column) == [24, 28, 34, 40])
    #expect(elements.map(\.kind) == ["a number", "a number", "true or false", "null"])
    #expect(root["library"]?.kind == "a text")
    #expect(root.kind == "an object")
    #expect(
      root.json == ["library": "libutilities.so", "limits": ["body": [10, -1.5, true, nil]]]
    )
    #expect(root["missing"] == nil)
    #expect(root["library"]?.members == nil)
    #expect(root["library"]?.elements == nil)
  }

  @Test(arguments: [
    (file, 5, 24, "a comma or the closing } is expected here"),
    ("", 1, 1, "the file ends where a value is expected"),
    ("{\n /* x", 2, 2, "this comment is never closed; end it with */"),
    ("{\n / x", 2, 2, "a comment starts with // or /*"),
    ("{\n\"a\": yes}", 2, 6, "a value is expected here; texts stand in double quotes"),
    ("{\"a\":1,\n \"a\":2}", 2, 2, "\"a\" stands twice in the same object"),
    ("{a:1}", 1, 2, "a name in double quotes is expected here"),
    ("{\"a\"=1}", 1, 5, "a colon is expected after \"a\""),
    ("{,}", 1, 2, "a name in double quotes is expected here"),
    ("[1,,]", 1, 4, "a value is expected here; texts stand in double quotes"),
    ("{} {}", 1, 4, "nothing but comments may follow the closing bracket"),
  ])
  func `refuses with line, column and reason`(
    _ text: String,
    _ line: Int,
    _ column: Int,
    _ reason: String
  ) {
    let error = #expect(throws: JSONError.self) { try Self.parse(text) }
    #expect(error?.line == line)
    #expect(error?.column == column)
    #expect(error?.reason == reason)
  }

  @Test func `nests as deep as allowed and no deeper`() throws {
    _ = try SettingsDocument.parse(Array("[[1],{}]".utf8), maxDepth: 2)
    let error = #expect(throws: JSONError.self) {
      try SettingsDocument.parse(Array("[[[]]]".utf8), maxDepth: 2)
    }
    #expect(error?.reason == "lists and objects are nested deeper than 2")
  }

  @Test func `passes over a byte order mark`() throws {
    #expect(try Self.parse("\u{FEFF}{}").root.json == [:])
  }
}
