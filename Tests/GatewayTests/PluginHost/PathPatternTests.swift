import Testing

@testable import Gateway

@Suite("Route patterns")
struct PathPatternTests {
  @Test func `has literal and named segments`() throws {
    let pattern = try PathPattern("/v1/files/{id}/content")
    #expect(
      pattern.segments == [
        .literal("v1"), .literal("files"), .parameter("id"), .literal("content"),
      ]
    )
    #expect(pattern.shape == "/v1/files/{}/content")
    #expect(try PathPattern("/").segments.isEmpty)
    #expect(try PathPattern("/").shape == "/")
  }

  @Test(arguments: [
    ("", PathPattern.Refusal.noLeadingSlash), ("v1", .noLeadingSlash), ("/v1/", .trailingSlash),
    ("//v1", .emptySegment), ("/{", .badParameter("{")), ("/{}", .badParameter("{}")),
    ("/a{b}", .badParameter("a{b}")), ("/{a}{b}", .badParameter("{a}{b}")),
    ("/{a-b}", .badParameter("{a-b}")), ("/{a}/{a}", .repeatedParameter("a")),
    ("/a b", .badByte(0x20)),
    ("/a%20b", .badByte(0x25)), ("/a?b", .badByte(0x3F)), ("/é", .badByte(0xC3)),
  ])
  func `refuses what could match nothing or two ways`(
    _ text: String,
    _ refusal: PathPattern.Refusal
  ) {
    #expect(throws: refusal) { try PathPattern(text) }
  }

  @Test func `keeps its limits`() throws {
    let longest = "/" + String(repeating: "a", count: PathPattern.maxBytes - 1)
    _ = try PathPattern(longest)
    #expect(throws: PathPattern.Refusal.tooLong(limit: PathPattern.maxBytes)) {
      try PathPattern(longest + "a")
    }
    let deepest = String(repeating: "/a", count: PathPattern.maxSegments)
    _ = try PathPattern(deepest)
    #expect(throws: PathPattern.Refusal.tooManySegments(limit: PathPattern.maxSegments)) {
      try PathPattern(deepest + "/a")
    }
  }
}
