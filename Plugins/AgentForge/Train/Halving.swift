/// Successive halving (Jamieson and Talwalkar 2016): all candidates get a little, the better half of them as much again
/// together, and so on until one is left.
package struct Halving: Sendable, Equatable {
  /// How many candidates each rung has; the first has all.
  package let sizes: [Int]

  /// Rungs for `population` candidates, at least 2.
  package init(_ population: Int) {
    precondition(population >= 2, "\(population) candidates")
    var sizes: [Int] = []
    var left = population
    while left > 1 {
      sizes.append(left)
      left = (left + 1) / 2
    }
    self.sizes = sizes
  }

  /// What each candidate of a rung gets when all rungs cost the same.
  ///
  /// - Parameters:
  ///   - rung: From 0.
  ///   - budget: Of all rungs together; at least `least`.
  /// - Returns: At least 1.
  package func share(_ rung: Int, budget: Int) -> Int {
    max(budget / sizes.count / sizes[rung], 1)
  }

  /// The smallest budget that gives each candidate of each rung 1.
  package var least: Int { sizes.count * (sizes.first ?? 1) }

  /// The candidates of a rung, the best of the one before first; of equals the earlier one.
  ///
  /// - Parameters:
  ///   - rung: From 0 to the number of rungs, at which only the winner is left.
  ///   - scores: Of each candidate in each rung that it had; less is better.
  /// - Returns: Numbers of candidates.
  package func alive(_ rung: Int, _ scores: [[Double]]) -> [Int] {
    guard rung > 0 else { return Array(scores.indices) }
    let count = rung < sizes.count ? sizes[rung] : 1
    let ranked = scores.indices.filter { scores[$0].count >= rung }.sorted { one, other in
      let (a, b) = (scores[one][rung - 1], scores[other][rung - 1])
      return a == b ? one < other : a < b
    }
    return Array(ranked.prefix(count))
  }

  /// The candidates that no other one beats in quality at the same or lower cost.
  ///
  /// - Parameters:
  ///   - scores: One for each candidate; less is better.
  ///   - costs: As many; less is better.
  /// - Returns: Their numbers, from cheap to dear.
  package static func paretoFront(_ scores: [Double], _ costs: [Double]) -> [Int] {
    scores.indices
      .filter { one in
        !scores.indices.contains { other in
          scores[other] <= scores[one] && costs[other] <= costs[one]
            && (scores[other] < scores[one] || costs[other] < costs[one])
        }
      }
      .sorted { costs[$0] == costs[$1] ? $0 < $1 : costs[$0] < costs[$1] }
  }
}
