import PluginStorage

/// What stakes earn over time: the yearly rates, each from its beginning to the next.
///
/// A new rate holds from when it was set, never for the time before. A reward is amount · rate · time, with whole
/// seconds of the rate's sum and whole units of 10⁻¹⁸ FOG, both rounded down.
struct StakingRate: Sendable, Equatable {
  /// One rate.
  struct Step: Sendable, Equatable {
    /// Nanoseconds since 1970.
    let since: Int64
    /// Hundredths of a percent a year.
    let basisPoints: Int64
  }

  /// In order of time.
  let steps: [Step]

  /// The reward of `amount` between two times, in nanoseconds since 1970.
  ///
  /// Nothing when the clock was set back.
  func reward(of amount: Amount, from start: Int64, to end: Int64) -> Amount {
    var sum: Int128 = 0
    for (index, step) in steps.enumerated() {
      let next = index + 1 < steps.count ? steps[index + 1].since : Int64.max
      let time = min(next, end) - max(step.since, start)
      if time > 0 { sum += Int128(time) * Int128(step.basisPoints) }
    }
    return amount.share(sum / 1_000_000_000, of: 10_000 * Policy.yearSeconds)
  }
}

extension Connection {
  mutating func stakingRate() throws(LedgerError) -> StakingRate {
    StakingRate(
      steps: try list("SELECT since, basis_points FROM rates ORDER BY since, rowid") {
        StakingRate.Step(since: $0.integer(0), basisPoints: $0.integer(1))
      }
    )
  }
}

extension LedgerChange {
  /// Notes the policy's rate when it is another than the last.
  func noteRate(on connection: inout Connection) throws(LedgerError) {
    let basisPoints = Int64(policy[.stakingAPY])
    let last = try connection.stakingRate().steps.last
    guard last?.basisPoints != basisPoints else { return }
    try connection.execute(
      "INSERT INTO rates(since, basis_points) VALUES (?, ?)",
      [.integer(max(now, last?.since ?? now)), .integer(basisPoints)]
    )
  }
}
