import Testing
import Wire

@testable import Gateway

/// The key of all tokens in these tests.
let tokenSecret = Array("0123456789abcdef0123456789abcdef".utf8)

/// A time at which `pyJWTToken` is valid.
let tokenTime: Int64 = 1_700_000_100

/// Made by PyJWT 2.15.1: `jwt.encode(claims, "0123456789abcdef" * 2, algorithm="HS256")`.
let pyJWTToken =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyMTIzIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDA"
  + "wODY0MDAsInNjb3BlIjpbInJlYWQiLCJ3cml0ZSJdLCJtZmFfdmVyaWZpZWQiOnRydWUsInJhdGVfbGltaXRfdGllciI6InB"
  + "yZW1pdW0iLCJqdGkiOiJhMWIyYzNkNCJ9.4MJ-K8s9hNwrNBg4KBjnZLyPLCGlBYrsX7jzs15zFuU"

/// A token with any header and any claims, properly signed.
func signedToken(header: String, claims: String, secret: [UInt8] = tokenSecret) -> String {
  let signed = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
  return signed + "."
    + Base64URL.encode(JWT.signature(of: Array(signed.utf8).span, secret: secret))
}

func verify(_ token: String) throws(AuthenticationError) -> JSON {
  try JWT.verify(Array(token.utf8).span, secret: tokenSecret)
}

@Suite("JSON Web Tokens, RFC 7519 with HS256 only")
struct JWTTests {
  static let header = #"{"alg":"HS256","typ":"JWT"}"#
  static let claims = #"{"sub":"a","exp":1}"#

  @Test func `a token made by PyJWT verifies`() throws {
    let claims = try verify(pyJWTToken)
    #expect(claims["sub"] == "user123" && claims["exp"] == 1_700_086_400)
  }

  @Test func `what is signed here verifies here`() throws {
    let claims: JSON = ["sub": "ü", "exp": 1]
    #expect(try verify(JWT.sign(claims, secret: tokenSecret)) == claims)
  }

  @Test func `the same claims give PyJWT's bytes`() throws {
    #expect(JWT.sign(try verify(pyJWTToken), secret: tokenSecret) == pyJWTToken)
  }

  @Test func `no cut of a token verifies`() {
    for count in 0..<pyJWTToken.utf8.count {
      #expect(throws: AuthenticationError.self) { try verify(String(pyJWTToken.prefix(count))) }
    }
  }

  @Test func `no token with one bit turned verifies`() {
    let bytes = Array(pyJWTToken.utf8)
    for index in bytes.indices {
      for bit in 0..<8 {
        var turned = bytes
        turned[index] ^= 1 << UInt8(bit)
        #expect(throws: AuthenticationError.self) {
          try JWT.verify(turned.span, secret: tokenSecret)
        }
      }
    }
  }

  @Test(arguments: [
    #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS384"}"#,
    #"{"alg":"RS256"}"#, #"{"typ":"JWT"}"#, #"{"alg":["HS256"]}"#, #"{"alg":null}"#, "{}",
    #"{"alg":"HS256 "}"#,
  ])
  func `another algorithm is refused, also when the signature matches`(_ header: String) {
    #expect(throws: AuthenticationError.wrongAlgorithm) {
      try verify(signedToken(header: header, claims: Self.claims))
    }
  }

  @Test func `an unsigned token is refused`() {
    let none = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
    let claims = Base64URL.encode(Array(Self.claims.utf8))
    #expect(throws: AuthenticationError.wrongAlgorithm) { try verify("\(none).\(claims).") }
    let right = Base64URL.encode(Array(Self.header.utf8))
    #expect(throws: AuthenticationError.badSignature) { try verify("\(right).\(claims).") }
  }

  @Test(arguments: [
    #"{"alg":"HS256","crit":["exp"]}"#, #"{"alg":"HS256","crit":[]}"#,
    #"{"alg":"HS256","typ":"refresh+jwt"}"#, #"{"alg":"HS256","typ":1}"#,
    #"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"none","alg":"HS256"}"#, "[]", "x", "",
  ])
  func `a header with more than it may say is malformed`(_ header: String) {
    let error = #expect(throws: AuthenticationError.self) {
      try verify(signedToken(header: header, claims: Self.claims))
    }
    guard case .malformed = error else {
      Issue.record("\(header): \(error.debugDescription)")
      return
    }
  }

  @Test(arguments: [
    #"{"alg":"HS256"}"#, #"{"alg":"HS256","typ":"jwt"}"#, #"{"alg":"HS256","typ":"at+jwt"}"#,
    #"{"alg":"HS256","kid":"../../dev/null","jku":"http://evil","jwk":{},"x5u":"x"}"#,
  ])
  func `keys that a header offers are not looked at`(_ header: String) throws {
    #expect(try verify(signedToken(header: header, claims: Self.claims))["sub"] == "a")
  }

  @Test func `another key is refused`() {
    var other = tokenSecret
    other[31] ^= 1
    #expect(throws: AuthenticationError.badSignature) {
      try verify(signedToken(header: Self.header, claims: Self.claims, secret: other))
    }
  }

  @Test(arguments: [
    "", ".", "..", "...", "a.b", "a.b.c.d", "=.=.=", pyJWTToken + "=", pyJWTToken + ".",
    " " + pyJWTToken, pyJWTToken + "\n", pyJWTToken.replacing("4MJ-", with: "4MJ+"),
  ])
  func `is no token`(_ token: String) {
    let error = #expect(throws: AuthenticationError.self) { try verify(token) }
    guard case .malformed = error else {
      Issue.record("\(token): \(error.debugDescription)")
      return
    }
  }

  @Test(arguments: ["[]", "1", "{", "", #"{"sub":"a","sub":"b"}"#])
  func `claims that are no object are malformed`(_ claims: String) {
    #expect(throws: AuthenticationError.malformed("its claims are no JSON object")) {
      try verify(signedToken(header: Self.header, claims: claims))
    }
  }

  @Test func `token identifiers are 128 bits and differ`() {
    let made = (0..<100).map { _ in JWT.newTokenID() }
    #expect(Set(made).count == 100 && made.allSatisfy { $0.utf8.count == 32 })
  }
}
