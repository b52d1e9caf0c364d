// Values with parts: hosts, origins, tiers, API keys.
extension SettingsValue {
  static func text(_ text: String, atMost count: Int) throws(Refusal) -> String {
    guard text.utf8.count <= count, isPrintable(text) else {
      throw Refusal(remedy: "write at most \(count) bytes without control characters")
    }
    return text
  }

  static func host(_ text: String) throws(Refusal) -> String {
    let taken = text.utf8.allSatisfy {
      isLetterOrDigit($0) || ".:-_%".utf8.contains($0)
    }
    guard taken, text.utf8.count <= 255 else {
      throw Refusal(
        remedy: "write an address or a host name, such as 127.0.0.1, :: or localhost, "
          + "without port or brackets"
      )
    }
    return text
  }

  /// Origins as browsers write them: lower case, without the scheme's own port.
  package static func origins(_ text: String) throws(Refusal) -> [String] {
    var origins: [String] = []
    for item in list(text) {
      let origin = try origin(item)
      if !origins.contains(origin) { origins.append(origin) }
    }
    return origins
  }

  private static func origin(_ item: String) throws(Refusal) -> String {
    if item == "*" {
      throw Refusal(
        remedy: "* would let any web page read a user's answers; "
          + "name each origin, such as https://app.example"
      )
    }
    let refusal = Refusal(
      remedy: "write origins as scheme://host or scheme://host:port with commas between, "
        + "without path or final slash; \(quoted(item)) is none"
    )
    let parts = item.lowercased().split(separator: "://", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = parts[0].utf8.first, !isDigit(first),
      parts[0].utf8.allSatisfy({ isLetterOrDigit($0) || "+-.".utf8.contains($0) }),
      item.utf8.count <= 300
    else { throw refusal }
    var (scheme, host, port) = (String(parts[0]), parts[1], Substring())
    // The last colon starts a port unless it stands inside the brackets of an IPv6 address.
    if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
      port = host[host.index(after: colon)...]
      host = host[..<colon]
      guard !port.isEmpty, port.utf8.allSatisfy(isDigit), let number = Int(port),
        (1...65535).contains(number)
      else { throw refusal }
      port = Substring("\(number)")
    }
    guard isHost(host) else { throw refusal }
    if (scheme, port) == ("http", "80") || (scheme, port) == ("https", "443") { port = "" }
    scheme += "://\(host)"
    return port.isEmpty ? scheme : "\(scheme):\(port)"
  }

  private static func isHost(_ host: Substring) -> Bool {
    if host.hasPrefix("["), host.hasSuffix("]") {
      let inner = host.dropFirst().dropLast()
      return inner.utf8.count >= 2
        && inner.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x3A || $0 == 0x2E }
    }
    return !host.isEmpty
      && host.utf8.allSatisfy { isLetterOrDigit($0) || ".-_".utf8.contains($0) }
  }

  /// Tiers as `name:per_minute:per_hour`, added to `tiers` or in the place of one of that name.
  package static func tiers(_ text: String, replacing tiers: [Tier]) throws(Refusal) -> [Tier] {
    var result = tiers
    var seen: Set<String> = []
    for item in list(text) {
      let parts = item.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3, isWord(parts[0], atMost: 32) else {
        throw Refusal(
          remedy: "write name:per_minute:per_hour with commas between, the name in at most "
            + "32 letters, digits, - or _; \(quoted(item)) is none"
        )
      }
      guard seen.insert(parts[0]).inserted else {
        throw Refusal(remedy: "the tier \(parts[0]) stands in it twice; leave one out")
      }
      var limits: [Int] = []
      for part in parts[1...] {
        do throws(Refusal) {
          limits.append(try number(part, 0...1_000_000_000))
        } catch {
          throw Refusal(remedy: "in \(quoted(item)) \(error.remedy)")
        }
      }
      let tier = Tier(name: parts[0], perMinute: limits[0], perHour: limits[1])
      if let place = result.firstIndex(where: { $0.name == tier.name }) {
        result[place] = tier
      } else {
        result.append(tier)
      }
    }
    guard result.count <= 64 else { throw Refusal(remedy: "write at most 61 further tiers") }
    return result
  }

  /// An API key as `key:user:scope,scope` or `key:user:scope,scope:tier`.
  ///
  /// No refusal repeats a part: with a colon in the key, any part may be a piece of it.
  package static func apiKey(_ text: String, tiers: [Tier]) throws(Refusal) -> Settings.APIKey {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard (3...4).contains(parts.count), !parts.contains("") else {
      throw Refusal(
        remedy: "write key:user:scope,scope or key:user:scope,scope:tier, with no part empty "
          + "and no colon inside a part"
      )
    }
    guard parts[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw Refusal(remedy: "write the key in visible ASCII, as a header field can carry it")
    }
    guard parts[1].utf8.count <= 256, isPrintable(parts[1]) else {
      throw Refusal(remedy: "write the user in at most 256 bytes without control characters")
    }
    let scopes = list(parts[2])
    guard scopes.allSatisfy(Identity.isScope), Set(scopes).count == scopes.count else {
      throw Refusal(
        remedy: "write the scopes as different words with commas between, such as read,write"
      )
    }
    let tier = parts.count == 4 ? parts[3] : Tier.fallback
    guard tiers.contains(where: { $0.name == tier }) else {
      let known = tiers.map(\.name).joined(separator: ", ")
      throw Refusal(remedy: "its fourth part is no tier; known are \(known)")
    }
    return Settings.APIKey(
      key: Array(parts[0].utf8),
      identity: Identity(subject: parts[1], scopes: scopes, tier: tier)
    )
  }

  static func isWord(_ text: String, atMost count: Int) -> Bool {
    !text.isEmpty && text.utf8.count <= count
      && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x5F }
  }
}
