/// How the price of a core-hour follows supply and demand.
///
/// The factors are the original's (aivillage-api 10.2): demand `1 + min(2, 0.5·d/s)`, supply `max(0.5, 1 − 0.2·s/d)`,
/// utilisation `1 + 0.3·u`. The price moves toward their product by at most a tenth an hour (10.3), within floor and ceiling.
package struct PriceRule: Sendable, Equatable {
  /// What supply and demand of a tier are; both in thousandths of a core.
  package struct Conditions: Sendable, Equatable {
    /// Of the jobs that wait and of those that run.
    package var demand = 0
    /// Of the active nodes that the tier may use.
    package var supply = 0
    /// What is leased of `supply`, 0 to 1.
    package var utilisation = 0.0

    package init() {}
  }

  /// Largest change of an hour, in thousandths.
  package static let hourlyThousandths = 100

  /// Of bronze, as the other two.
  package let base: Amount
  package let floor: Amount
  package let ceiling: Amount

  package init(base: Amount, floor: Amount, ceiling: Amount) {
    self.base = base
    self.floor = floor
    self.ceiling = ceiling
  }

  /// What a tier's price never leaves.
  package func bounds(_ tier: FogTier) -> ClosedRange<Amount> {
    floor.percent(tier.pricePercent)...ceiling.percent(tier.pricePercent)
  }

  /// What a tier costs before anything is known of supply and demand.
  package func start(_ tier: FogTier) -> Amount { clamp(base.percent(tier.pricePercent), tier) }

  /// Where supply and demand pull the price.
  ///
  /// - Parameters:
  ///   - tier: Whose.
  ///   - conditions: Without any supply there is no market, and nothing pulls: `nil`.
  /// - Returns: Within the bounds.
  package func target(_ tier: FogTier, _ conditions: Conditions) -> Amount? {
    guard conditions.supply > 0 else { return nil }
    let ratio = Double(conditions.demand) / Double(conditions.supply)
    let demand = 1 + min(2, 0.5 * ratio)
    let supply = ratio > 0 ? max(0.5, 1 - 0.2 / ratio) : 0.5
    let thousandths = demand * supply * (1 + 0.3 * min(1, conditions.utilisation)) * 1000
    let wanted = base.percent(tier.pricePercent).scaled(Int(thousandths.rounded()), over: 1000)
    return clamp(wanted, tier)
  }

  /// One step of the price.
  ///
  /// - Parameters:
  ///   - price: What it is.
  ///   - tier: Whose.
  ///   - conditions: What pulls.
  ///   - elapsed: Milliseconds since the last step; more than an hour counts as one.
  /// - Returns: The new price.
  package func step(
    _ price: Amount,
    _ tier: FogTier,
    _ conditions: Conditions,
    elapsed: Int64
  ) -> Amount {
    guard let target = target(tier, conditions) else { return clamp(price, tier) }
    let milliseconds = Int(min(max(0, elapsed), 3_600_000))
    let most = price.scaled(Self.hourlyThousandths * milliseconds, over: 1000 * 3_600_000)
    let moved = target > price ? min(target, price + most) : max(target, price - most)
    return clamp(moved, tier)
  }

  private func clamp(_ price: Amount, _ tier: FogTier) -> Amount {
    let bounds = bounds(tier)
    return min(max(price, bounds.lowerBound), bounds.upperBound)
  }
}
