package import GatewayPlugin

/// How models become one: an operator and its numbers; the genome of `Evolution`.
package struct MergeRecipe: Sendable, Equatable {
  /// What is done with the parents' parameters θ; τ is a parent's θ minus the base.
  package enum Operator: String, CaseIterable, Sendable {
    /// The mean of θ by the weights (Wortsman et al. 2022).
    case linear
    /// Spherical interpolation of each tensor (Shoemake 1985), of more than two parents one after another.
    case slerp
    /// base + λ · the disjoint mean of trimmed τ by elected signs (Yadav et al. 2023).
    case ties
    /// base + λ Σ w τ, of τ some dropped and the rest rescaled (Yu et al. 2024).
    case dare
    /// base + λ Σ w τ (Ilharco et al. 2023).
    case taskArithmetic = "task_arithmetic"
  }

  /// What λ, the share that TIES keeps, and DARE's probability may be.
  static let scales = 0.1...2.0
  static let densities = 0.05...1.0
  static let drops = 0.0...0.95

  /// What is done.
  package var method: Operator
  /// `[groups][parents]`, each 0...1, in each group one above 0.
  package var weights: [[Double]]
  /// λ: how much of the deltas is added to the base.
  package var scale = 1.0
  /// TIES: the share of each delta that is kept.
  package var density = 0.2
  /// DARE: with which probability an element is dropped.
  package var drop = 0.5
  /// DARE: decides which.
  package var seed: UInt64 = 0

  /// One of these weights; the other numbers as their papers have them.
  package init(_ method: Operator, weights: [[Double]]) {
    self.method = method
    self.weights = weights
  }

  /// The recipe whose result is one parent.
  ///
  /// - Parameters:
  ///   - index: Which one.
  ///   - parents: How many there are.
  ///   - groups: How many groups of tensors have weights of their own.
  package init(parent index: Int, of parents: Int, groups: Int) {
    let weights = (0..<parents).map { $0 == index ? 1.0 : 0 }
    self.init(.linear, weights: Array(repeating: weights, count: groups))
  }

  /// One drawn at random.
  ///
  /// - Parameters:
  ///   - methods: To choose from; at least one.
  ///   - parents: How many there are.
  ///   - groups: How many groups of tensors have weights of their own.
  ///   - generator: Drawn from.
  init(randomOf methods: [Operator], parents: Int, groups: Int, _ generator: inout Generator) {
    self.init(methods[generator.below(methods.count)], weights: [])
    weights = (0..<groups).map { _ in (0..<parents).map { _ in 1 - generator.uniform() } }
    scale = Self.draw(0.3...1.5, &generator)
    density = Self.draw(0.1...1, &generator)
    drop = Self.draw(0...0.9, &generator)
    seed = generator.next()
  }

  private static func draw(_ range: ClosedRange<Double>, _ generator: inout Generator) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * generator.uniform()
  }

  /// A child: each number from one of the two, the weights of each group mixed in a random part.
  func crossed(with other: MergeRecipe, _ generator: inout Generator) -> MergeRecipe {
    var child = self
    if generator.next() & 1 == 1 { (child.method, child.scale) = (other.method, other.scale) }
    if generator.next() & 1 == 1 { child.density = other.density }
    if generator.next() & 1 == 1 { (child.drop, child.seed) = (other.drop, other.seed) }
    for group in weights.indices {
      let part = generator.uniform()
      child.weights[group] = zip(weights[group], other.weights[group])
        .map { $0 + part * ($1 - $0) }
    }
    return child
  }

  /// Changes each number with `probability`, by a normally distributed step, and sometimes the operator.
  mutating func mutate(_ probability: Double, _ methods: [Operator], _ generator: inout Generator) {
    func step(_ value: Double, _ range: ClosedRange<Double>, _ size: Double) -> Double {
      guard generator.uniform() < probability else { return value }
      return min(max(value + size * generator.normal(), range.lowerBound), range.upperBound)
    }
    scale = step(scale, Self.scales, 0.2)
    density = step(density, Self.densities, 0.15)
    drop = step(drop, Self.drops, 0.15)
    for group in weights.indices {
      weights[group] = weights[group].map { step($0, 0...1, 0.2) }
      if weights[group].allSatisfy({ $0 == 0 }) {
        weights[group] = Array(repeating: 1, count: weights[group].count)
      }
    }
    if generator.uniform() < probability / 2 {
      method = methods[generator.below(methods.count)]
    }
    if generator.uniform() < probability { seed = generator.next() }
  }
}

extension MergeRecipe {
  /// For reports and checkpoints.
  package var json: JSON {
    [
      "operator": .string(method.rawValue),
      "weights": .array(weights.map { .array($0.map(JSON.number)) }),
      "scale": .number(scale), "density": .number(density), "drop": .number(drop),
      "seed": .integer(Int64(bitPattern: seed)),
    ]
  }

  /// Reads what `json` gave; `nil` for anything else.
  package init?(_ json: JSON?) {
    guard let method = json?["operator"]?.asString.flatMap(Operator.init),
      let weights = json?["weights"]?.asArray, let scale = json?["scale"]?.asNumber,
      let density = json?["density"]?.asNumber, let drop = json?["drop"]?.asNumber,
      let seed = json?["seed"]?.asInteger
    else { return nil }
    self.init(method, weights: weights.map { ($0.asArray ?? []).compactMap(\.asNumber) })
    (self.scale, self.density, self.drop) = (scale, density, drop)
    self.seed = UInt64(bitPattern: seed)
  }
}
