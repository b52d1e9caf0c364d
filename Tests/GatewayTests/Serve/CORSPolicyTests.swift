import Testing

@testable import Gateway

@Suite("Pages of other origins")
struct CORSPolicyTests {
  private func fields(_ policy: CORSPolicy, _ origin: String) -> String {
    var lines: [UInt8] = []
    _ = policy.appendFields(origin: Array(origin.utf8).span, to: &lines)
    return String(decoding: lines, as: UTF8.self)
  }

  private func allows(_ policy: CORSPolicy, _ origin: String) -> Bool {
    policy.allows(Array(origin.utf8).span)
  }

  private let policy = CORSPolicy(origins: ["https://app.example", "http://localhost:3000"])

  @Test(arguments: ["https://app.example", "http://localhost:3000"])
  func `a configured origin may read, and is named back`(_ origin: String) {
    #expect(allows(policy, origin))
    let text = fields(policy, origin)
    #expect(
      text.hasPrefix(
        "Access-Control-Allow-Origin: \(origin)\r\nAccess-Control-Allow-Credentials: true\r\n"
      )
    )
    #expect(text.hasSuffix("\r\n"))
    #expect(text.contains("Access-Control-Expose-Headers: X-Request-ID, "))
  }

  @Test(arguments: [
    "", "*", "null", "https://app.example.", "https://app.example/", "https://app.exampl",
    "https://app.example.evil", "http://app.example", "https://APP.example", "http://localhost",
    "https://app.example:443",
  ])
  func `any other gets no field`(_ origin: String) {
    #expect(!allows(policy, origin))
    #expect(fields(policy, origin) == "")
    #expect(fields(CORSPolicy(origins: []), origin) == "")
  }

  @Test func `an answer to a preflight lists the path's methods`() {
    let lines = CORSPolicy.preflightLines(methods: ["GET", "HEAD", "OPTIONS"])
    #expect(lines.hasPrefix("Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"))
    for name in ["Authorization", "Content-Type", "X-API-Key"] { #expect(lines.contains(name)) }
    #expect(lines.hasSuffix("Access-Control-Max-Age: 600\r\n"))
    #expect(lines.split(separator: "\r\n").allSatisfy { $0.contains(": ") })
  }
}
