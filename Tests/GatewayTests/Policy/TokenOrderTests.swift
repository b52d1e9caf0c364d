import Testing
import Wire

@testable import Gateway

@Suite("Arguments of token create")
struct TokenOrderTests {
  func order(_ arguments: String...) throws(UsageError) -> TokenOrder {
    try TokenOrder(arguments[...], tiers: Tier.standardTiers)
  }

  @Test func `a user alone gets the original's defaults`() throws {
    let order = try order("--user", "ann")
    #expect(order.subject == "ann" && order.scopes == ["read"] && order.tier == "standard")
    #expect(!order.mfaVerified && order.lifetime == 86_400)
  }

  @Test func `takes all options, in both spellings`() throws {
    let one = try order(
      "--user",
      "ann",
      "--scope",
      "read,write",
      "--tier",
      "premium",
      "--mfa",
      "--ttl",
      "90m"
    )
    let two = try order("--ttl=90m", "--mfa", "--tier=premium", "--scope=read,write", "--user=ann")
    #expect(one == two)
    #expect(one.lifetime == 5400 && one.mfaVerified && one.scopes == ["read", "write"])
  }

  @Test func `what it makes lets its user in`() throws {
    let order = try order("--user", "ann", "--scope", "admin", "--tier", "premium", "--mfa")
    let claims = order.claims(now: 1000, tokenID: "j", issuer: "me", audience: "you")
    let judge = authenticator {
      $0.jwtIssuer = "me"
      $0.jwtAudience = "you"
    }
    let token = Array(JWT.sign(claims, secret: tokenSecret).utf8)
    let identity = try judge.identify(bearer: token.span, now: 1000)
    #expect(
      identity
        == Identity(
          subject: "ann",
          scopes: ["admin"],
          tier: "premium",
          mfaVerified: true,
          expiresAt: 87_400,
          tokenID: "j"
        )
    )
  }

  @Test(arguments: [("1s", 1), ("3650d", 3650 * 86_400), ("24h", 86_400), ("2m", 120)])
  func `is a lifetime`(_ text: String, _ seconds: Int64) throws {
    #expect(try order("--user", "a", "--ttl", text).lifetime == seconds)
  }

  @Test(arguments: [
    "", "0s", "3651d", "1", "h", "-1h", "1.5h", "1w", "99999999999999999999d", "+1h",
  ])
  func `is no lifetime`(_ text: String) {
    #expect(throws: UsageError.self) { try order("--user", "a", "--ttl", text) }
  }

  @Test func `everything wrong is said at once`() throws {
    let error = try #require(throws: UsageError.self) {
      try order("--scope", "a,,b", "--tier", "gold", "--nope", "--mfa=1", "--ttl")
    }
    #expect(error.problems.count == 6)
    #expect(error.problems[0].hasPrefix("--user: it is required"))
    #expect(error.description.contains("standard, premium, enterprise"))
  }

  @Test func `an option twice, an empty user and a stray word are refused`() {
    #expect(throws: UsageError.self) { try order("--user", "a", "--user", "b") }
    #expect(throws: UsageError.self) { try order("--user", "") }
    #expect(throws: UsageError.self) { try order("--user", "a", "b") }
    #expect(throws: UsageError.self) { try order("--user", "a\u{1B}") }
  }
}
