import Wire

/// What `gateway token inspect` says of a token.
package struct TokenReport: Equatable, Sendable {
  /// Lines for a terminal, in which nothing of the token is a control character.
  package let lines: [String]
  /// Whether this gateway would let the bearer in.
  package let isAccepted: Bool

  /// Looks at a token.
  ///
  /// - Parameters:
  ///   - token: The compact form.
  ///   - authenticator: Judges it; `nil` when there is no key to check it with.
  ///   - now: Seconds since 1970.
  package init(_ token: [UInt8], _ authenticator: Authenticator?, now: Int64) {
    var lines: [String] = []
    var verdict: AuthenticationError?
    do throws(AuthenticationError) {
      _ = try authenticator?.identify(bearer: token.span, now: now)
    } catch {
      verdict = error
    }
    switch (authenticator, verdict) {
    case (nil, _):
      lines.append("unchecked  neither JWT_SECRET_KEY nor a secret in DATA_DIR to check it with")
    case (_, let error?): lines.append("refused    \(error.message)")
    case (_, nil): lines.append("valid      the signature matches, and the time is right")
    }
    if let parts = try? JWT.split(token.span) {
      lines.append("header     \(Self.printable(parts.header.text))")
      if let claims = try? JSON.parse(parts.claims.span, maxDepth: 16) {
        lines += Self.describe(claims, now)
      }
    }
    self.lines = lines
    isAccepted = authenticator != nil && verdict == nil
  }

  private static func describe(_ claims: JSON, _ now: Int64) -> [String] {
    var lines = ["claims     \(printable(claims.text))"]
    guard let read = try? TokenClaims(claims) else { return lines }
    lines.append("user       \(read.subject)")
    lines.append(
      "scopes     \(read.scopes.isEmpty ? "(none)" : read.scopes.joined(separator: " "))"
    )
    lines.append("tier       \(read.tier ?? "(none: \(Tier.fallback))")")
    lines.append("MFA        \(read.mfaVerified ? "verified" : "not verified")")
    if let issuedAt = read.issuedAt { lines.append("issued     \(moment(issuedAt, now))") }
    if let notBefore = read.notBefore { lines.append("not before \(moment(notBefore, now))") }
    lines.append("expires    \(moment(read.expiresAt, now))")
    lines.append("id         \(read.tokenID ?? "(none: it cannot be revoked)")")
    return lines
  }

  /// A time as a date and as a distance: `2023-11-15T22:13:20Z, in 23 hours`.
  static func moment(_ seconds: Int64, _ now: Int64) -> String {
    let units: [(String, Int64)] = [
      ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1),
    ]
    let distance = (seconds - now).magnitude
    let (name, length) = units.first { distance >= $0.1 } ?? ("second", 1)
    let count = Int64(distance) / length
    let words = "\(count) \(name)\(count == 1 ? "" : "s")"
    let relative = distance == 0 ? "now" : seconds > now ? "in \(words)" : "\(words) ago"
    // Nanoseconds since 1970 in 64 bits end in 2262.
    guard seconds.magnitude < 9_000_000_000 else { return "\(seconds) s since 1970, \(relative)" }
    return "\(Timestamp.text(nanoseconds: seconds * 1_000_000_000)), \(relative)"
  }

  /// JSON with what a terminal might act on escaped: DEL, and the controls of ISO 8859.
  private static func printable(_ json: String) -> String {
    var text = String.UnicodeScalarView()
    for scalar in json.unicodeScalars {
      if (0x7F...0x9F).contains(scalar.value) {
        text.append(contentsOf: "\\u00\(String(scalar.value, radix: 16))".unicodeScalars)
      } else {
        text.append(scalar)
      }
    }
    return String(text)
  }
}
