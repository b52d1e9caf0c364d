import Testing
import Wire

@Suite("Content negotiation, RFC 9110 §12.5")
struct QualityListTests {
  @Test(arguments: [
    ("gzip", true), ("deflate, GZIP;q=0.5, br", true), ("x-gzip", true), ("*", true),
    ("br, *;q=0.1", true), ("gzip;q=0", false), ("gzip;q=0.000, *", false), ("*;q=0", false),
    ("", false), ("br", false), ("identity", false), ("gzip;q=2", false), ("gzip;q=", false),
    ("gzip;q=1.001", false), ("gzip; Q=1.000", true), ("gzip;q=0.0001", false),
    ("gzip;q=0.", false),
    ("gzip;x=1;q=0.001", true), ("gzip;q=1x", false), ("gzip;;", true),
  ])
  func `says whether gzip is welcome`(_ text: String, _ expected: Bool) throws {
    let result = try withGuardedBytes(Array(text.utf8)) {
      QualityList.acceptsGzip($0, 0..<$0.count)
    }
    #expect(result == expected)
  }

  @Test(arguments: [
    ("application/problem+json", true), ("application/problem+json, application/json", true),
    ("application/json, application/problem+json", false),
    ("application/json;q=0.5, application/problem+json", true),
    ("application/problem+json;q=0.4, application/json;q=0.5", false),
    ("application/problem+json;q=0", false), ("*/*", false), ("application/*", false), ("", false),
    ("text/html, Application/Problem+JSON;q=0.9, */*;q=0.8", true), ("application/json", false),
  ])
  func `prefers problem details only where they are named`(
    _ text: String,
    _ expected: Bool
  ) throws {
    let result = try withGuardedBytes(Array(text.utf8)) {
      QualityList.prefersProblem($0, 0..<$0.count)
    }
    #expect(result == expected)
  }
}
