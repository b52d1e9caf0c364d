/// What a job is promised, and what that costs.
package enum FogTier: String, Sendable, CaseIterable {
  case bronze, silver, gold, platinum

  /// Milliseconds from submission to running that are promised.
  package var startMilliseconds: Int {
    switch self {
    case .bronze: 10_000
    case .silver: 5_000
    case .gold: 2_000
    case .platinum: 1_000
    }
  }

  /// How much of the price is given back when the promise was missed, in percent.
  package var creditPercent: Int {
    switch self {
    case .bronze: 5
    case .silver: 10
    case .gold: 20
    case .platinum: 30
    }
  }

  /// Price against bronze's, in percent (the original's ×1, ×2.5 and ×5 are of three tiers; its nodes' list prices are these).
  package var pricePercent: Int {
    switch self {
    case .bronze: 100
    case .silver: 150
    case .gold: 200
    case .platinum: 300
    }
  }

  /// Trust that a node needs at least.
  package var minimumTrust: Double {
    switch self {
    case .bronze: 0
    case .silver: 0.3
    case .gold: 0.45
    case .platinum: 0.5
    }
  }
}
