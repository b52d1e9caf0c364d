import Testing
import Wire

@Suite("Path segments")
struct PathSegmentsTests {
  static func check(_ path: String) throws -> Bool {
    try withGuardedBytes(Array(path.utf8)) { try PathSegments.check($0, 0..<$0.count) }
  }

  @Test(arguments: [
    ("/", false), ("", false), ("/v1/files/a.b", false), ("/...", false), ("/.well-known/x", false),
    ("/a..", false), ("//a", false), ("/%41", true), ("/a%2Fb", true), ("/%2e%2e%2e", true),
  ])
  func `says whether segments need decoding`(_ path: String, _ isEncoded: Bool) throws {
    #expect(try Self.check(path) == isEncoded)
  }

  @Test(arguments: [
    ("/.", PathError.dotSegment), ("/..", .dotSegment), ("/a/../b", .dotSegment),
    ("/./a", .dotSegment), ("/%2e", .dotSegment), ("/a/.%2E", .dotSegment),
    ("/%2E%2e/b", .dotSegment), ("..", .dotSegment), ("/a%00", .nul), ("/a%", .malformedPercent),
    ("/%zz", .malformedPercent), ("/%4", .malformedPercent),
  ])
  func `refuses what leads elsewhere`(_ path: String, _ error: PathError) {
    #expect(throws: error) { try Self.check(path) }
    #expect(error.status == 400)
    #expect(error.message.hasSuffix("."))
  }

  @Test func `decodes one segment`() throws {
    func decode(_ text: String) throws -> String {
      try withGuardedBytes(Array(text.utf8)) { try PathSegments.decode($0, 0..<$0.count) }
    }
    #expect(try decode("a%2Fb+%C3%A9") == "a/b+é")
    #expect(throws: PathError.notUTF8) { try decode("%ff") }
    #expect(throws: PathError.nul) { try decode("%00") }
    #expect(throws: PathError.malformedPercent) { try decode("%") }
  }
}
