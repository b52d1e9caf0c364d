import Synchronization
import Testing

@testable import Gateway

@Suite("Credentials that were verified before")
struct TokenCacheTests {
  func cache(
    _ revocations: any RevocationList = ListedRevocations(),
    capacity: Int = 1024,
    rates: RateWindows = RateWindows(callers: 100)
  ) -> TokenCache {
    TokenCache(
      authenticator(revocations),
      rates: rates,
      tiers: RateTiers(Tier.standardTiers),
      capacity: capacity
    )
  }

  @Test func `the second time the same caller comes back`() throws {
    let cache = cache()
    let bytes = Array(pyJWTToken.utf8)
    let first = try cache.caller(bearer: bytes.span, now: tokenTime)
    let second = try cache.caller(bearer: Array(bytes).span, now: tokenTime)
    #expect(first === second)
    #expect(first.tier.name == "premium" && first.subject == Array("user123".utf8))
    #expect(first.scopes == Array("read write".utf8))
  }

  @Test func `expiry is seen every time`() throws {
    let cache = cache()
    let bytes = token(#"{"sub":"a","exp":1000}"#)
    #expect(throws: Never.self) { try cache.caller(bearer: bytes.span, now: 1029) }
    #expect(throws: AuthenticationError.expired) { try cache.caller(bearer: bytes.span, now: 1030) }
  }

  @Test func `a revocation is seen at once`() throws {
    let revocations = ListedRevocations()
    let cache = cache(revocations)
    let bytes = Array(pyJWTToken.utf8)
    _ = try cache.caller(bearer: bytes.span, now: tokenTime)
    revocations.revoke("a1b2c3d4", until: 1_700_086_400)
    #expect(throws: AuthenticationError.revoked) {
      try cache.caller(bearer: bytes.span, now: tokenTime)
    }
  }

  @Test func `a remembered token does not cover one that differs in a byte`() throws {
    let cache = cache()
    var bytes = Array(pyJWTToken.utf8)
    _ = try cache.caller(bearer: bytes.span, now: tokenTime)
    for index in bytes.indices {
      bytes[index] ^= 1
      #expect(throws: AuthenticationError.self) {
        try cache.caller(bearer: bytes.span, now: tokenTime)
      }
      bytes[index] ^= 1
    }
  }

  @Test func `an API key is remembered, also as a bearer credential, and a token is no API key`()
    throws
  {
    let cache = cache()
    let key = Array("key123".utf8)
    let first = try cache.caller(apiKey: key.span, now: 0)
    #expect(try cache.caller(apiKey: key.span, now: 1 << 40) === first)
    let second = try cache.caller(bearer: key.span, now: 0)
    #expect(second.identity == first.identity && second.window === first.window)
    #expect(try cache.caller(bearer: key.span, now: 1 << 40) === second)
    #expect(throws: AuthenticationError.self) {
      try cache.caller(bearer: Array("key12".utf8).span, now: 0)
    }
    #expect(throws: AuthenticationError.unknownKey) {
      try cache.caller(apiKey: Array(pyJWTToken.utf8).span, now: 0)
    }
  }

  @Test func `more tokens than there is room for still work`() throws {
    let cache = cache(capacity: 2)
    for round in 0..<3 {
      for index in 0..<20 {
        let bytes = token(#"{"sub":"u\#(index)","exp":1000}"#)
        let caller = try cache.caller(bearer: bytes.span, now: Int64(round))
        #expect(caller.identity.subject == "u\(index)")
      }
    }
  }

  @Test func `two tokens of one user share a quota, over all caches`() throws {
    let rates = RateWindows(callers: 100)
    let one = try cache(rates: rates).caller(
      bearer: token(#"{"sub":"a","exp":1000}"#).span,
      now: 0
    )
    let other = try cache(rates: rates).caller(
      bearer: token(#"{"sub":"a","exp":1001}"#).span,
      now: 0
    )
    #expect(one.window === other.window)
  }

  @Test func `an empty credential is refused, not looked up`() {
    let cache = cache()
    let none: [UInt8] = []
    #expect(throws: AuthenticationError.self) { try cache.caller(bearer: none.span, now: 0) }
    #expect(throws: AuthenticationError.unknownKey) { try cache.caller(apiKey: none.span, now: 0) }
  }
}

@Suite("The hash of credentials")
struct CredentialHashTests {
  @Test func `every bit and every length counts`() {
    let hash = CredentialHash()
    var seen: Set<UInt64> = []
    var count = 0
    for length in 0...80 {
      var bytes = [UInt8](repeating: 0, count: length)
      seen.insert(hash(bytes.span))
      count += 1
      for index in bytes.indices {
        for bit in 0..<8 {
          bytes[index] ^= 1 << UInt8(bit)
          seen.insert(hash(bytes.span))
          count += 1
          bytes[index] ^= 1 << UInt8(bit)
        }
      }
    }
    #expect(seen.count == count)
  }

  @Test func `is the same for the same bytes and another in another instance`() {
    let bytes = Array(pyJWTToken.utf8)
    let hash = CredentialHash()
    #expect(hash(bytes.span) == hash(Array(bytes).span))
    #expect(hash(bytes.span) != CredentialHash()(bytes.span))
  }
}
