import Testing
import Wire

@testable import Gateway

@Suite("The claims of a token")
struct TokenClaimsTests {
  func claims(_ text: String) throws -> TokenClaims { try TokenClaims(try JSON.parse(text)) }

  @Test func `reads the original's claims`() throws {
    let claims = try TokenClaims(verify(pyJWTToken))
    #expect(claims.subject == "user123" && claims.scopes == ["read", "write"])
    #expect(claims.tier == "premium" && claims.mfaVerified && claims.tokenID == "a1b2c3d4")
    #expect(claims.issuedAt == 1_700_000_000 && claims.expiresAt == 1_700_086_400)
    #expect(claims.notBefore == nil && claims.issuer == nil && claims.audiences.isEmpty)
  }

  @Test func `a token that says nothing more may nothing more`() throws {
    let claims = try claims(#"{"sub":"a","exp":1.9}"#)
    #expect(claims.scopes.isEmpty && claims.tier == nil && !claims.mfaVerified)
    #expect(claims.expiresAt == 1)
  }

  @Test(arguments: [
    (#""scope":"read write""#, ["read", "write"]), (#""scope":" read  read ""#, ["read"]),
    (#""scopes":["admin"]"#, ["admin"]), (#""scope":["read"],"scopes":["admin"]"#, ["read"]),
    (#""scope":"""#, []), (#""scope":[]"#, []), (#""scope":["fog:run"]"#, ["fog:run"]),
  ])
  func `scopes are a list or words`(_ text: String, _ scopes: [String]) throws {
    #expect(try claims(#"{"sub":"a","exp":1,"# + text + "}").scopes == scopes)
  }

  @Test func `the documents' name of the tier is taken too`() throws {
    #expect(try claims(#"{"sub":"a","exp":1,"tier":"premium"}"#).tier == "premium")
    let both = try claims(#"{"sub":"a","exp":1,"tier":"x","rate_limit_tier":"premium"}"#)
    #expect(both.tier == "premium")
  }

  @Test(arguments: [
    #"{"exp":1}"#, #"{"sub":"","exp":1}"#, #"{"sub":1,"exp":1}"#, #"{"sub":"a\n","exp":1}"#,
    #"{"sub":"a\u0085","exp":1}"#, #"{"sub":null,"exp":1}"#, #"{"sub":"a"}"#,
    #"{"sub":"a","exp":"1"}"#, #"{"sub":"a","exp":null}"#, #"{"sub":"a","exp":1,"nbf":true}"#,
    #"{"sub":"a","exp":1,"iat":"now"}"#, #"{"sub":"a","exp":1,"jti":7}"#,
    #"{"sub":"a","exp":1,"scope":7}"#, #"{"sub":"a","exp":1,"scope":["a b"]}"#,
    #"{"sub":"a","exp":1,"scope":[1]}"#, #"{"sub":"a","exp":1,"scope":[""]}"#,
    #"{"sub":"a","exp":1,"scope":"a\"b"}"#, #"{"sub":"a","exp":1,"mfa_verified":"true"}"#,
    #"{"sub":"a","exp":1,"mfa_verified":1}"#, #"{"sub":"a","exp":1,"rate_limit_tier":7}"#,
    #"{"sub":"a","exp":1,"aud":7}"#, #"{"sub":"a","exp":1,"aud":["x",7]}"#,
    #"{"sub":"a","exp":1,"iss":7}"#, "[]",
  ])
  func `is malformed`(_ text: String) throws {
    let error = #expect(throws: AuthenticationError.self) { try claims(text) }
    guard case .malformed(let defect) = error else {
      Issue.record("\(text): \(error.debugDescription)")
      return
    }
    #expect(!defect.contains("\""))
  }

  @Test func `a subject has 256 bytes and not one more, scopes 64 and not one more`() throws {
    func subject(_ count: Int) -> String {
      #"{"exp":1,"sub":""# + String(repeating: "a", count: count) + "\"}"
    }
    #expect(try claims(subject(256)).subject.utf8.count == 256)
    #expect(throws: AuthenticationError.self) { try claims(subject(257)) }
    func scopes(_ count: Int) -> String {
      #"{"sub":"a","exp":1,"scope":""# + (0..<count).map { "s\($0)" }.joined(separator: " ") + "\"}"
    }
    #expect(try claims(scopes(64)).scopes.count == 64)
    #expect(throws: AuthenticationError.self) { try claims(scopes(65)) }
  }

  @Test func `times beyond all reason do not overflow`() throws {
    for exp in ["9223372036854775807", "1e300", "1e18"] {
      let claims = try claims(#"{"sub":"a","exp":\#(exp),"nbf":-9223372036854775808}"#)
      #expect(throws: Never.self) { try claims.checkTimes(now: tokenTime) }
    }
    for exp in ["-9223372036854775808", "-1e300"] {
      #expect(throws: AuthenticationError.expired) {
        try claims(#"{"sub":"a","exp":\#(exp)}"#).checkTimes(now: tokenTime)
      }
    }
  }

  @Test func `30 seconds of skew are allowed and not one more`() throws {
    let late = try claims(#"{"sub":"a","exp":1000}"#)
    #expect(throws: Never.self) { try late.checkTimes(now: 1029) }
    #expect(throws: AuthenticationError.expired) { try late.checkTimes(now: 1030) }
    for claim in ["nbf", "iat"] {
      let early = try claims(#"{"sub":"a","exp":9000,"\#(claim)":1000}"#)
      #expect(throws: Never.self) { try early.checkTimes(now: 970) }
      #expect(throws: AuthenticationError.notYetValid) { try early.checkTimes(now: 969) }
    }
  }

  @Test func `issuer and audience are checked where they are configured`() throws {
    let one = try claims(#"{"sub":"a","exp":1,"iss":"me","aud":"you"}"#)
    let many = try claims(#"{"sub":"a","exp":1,"aud":["x","you"]}"#)
    #expect(throws: Never.self) {
      try one.check(issuer: nil, audience: nil)
      try one.check(issuer: "me", audience: "you")
      try many.check(issuer: nil, audience: "you")
    }
    #expect(throws: AuthenticationError.wrongIssuer) { try one.check(issuer: "m", audience: nil) }
    #expect(throws: AuthenticationError.wrongIssuer) { try many.check(issuer: "me", audience: nil) }
    #expect(throws: AuthenticationError.wrongAudience) { try one.check(issuer: nil, audience: "x") }
  }
}
