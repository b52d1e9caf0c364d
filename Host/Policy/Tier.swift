/// How often one caller may call.
package struct Tier: Sendable, Equatable {
  package var name: String
  /// Requests in any 60 s; 0 is unlimited.
  package var perMinute: Int
  /// Requests in any 3,600 s; 0 is unlimited.
  package var perHour: Int

  package init(name: String, perMinute: Int, perHour: Int) {
    self.name = name
    self.perMinute = perMinute
    self.perHour = perHour
  }

  /// The tier of anonymous callers, and of credentials that name none or one nobody configured.
  package static let fallback = "standard"

  package static let standardTiers = [
    Tier(name: "standard", perMinute: 60, perHour: 1_000),
    Tier(name: "premium", perMinute: 200, perHour: 5_000),
    Tier(name: "enterprise", perMinute: 500, perHour: 10_000),
  ]
}
