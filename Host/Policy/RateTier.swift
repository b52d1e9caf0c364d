/// A tier with the constant parts of its response header fields written out once.
package final class RateTier: Sendable {
  package let name: String
  package let nameBytes: [UInt8]
  package let perMinute: Int
  package let perHour: Int
  /// `X-RateLimit-Tier` alone: all there is to say of an unlimited tier.
  let tierField: [UInt8]
  /// All fields up to the number in `X-RateLimit-Remaining`, for each window.
  let minuteFields: [UInt8]
  let hourFields: [UInt8]

  package var isUnlimited: Bool { perMinute == 0 && perHour == 0 }

  package init(_ tier: Tier) {
    name = tier.name
    nameBytes = Array(tier.name.utf8)
    perMinute = tier.perMinute
    perHour = tier.perHour
    let tierField = "X-RateLimit-Tier: \(tier.name)\r\n"
    // draft-ietf-httpapi-ratelimit-headers-10 section 3: a list of policies, q in w seconds.
    var policies: [String] = []
    if tier.perMinute > 0 { policies.append("\"minute\";q=\(tier.perMinute);w=60") }
    if tier.perHour > 0 { policies.append("\"hour\";q=\(tier.perHour);w=3600") }
    let policyField = "RateLimit-Policy: \(policies.joined(separator: ", "))\r\n"
    func fields(_ limit: Int) -> [UInt8] {
      Array(
        (tierField + policyField + "X-RateLimit-Limit: \(limit)\r\nX-RateLimit-Remaining: ").utf8
      )
    }
    self.tierField = Array(tierField.utf8)
    minuteFields = fields(tier.perMinute)
    hourFields = fields(tier.perHour)
  }
}

/// The configured tiers by name.
package struct RateTiers: Sendable {
  private let tiers: [String: RateTier]
  /// The tier of anonymous callers.
  package let fallback: RateTier

  package init(_ tiers: [Tier]) {
    var byName: [String: RateTier] = [:]
    for tier in tiers { byName[tier.name] = RateTier(tier) }
    self.tiers = byName
    // Settings always hold a tier of that name: it can be replaced, but not removed.
    fallback = byName[Tier.fallback] ?? RateTier(Tier.standardTiers[0])
  }

  /// The tier `name`, or the fallback when none has that name.
  package func named(_ name: String) -> RateTier { tiers[name] ?? fallback }
}
