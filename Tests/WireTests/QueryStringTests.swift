import Testing
import Wire

@Suite("Query strings")
struct QueryStringTests {
  static func parse(_ text: String, maxParameters: Int = 256) throws -> QueryString {
    try withGuardedBytes(Array(text.utf8)) {
      try QueryString.parse($0, maxParameters: maxParameters)
    }
  }

  @Test(
    arguments: [
      ("", []), ("a=1", [("a", "1")]), ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
      ("&&a=1&", [("a", "1")]), ("a", [("a", "")]), ("a=", [("a", "")]), ("=b", [("", "b")]),
      ("a=b=c", [("a", "b=c")]), ("a+b=c%20d%2B", [("a b", "c d+")]), ("%C3%A9=%26", [("é", "&")]),
    ] as [(String, [(String, String)])]
  )
  func `keeps names and values in order`(
    _ text: String,
    _ expected: [(String, String)]
  ) throws {
    let query = try Self.parse(text)
    #expect(query.parameters == expected.map { QueryString.Parameter(name: $0.0, value: $0.1) })
  }

  @Test func `finds the first and all of a name`() throws {
    let query = try Self.parse("a=1&b=2&a=3")
    #expect(query["a"] == "1")
    #expect(query["c"] == nil)
    #expect(query.all("a") == ["1", "3"])
    #expect(query.all("c").isEmpty)
  }

  @Test(arguments: [
    ("a=%", QueryError.malformedPercent), ("%x=1", .malformedPercent), ("a=%ff", .notUTF8),
    ("%C3=1", .notUTF8),
  ])
  func `refuses what cannot be decoded`(_ text: String, _ error: QueryError) {
    #expect(throws: error) { try Self.parse(text) }
    #expect(error.message.hasSuffix("."))
  }

  @Test func `takes as many as allowed and not one more`() throws {
    #expect(try Self.parse("a&b", maxParameters: 2).parameters.count == 2)
    #expect(throws: QueryError.tooManyParameters(limit: 2)) {
      try Self.parse("a&b&c", maxParameters: 2)
    }
  }
}
