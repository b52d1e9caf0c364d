package import Wire

/// What a token says of its bearer.
package struct TokenClaims: Equatable {
  /// How far clocks may differ, in seconds.
  package static let skew: Int64 = 30
  /// 9999-12-31T23:59:59Z; later times mean no more than this one.
  private static let latest: Int64 = 253_402_300_799

  package let subject: String
  package let scopes: [String]
  /// The tier it names; `nil` when it names none.
  package let tier: String?
  package let mfaVerified: Bool
  package let issuedAt: Int64?
  package let notBefore: Int64?
  package let expiresAt: Int64
  package let tokenID: String?
  package let issuer: String?
  package let audiences: [String]

  /// Reads the claims of RFC 7519 §4.1 and the gateway's own.
  ///
  /// - Parameter claims: A JSON object.
  /// - Throws: `AuthenticationError.malformed`, naming the first claim that is missing or wrong.
  package init(_ claims: JSON) throws(AuthenticationError) {
    guard let subject = try Self.name(claims, "sub") else { throw .malformed("it has no sub") }
    guard let expiresAt = try Self.time(claims, "exp") else { throw .malformed("it has no exp") }
    self.subject = subject
    self.expiresAt = expiresAt
    issuedAt = try Self.time(claims, "iat")
    notBefore = try Self.time(claims, "nbf")
    tokenID = try Self.name(claims, "jti")
    issuer = try Self.name(claims, "iss")
    audiences = try Self.audiences(claims["aud"])
    scopes = try Self.scopes(claims["scope"] ?? claims["scopes"])
    tier = try Self.name(claims, claims["rate_limit_tier"] == nil ? "tier" : "rate_limit_tier")
    guard let mfa = claims["mfa_verified"] else {
      mfaVerified = false
      return
    }
    guard let mfaVerified = mfa.asBool else { throw .malformed("its mfa_verified is no boolean") }
    self.mfaVerified = mfaVerified
  }

  /// Checks the times against `now`, in seconds since 1970.
  package func checkTimes(now: Int64) throws(AuthenticationError) {
    guard now < expiresAt + Self.skew else { throw .expired }
    guard now >= (notBefore ?? now) - Self.skew, now >= (issuedAt ?? now) - Self.skew else {
      throw .notYetValid
    }
  }

  /// Checks issuer and audience where they are configured.
  package func check(issuer: String?, audience: String?) throws(AuthenticationError) {
    if let issuer, self.issuer != issuer { throw .wrongIssuer }
    if let audience, !audiences.contains(audience) { throw .wrongAudience }
  }

  /// A text of 1 to 256 bytes that can stand in a log line as it is.
  private static func name(
    _ claims: JSON,
    _ claim: String
  ) throws(AuthenticationError) -> String? {
    guard let value = claims[claim] else { return nil }
    guard let text = value.asString, !text.isEmpty, text.utf8.count <= 256,
      SettingsValue.isPrintable(text)
    else {
      throw .malformed("its \(claim) is no text of 1 to 256 bytes without control characters")
    }
    return text
  }

  /// RFC 7519 §2, NumericDate: seconds since 1970, with or without decimals.
  private static func time(_ claims: JSON, _ claim: String) throws(AuthenticationError) -> Int64? {
    guard let value = claims[claim] else { return nil }
    if let whole = value.asInteger { return min(max(whole, -latest), latest) }
    guard let number = value.asNumber else { throw .malformed("its \(claim) is no number") }
    return Int64(min(max(number, Double(-latest)), Double(latest)).rounded(.down))
  }

  /// A list of words, or one text with spaces between them (RFC 8693 §4.2).
  private static func scopes(_ value: JSON?) throws(AuthenticationError) -> [String] {
    guard let value else { return [] }
    var words: [String] = []
    if let text = value.asString {
      words = text.split(separator: " ").map(String.init)
    } else if let list = value.asArray {
      words = list.compactMap(\.asString)
      guard words.count == list.count else { throw .malformed("its scope is no list of texts") }
    } else {
      throw .malformed("its scope is neither a list nor a text")
    }
    guard words.allSatisfy(Identity.isScope) else {
      throw .malformed("its scope has a word that is none")
    }
    var scopes: [String] = []
    for word in words where !scopes.contains(word) {
      guard scopes.count < 64 else { throw .malformed("its scope has more than 64 words") }
      scopes.append(word)
    }
    return scopes
  }

  private static func audiences(_ value: JSON?) throws(AuthenticationError) -> [String] {
    guard let value else { return [] }
    if let text = value.asString { return [text] }
    let texts = value.asArray?.compactMap(\.asString)
    guard let texts, texts.count == value.asArray?.count else {
      throw .malformed("its aud is neither a text nor a list of texts")
    }
    return texts
  }
}
