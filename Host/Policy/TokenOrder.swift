package import Wire

/// Arguments of a command that cannot be carried out, each named with what to write instead.
package struct UsageError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package init(_ problems: [String]) { self.problems = problems }

  package var description: String { problems.joined(separator: "\n") }
}

/// A token to be made, as `gateway token create` was told.
package struct TokenOrder: Equatable, Sendable {
  package static let usage = """
    usage: gateway token create --user USER [--scope read,write] [--tier standard] [--mfa] [--ttl 24h]
    """

  package private(set) var subject = ""
  package private(set) var scopes = ["read"]
  package private(set) var tier = Tier.fallback
  package private(set) var mfaVerified = false
  /// Seconds until the token expires.
  package private(set) var lifetime: Int64 = 86_400

  /// Reads the arguments after `token create`.
  ///
  /// - Parameters:
  ///   - arguments: Options as `--name value` or `--name=value`, each at most once.
  ///   - tiers: The configured tiers.
  /// - Throws: `UsageError` with everything that is wrong.
  package init(_ arguments: ArraySlice<String>, tiers: [Tier]) throws(UsageError) {
    var problems: [String] = []
    var seen: Set<String> = []
    var rest = arguments
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let option = String(parts[0])
      guard ["--user", "--scope", "--tier", "--ttl", "--mfa"].contains(option) else {
        problems.append("\(argument.debugDescription): there is no such option")
        continue
      }
      if !seen.insert(option).inserted { problems.append("\(option): write it once") }
      if option == "--mfa" {
        if parts.count > 1 { problems.append("--mfa: it takes no value") }
        mfaVerified = true
        continue
      }
      guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
        problems.append("\(option): write a value after it")
        continue
      }
      if let problem = take(option, value, tiers) { problems.append("\(option): \(problem)") }
    }
    if !seen.contains("--user") { problems.insert("--user: it is required", at: 0) }
    guard problems.isEmpty else { throw UsageError(problems) }
  }

  /// The claims of the token, in the order that the README lists.
  ///
  /// - Parameters:
  ///   - now: Seconds since 1970.
  ///   - tokenID: The `jti`.
  ///   - issuer: The `iss` that this gateway asks for, if any.
  ///   - audience: The `aud` that this gateway asks for, if any.
  /// - Returns: A JSON object.
  package func claims(now: Int64, tokenID: String, issuer: String?, audience: String?) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "sub", value: .string(subject)),
      .init(name: "iat", value: .integer(now)),
      .init(name: "exp", value: .integer(now + lifetime)),
      .init(name: "jti", value: .string(tokenID)),
      .init(name: "scope", value: .array(scopes.map { .string($0) })),
      .init(name: "mfa_verified", value: .bool(mfaVerified)),
      .init(name: "rate_limit_tier", value: .string(tier)),
    ]
    if let issuer { members.append(.init(name: "iss", value: .string(issuer))) }
    if let audience { members.append(.init(name: "aud", value: .string(audience))) }
    return .object(members)
  }

  /// Returns what to write instead when the value is refused.
  private mutating func take(_ option: String, _ value: String, _ tiers: [Tier]) -> String? {
    switch option {
    case "--user":
      subject = value
      let fits = !value.isEmpty && value.utf8.count <= 256 && SettingsValue.isPrintable(value)
      return fits ? nil : "write 1 to 256 bytes without control characters"
    case "--scope":
      scopes = SettingsValue.list(value)
      let fit = scopes.count <= 64 && scopes.allSatisfy(Identity.isScope)
      guard fit, Set(scopes).count == scopes.count else {
        return "write different words with commas between, such as read,write"
      }
      return nil
    case "--tier":
      tier = value
      if tiers.contains(where: { $0.name == value }) { return nil }
      return "write one of \(tiers.map(\.name).joined(separator: ", "))"
    default:
      guard let seconds = Self.seconds(value) else {
        return "write a time from 1s to 3650d: a number and s, m, h or d"
      }
      lifetime = seconds
      return nil
    }
  }

  /// Seconds of a time from 1s to 3650d, a number and its unit; `nil` for anything else.
  package static func seconds(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    guard let last = text.last, let unit = units[last], text.utf8.count <= 10,
      text.dropLast().utf8.allSatisfy(SettingsValue.isDigit),
      let number = Int64(text.dropLast())
    else { return nil }
    let seconds = number * unit
    return (1...3650 * 86_400).contains(seconds) ? seconds : nil
  }
}
