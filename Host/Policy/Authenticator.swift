import COpenSSL

/// Decides who is calling, and whether they may.
package final class Authenticator: Sendable {
  private struct Key: Sendable {
    let digest: [UInt8]
    let identity: Identity
  }

  let revocations: any RevocationList
  private let secret: [UInt8]
  private let issuer: String?
  private let audience: String?
  private let requireMFA: Bool
  private let credentialBytes: Int
  private let keys: [Key]
  private let tierNames: Set<String>

  package init(_ settings: Settings, revocations: any RevocationList) {
    self.revocations = revocations
    secret = settings.jwtSecret
    issuer = settings.jwtIssuer
    audience = settings.jwtAudience
    requireMFA = settings.requireMFA
    credentialBytes = settings.limits.credentialBytes
    keys = settings.apiKeys.map { Key(digest: Self.digest($0.key.span), identity: $0.identity) }
    tierNames = Set(settings.tiers.map(\.name))
  }

  /// Where in the value of an `Authorization` field the bearer token stands.
  ///
  /// - Parameter field: The value; the scheme is read in any case (RFC 9110 §11.1).
  /// - Returns: The range of the token, not empty.
  /// - Throws: `AuthenticationError.wrongScheme`.
  package static func token(
    in field: Span<UInt8>
  ) throws(AuthenticationError) -> Range<Int> {
    guard field.count > 7, field[0] | 0x20 == UInt8(ascii: "b"),
      field[1] | 0x20 == UInt8(ascii: "e"), field[2] | 0x20 == UInt8(ascii: "a"),
      field[3] | 0x20 == UInt8(ascii: "r"), field[4] | 0x20 == UInt8(ascii: "e"),
      field[5] | 0x20 == UInt8(ascii: "r"), field[6] == UInt8(ascii: " ")
    else { throw .wrongScheme }
    var start = 7
    while start < field.count, field[start] == UInt8(ascii: " ") { start += 1 }
    guard start < field.count, isVisible(field.extracting(start..<field.count)) else {
      throw .wrongScheme
    }
    return start..<field.count
  }

  /// Whether all bytes are visible ASCII; without an early exit, so that the compiler uses vectors.
  private static func isVisible(_ bytes: Span<UInt8>) -> Bool {
    // The buffer is read within the call.
    unsafe bytes.withUnsafeBufferPointer { buffer in
      var odd: UInt8 = 0
      unsafe buffer.forEach { odd |= $0 &- 0x21 < 0x5E ? 0 : 1 }
      return odd == 0
    }
  }

  /// Who a bearer token speaks for.
  ///
  /// - Parameters:
  ///   - token: The compact form of a JWT.
  ///   - now: Seconds since 1970.
  /// - Returns: The identity; a tier that is not configured has become the standard one.
  /// - Throws: `AuthenticationError`.
  package func identify(
    bearer token: Span<UInt8>,
    now: Int64
  ) throws(AuthenticationError) -> Identity {
    guard token.count <= credentialBytes else { throw .tooLong(limit: credentialBytes) }
    let claims = try TokenClaims(JWT.verify(token, secret: secret))
    try claims.checkTimes(now: now)
    try claims.check(issuer: issuer, audience: audience)
    if let tokenID = claims.tokenID, revocations.isRevoked(tokenID) { throw .revoked }
    let tier = claims.tier ?? Tier.fallback
    return Identity(
      subject: claims.subject,
      scopes: claims.scopes,
      tier: tierNames.contains(tier) ? tier : Tier.fallback,
      mfaVerified: claims.mfaVerified,
      expiresAt: claims.expiresAt,
      tokenID: claims.tokenID
    )
  }

  /// Who the credential after the word `Bearer` speaks for: a token, or an API key where it has not a token's form.
  ///
  /// Client libraries that know only one kind of credential, like OpenAI's, send their key so.
  ///
  /// - Parameters:
  ///   - credential: What has three parts with dots between is a token and nothing else.
  ///   - now: Seconds since 1970.
  /// - Returns: The identity.
  /// - Throws: `AuthenticationError`.
  package func identify(
    credential: Span<UInt8>,
    now: Int64
  ) throws(AuthenticationError) -> Identity {
    guard credential.count <= credentialBytes else { throw .tooLong(limit: credentialBytes) }
    var dots = 0
    for index in credential.indices where credential[index] == UInt8(ascii: ".") { dots += 1 }
    if dots == 2 { return try identify(bearer: credential, now: now) }
    do throws(AuthenticationError) {
      return try identify(apiKey: credential)
    } catch {
      throw .malformed("it has not three parts with dots between, and is no API key known here")
    }
  }

  /// Whose API key this is.
  package func identify(apiKey: Span<UInt8>) throws(AuthenticationError) -> Identity {
    guard apiKey.count <= credentialBytes else { throw .tooLong(limit: credentialBytes) }
    let digest = Self.digest(apiKey)
    var found: Identity?
    // To the end, also after a hit: the time tells nothing of which key it was, or how near.
    for key in keys where JWT.isEqual(key.digest, digest) { found = key.identity }
    guard let found else { throw .unknownKey }
    return found
  }

  /// Lets a caller in or says why not.
  ///
  /// - Parameters:
  ///   - identity: Who calls; `nil` without credentials.
  ///   - scope: What the route needs.
  /// - Throws: `AuthenticationError`: `missing`, `mfaRequired` or `missingScope`.
  package func admit(_ identity: Identity?, scope: String) throws(AuthenticationError) {
    guard let identity else { throw .missing }
    guard !requireMFA || identity.mfaVerified else { throw .mfaRequired }
    guard identity.may(scope) else { throw .missingScope(scope) }
  }

  /// The same for a caller that has been looked up; nothing is allocated unless it is refused.
  package func admit(_ caller: Caller?, _ scope: RequiredScope) throws(AuthenticationError) {
    guard let caller else { throw .missing }
    guard !requireMFA || caller.identity.mfaVerified else { throw .mfaRequired }
    guard caller.may(scope) else { throw .missingScope(scope.name) }
  }

  /// Refuses a caller without a second factor where one is required.
  package func requireFactor(_ caller: Caller) throws(AuthenticationError) {
    guard !requireMFA || caller.identity.mfaVerified else { throw .mfaRequired }
  }

  /// Keys are held and compared as digests, so that no comparison runs over a key itself.
  private static func digest(_ bytes: Span<UInt8>) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // SHA256 reads and writes within the call; it writes 32 bytes.
    _ = unsafe bytes.withUnsafeBufferPointer { unsafe SHA256($0.baseAddress, $0.count, &digest) }
    return digest
  }
}
