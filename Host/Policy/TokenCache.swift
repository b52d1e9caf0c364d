import Glibc

/// Credentials that were verified before, so that most requests cost no HMAC and no JSON.
///
/// Not `Sendable`, on purpose: each event loop has its own. Holds at most `capacity` callers with
/// their credentials, each at most `Limits.credentialBytes` long.
package final class TokenCache {
  private enum Kind { case bearer, apiKey }

  private final class Entry {
    let kind: Kind
    let hash: UInt64
    let credential: [UInt8]
    let caller: Caller
    /// Seconds since 1970 at which it is no longer served, skew included.
    let end: Int64

    init(_ kind: Kind, hash: UInt64, credential: [UInt8], caller: Caller) {
      self.kind = kind
      self.hash = hash
      self.credential = credential
      self.caller = caller
      end = caller.identity.expiresAt.map { $0 + TokenClaims.skew } ?? .max
    }
  }

  private let authenticator: Authenticator
  private let rates: any RateCounter
  private let tiers: RateTiers
  private let revocations: any RevocationList
  private let hash = CredentialHash()
  private let mask: Int
  private var entries: [Entry?]
  private var seenRevocations: UInt64

  /// Makes an empty cache.
  ///
  /// - Parameters:
  ///   - authenticator: Verifies what is not remembered.
  ///   - rates: Where callers are counted.
  ///   - tiers: The configured tiers.
  ///   - capacity: Entries, a power of two, at least 2.
  package init(
    _ authenticator: Authenticator,
    rates: any RateCounter,
    tiers: RateTiers,
    capacity: Int = 1024
  ) {
    precondition(capacity >= 2 && capacity & (capacity - 1) == 0, "not a power of two: \(capacity)")
    self.authenticator = authenticator
    self.rates = rates
    self.tiers = tiers
    revocations = authenticator.revocations
    seenRevocations = revocations.version
    mask = capacity - 1
    entries = Array(repeating: nil, count: capacity)
  }

  /// The caller that a bearer credential speaks for.
  ///
  /// - Parameters:
  ///   - token: The compact form of a JWT, or an API key without a token's form.
  ///   - now: Seconds since 1970.
  /// - Returns: The caller, remembered from now on.
  /// - Throws: `AuthenticationError`; refusals are not remembered.
  package func caller(
    bearer token: Span<UInt8>,
    now: Int64
  ) throws(AuthenticationError) -> Caller {
    let hash = hash(token)
    if let known = lookUp(.bearer, token, hash, now) { return known }
    return remember(
      .bearer,
      try authenticator.identify(credential: token, now: now),
      token,
      hash
    )
  }

  /// The caller an API key belongs to.
  package func caller(apiKey: Span<UInt8>, now: Int64) throws(AuthenticationError) -> Caller {
    let hash = hash(apiKey)
    if let known = lookUp(.apiKey, apiKey, hash, now) { return known }
    return remember(.apiKey, try authenticator.identify(apiKey: apiKey), apiKey, hash)
  }

  private func lookUp(
    _ kind: Kind,
    _ credential: Span<UInt8>,
    _ hash: UInt64,
    _ now: Int64
  ) -> Caller? {
    // Read before anything is verified: what is revoked meanwhile empties the cache next time.
    let version = revocations.version
    guard version == seenRevocations else {
      seenRevocations = version
      entries = Array(repeating: nil, count: mask + 1)
      return nil
    }
    let place = Int(truncatingIfNeeded: hash) & mask
    for index in [place, place ^ 1] {
      guard let entry = entries[index], entry.hash == hash, entry.kind == kind,
        isEqual(entry.credential, credential)
      else { continue }
      if now < entry.end { return entry.caller }
      entries[index] = nil
    }
    return nil
  }

  private func remember(
    _ kind: Kind,
    _ identity: Identity,
    _ credential: Span<UInt8>,
    _ hash: UInt64
  ) -> Caller {
    let caller = Caller(
      identity,
      tier: tiers.named(identity.tier),
      window: rates.window(for: RateKey.subject(identity.subject))
    )
    var bytes: [UInt8] = []
    bytes.reserveCapacity(credential.count)
    for index in credential.indices { bytes.append(credential[index]) }
    let place = Int(truncatingIfNeeded: hash) & mask
    let index = entries[place] == nil || entries[place ^ 1] != nil ? place : place ^ 1
    entries[index] = Entry(kind, hash: hash, credential: bytes, caller: caller)
    return caller
  }

  /// Whether the bytes are the same.
  ///
  /// Not in constant time: only a credential whose keyed 64-bit hash matches comes this far, so its
  /// time says nothing about bytes that were guessed.
  private func isEqual(_ known: [UInt8], _ given: Span<UInt8>) -> Bool {
    guard known.count == given.count else { return false }
    // Both pointers hold for the call, and both have as many bytes.
    return unsafe given.withUnsafeBufferPointer { given in
      guard let start = given.baseAddress else { return true }
      return unsafe memcmp(known, start, known.count) == 0
    }
  }
}
