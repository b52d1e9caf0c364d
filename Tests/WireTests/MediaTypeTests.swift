import Testing
import Wire

@Suite("Media types, RFC 9110 §8.3.1")
struct MediaTypeTests {
  static func parse(_ text: String) throws -> MediaType? {
    try withGuardedBytes(Array(text.utf8)) { MediaType.parse($0) }
  }

  @Test func `reads type and parameters`() throws {
    let text = " Text/HTML ;Charset=UTF-8; title=\"a; \\\"b\\\"\"; "
    let type = try #require(try Self.parse(text))
    #expect(type.type == "text")
    #expect(type.subtype == "html")
    #expect(type.essence == "text/html")
    #expect(type["charset"] == "UTF-8")
    #expect(type["title"] == "a; \"b\"")
    #expect(type["missing"] == nil)
    #expect(type.parameters.map(\.name) == ["charset", "title"])
    #expect(try Self.parse("application/json")?.parameters.isEmpty == true)
  }

  @Test(arguments: [
    "", "text", "text/", "/html", "text/html x", "text/html;a", "text/html;a=", "text/html;=b",
    "text/html;a=\"b", "text/html;a=\"b\\", "text/html;a=b;A=c", "text/html,text/plain",
    "text /html", "text/ht ml", "text/html;a =b", "text/html;a=\"\u{1}\"", "text/html;a=\"b\"c",
  ])
  func `refuses what is malformed`(_ text: String) throws {
    #expect(try Self.parse(text) == nil)
  }
}
