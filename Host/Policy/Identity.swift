/// Who is calling, as verified by a token or an API key.
package struct Identity: Sendable, Equatable {
  /// The token's `sub`, or the API key's user.
  package var subject: String
  /// What the caller may do: `read`, `write`, `admin`, or a scope of a plugin's own.
  package var scopes: [String]
  /// Name of the rate limit tier.
  package var tier: String
  /// Whether the token says that a second factor was checked.
  package var mfaVerified: Bool
  /// Seconds since 1970 after which the identity is void; `nil` for API keys.
  package var expiresAt: Int64?
  /// The token's `jti`, by which it can be revoked.
  package var tokenID: String?

  package init(
    subject: String,
    scopes: [String],
    tier: String,
    mfaVerified: Bool = false,
    expiresAt: Int64? = nil,
    tokenID: String? = nil
  ) {
    self.subject = subject
    self.scopes = scopes
    self.tier = tier
    self.mfaVerified = mfaVerified
    self.expiresAt = expiresAt
    self.tokenID = tokenID
  }

  /// Whether the caller has `scope`.
  ///
  /// Scopes are independent words: `admin` does not include `read`, so that a token says all it can do.
  package func may(_ scope: String) -> Bool { scopes.contains(scope) }

  /// Whether `text` is a scope-token of RFC 6749 §3.3.
  ///
  /// Visible ASCII without `"` and `\`, so that a list of them can be written with spaces between.
  package static func isScope(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 128
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
  }
}
