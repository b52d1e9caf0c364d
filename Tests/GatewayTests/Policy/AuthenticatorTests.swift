import Synchronization
import Testing
import Wire

@testable import Gateway

/// Revocations in memory only.
final class ListedRevocations: RevocationList {
  private let revoked = Mutex<Set<String>>([])
  private let changes = Atomic<UInt64>(0)
  var version: UInt64 { changes.load(ordering: .acquiring) }
  func isRevoked(_ tokenID: String) -> Bool { revoked.withLock { $0.contains(tokenID) } }
  func revoke(_ tokenID: String, until: Int64) {
    _ = revoked.withLock { $0.insert(tokenID) }
    changes.add(1, ordering: .releasing)
  }
}

/// Settings with the key of the tests, two API keys, and whatever `change` makes of them.
func authenticator(
  _ revocations: any RevocationList = ListedRevocations(),
  _ change: (inout Settings) -> Void = { _ in }
) -> Authenticator {
  var settings = Settings()
  settings.jwtSecret = tokenSecret
  settings.apiKeys = [
    .init(
      key: Array("key123".utf8),
      identity: Identity(subject: "user1", scopes: ["read", "write"], tier: "premium")
    ),
    .init(
      key: Array("key456".utf8),
      identity: Identity(subject: "user2", scopes: ["read"], tier: "standard")
    ),
  ]
  change(&settings)
  return Authenticator(settings, revocations: revocations)
}

func token(_ claims: String) -> [UInt8] {
  Array(signedToken(header: #"{"alg":"HS256"}"#, claims: claims).utf8)
}

@Suite("Who is calling")
struct AuthenticatorTests {
  @Test func `a token of PyJWT is its user`() throws {
    let identity = try authenticator().identify(bearer: Array(pyJWTToken.utf8).span, now: tokenTime)
    #expect(
      identity
        == Identity(
          subject: "user123",
          scopes: ["read", "write"],
          tier: "premium",
          mfaVerified: true,
          expiresAt: 1_700_086_400,
          tokenID: "a1b2c3d4"
        )
    )
  }

  @Test func `a tier nobody configured is the standard one`() throws {
    let identity = try authenticator().identify(
      bearer: token(#"{"sub":"a","exp":9,"rate_limit_tier":"gold"}"#).span,
      now: 1
    )
    #expect(identity.tier == "standard")
  }

  @Test func `an expired, a foreign and a revoked token are refused`() throws {
    let revocations = ListedRevocations()
    let authenticator = authenticator(revocations) {
      $0.jwtIssuer = "me"
      $0.jwtAudience = "you"
    }
    func refusal(_ claims: String) -> AuthenticationError? {
      #expect(throws: AuthenticationError.self) {
        try authenticator.identify(bearer: token(claims).span, now: 1000)
      }
    }
    #expect(refusal(#"{"sub":"a","exp":9,"iss":"me","aud":"you"}"#) == .expired)
    #expect(refusal(#"{"sub":"a","exp":2000,"nbf":1500,"iss":"me","aud":"you"}"#) == .notYetValid)
    #expect(refusal(#"{"sub":"a","exp":2000,"aud":"you"}"#) == .wrongIssuer)
    #expect(refusal(#"{"sub":"a","exp":2000,"iss":"me"}"#) == .wrongAudience)
    revocations.revoke("x", until: 2000)
    #expect(refusal(#"{"sub":"a","exp":2000,"iss":"me","aud":"you","jti":"x"}"#) == .revoked)
  }

  @Test func `a credential at the limit is looked at and one byte more is not`() throws {
    let bytes = Array(pyJWTToken.utf8)
    let exact = authenticator { $0.limits.credentialBytes = bytes.count }
    #expect(throws: Never.self) { try exact.identify(bearer: bytes.span, now: tokenTime) }
    let short = authenticator { $0.limits.credentialBytes = bytes.count - 1 }
    #expect(throws: AuthenticationError.tooLong(limit: bytes.count - 1)) {
      try short.identify(bearer: bytes.span, now: tokenTime)
    }
    #expect(throws: AuthenticationError.tooLong(limit: bytes.count - 1)) {
      try short.identify(apiKey: bytes.span)
    }
  }

  @Test func `API keys are found whole and in no other way`() throws {
    let authenticator = authenticator()
    #expect(try authenticator.identify(apiKey: Array("key123".utf8).span).subject == "user1")
    #expect(try authenticator.identify(apiKey: Array("key456".utf8).span).subject == "user2")
    for key in ["", "key12", "key1234", "KEY123", "user1", "key123:user1:read,write:premium"] {
      #expect(throws: AuthenticationError.unknownKey) {
        try authenticator.identify(apiKey: Array(key.utf8).span)
      }
    }
  }

  @Test func `a bearer credential is a token by its form, else an API key`() throws {
    let authenticator = authenticator {
      $0.apiKeys += ["a.b.c", ".", "a.b.c.d"].map { key in
        .init(
          key: Array(key.utf8),
          identity: Identity(subject: "dotted", scopes: ["read"], tier: "standard")
        )
      }
      $0.limits.credentialBytes = pyJWTToken.utf8.count
    }
    func identify(_ credential: String) throws -> String {
      let bytes = Array(credential.utf8)
      return try authenticator.identify(credential: bytes.span, now: tokenTime).subject
    }
    #expect(try identify(pyJWTToken) == "user123" && identify("key123") == "user1")
    #expect(try identify(".") == "dotted" && identify("a.b.c.d") == "dotted")
    // A key with a token's form is taken from its own field alone.
    #expect(throws: AuthenticationError.self) { try identify("a.b.c") }
    #expect(try authenticator.identify(apiKey: Array("a.b.c".utf8).span).subject == "dotted")
    for wrong in [
      "", "key12", "key1234", "KEY123", "key123.", "key123..", "user1", "key123:user1:read",
    ] {
      let error = #expect(throws: AuthenticationError.self) { try identify(wrong) }
      #expect(
        error?.status == 401 && error?.challenge.contains("invalid_token") == true,
        "\(wrong)"
      )
    }
    #expect(throws: AuthenticationError.tooLong(limit: pyJWTToken.utf8.count)) {
      try identify(String(repeating: "x", count: pyJWTToken.utf8.count + 1))
    }
  }

  @Test func `deny by default, MFA before scope, and the scope is named`() throws {
    let identity = Identity(subject: "a", scopes: ["read", "fog:run"], tier: "standard")
    let verified = Identity(subject: "a", scopes: ["read"], tier: "standard", mfaVerified: true)
    let window = RateWindows(callers: 1).window(for: "a")
    let open = authenticator()
    let strict = authenticator { $0.requireMFA = true }
    let caller = Caller(identity, tier: RateTiers(Tier.standardTiers).fallback, window: window)
    #expect(caller.scopes == Array("read fog:run".utf8) && caller.subject == Array("a".utf8))
    for (scope, isAllowed) in ["read": true, "fog:run": true, "write": false, "fog": false] {
      let required = RequiredScope(name: scope)
      #expect(caller.may(required) == isAllowed)
      if isAllowed {
        #expect(throws: Never.self) {
          try open.admit(identity, scope: scope)
          try open.admit(caller, required)
        }
      } else {
        #expect(throws: AuthenticationError.missingScope(scope)) {
          try open.admit(identity, scope: scope)
        }
        #expect(throws: AuthenticationError.missingScope(scope)) {
          try open.admit(caller, required)
        }
      }
      #expect(throws: AuthenticationError.mfaRequired) {
        try strict.admit(identity, scope: scope)
      }
      #expect(throws: AuthenticationError.mfaRequired) { try strict.admit(caller, required) }
    }
    #expect(throws: AuthenticationError.missing) { try open.admit(nil, scope: "read") }
    #expect(throws: AuthenticationError.missing) {
      try open.admit(nil, RequiredScope(name: "read"))
    }
    #expect(throws: Never.self) { try strict.admit(verified, scope: "read") }
  }

  @Test func `the token is found in its field`() throws {
    for (field, token) in ["Bearer a.b.c": "a.b.c", "bearer x": "x", "BEARER   x": "x"] {
      let bytes = Array(field.utf8)
      let range = try Authenticator.token(in: bytes.span)
      #expect(String(decoding: bytes[range], as: UTF8.self) == token)
    }
  }

  @Test(arguments: [
    "", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "Bearer\ta", "Bearera", "Bearer a b",
    "Bearer a\t", " Bearer a", "Bearer ä", "Bearer: a", "\"earer a",
  ])
  func `is no bearer token`(_ field: String) {
    #expect(throws: AuthenticationError.wrongScheme) {
      try Authenticator.token(in: Array(field.utf8).span)
    }
  }
}
