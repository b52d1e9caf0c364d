package import GatewayPlugin

/// A search over merge recipes, one measured individual after another.
///
/// Elitism, tournaments, crossover and mutation (Goldberg and Deb 1991); for merges see Akiba et al. (2024).
package struct Evolution: Sendable {
  /// How it searches.
  package struct Settings: Sendable, Equatable {
    /// Individuals of a generation.
    package var population = 8
    /// Generations after the first.
    package var generations = 10
    /// The best of a generation that go on as they are; at least one and below `population`.
    package var elites = 2
    /// Of how many the best becomes a parent.
    package var tournament = 3
    /// With which probability each number of a child changes.
    package var mutation = 0.3
    /// With which probability a child has two parents.
    package var crossover = 0.7
    /// What may be used.
    package var methods = MergeRecipe.Operator.allCases

    /// The usual ones.
    package init() {}
  }

  /// What was measured of an individual.
  package struct Fitness: Sendable, Equatable {
    /// Nats a token on held-out text; infinite when it is no number.
    package let loss: Double
    /// The likelihood of right answers, 0...1.
    package let taskScore: Double
    /// Both, weighed: more is better, and minus infinity when the loss is no number.
    package let value: Double
  }

  /// One recipe and where it came from.
  package struct Individual: Sendable, Equatable {
    /// Counts all individuals of the search, from 0; the first are the parents themselves.
    package let number: Int
    package let generation: Int
    package let recipe: MergeRecipe
    /// Numbers of the individuals it was bred from; none in the first generation.
    package let parents: [Int]
    package fileprivate(set) var fitness: Fitness?
  }

  private let settings: Settings
  private let parents: Int
  private let groups: Int
  private var generator: Generator
  private var made = 0
  /// Of the current generation.
  private(set) var generation = 0
  private var members: [Individual] = []
  private var waiting: [Individual] = []
  /// A record of each measured individual, in order.
  package private(set) var lineage: [JSON] = []

  /// A search that begins with the parents themselves and recipes drawn at random.
  ///
  /// - Parameters:
  ///   - settings: How.
  ///   - parents: How many models are merged.
  ///   - groups: How many groups of tensors have weights of their own.
  ///   - seed: Decides every choice.
  package init(_ settings: Settings, parents: Int, groups: Int, seed: UInt64) {
    self.settings = settings
    self.parents = parents
    self.groups = groups
    generator = Generator(seed: seed, stream: 0x4D45_5247_45)
    for index in 0..<max(parents, settings.population) {
      let recipe =
        index < parents
        ? MergeRecipe(parent: index, of: parents, groups: groups)
        : MergeRecipe(randomOf: settings.methods, parents: parents, groups: groups, &generator)
      add(recipe, [])
    }
  }

  /// Individuals that are measured in all.
  package static func evaluations(_ settings: Settings, parents: Int) -> Int {
    max(parents, settings.population)
      + settings.generations * (settings.population - settings.elites)
  }

  private mutating func add(_ recipe: MergeRecipe, _ bred: [Int]) {
    waiting.append(
      Individual(number: made, generation: generation, recipe: recipe, parents: bred)
    )
    made += 1
  }

  /// The individual to measure next; `nil` when the last generation is measured.
  package mutating func next() -> Individual? {
    if waiting.isEmpty, generation < settings.generations { breed() }
    return waiting.first
  }

  /// Takes what was measured of the individual that `next` gave.
  package mutating func record(_ fitness: Fitness) {
    precondition(!waiting.isEmpty, "no individual is being measured")
    var individual = waiting.removeFirst()
    individual.fitness = fitness
    members.append(individual)
    lineage.append([
      "number": .integer(Int64(individual.number)),
      "generation": .integer(Int64(individual.generation)),
      "operator": .string(
        individual.number < parents ? "parent" : individual.recipe.method.rawValue
      ),
      "parents": .array(individual.parents.map { .integer(Int64($0)) }),
      "loss": Self.finite(fitness.loss), "task_score": .number(fitness.taskScore),
      "fitness": Self.finite(fitness.value),
    ])
  }

  /// JSON has no infinity; a checkpoint must read as it was written.
  private static func finite(_ value: Double) -> JSON { value.isFinite ? .number(value) : .null }

  /// The best measured so far; of equals the one that was first.
  package var best: Individual? { Self.ranked(members).first }

  private static func ranked(_ members: [Individual]) -> [Individual] {
    members.sorted { one, other in
      let (a, b) = (one.fitness?.value ?? -.infinity, other.fitness?.value ?? -.infinity)
      return a == b ? one.number < other.number : a > b
    }
  }

  private mutating func breed() {
    generation += 1
    let parents = Self.ranked(members)
    members = Array(parents.prefix(settings.elites))
    for _ in settings.elites..<settings.population {
      let one = pick(parents)
      let other = pick(parents)
      var bred = [one.number]
      var recipe = one.recipe
      if one.number != other.number, generator.uniform() < settings.crossover {
        recipe = one.recipe.crossed(with: other.recipe, &generator)
        bred.append(other.number)
      }
      recipe.mutate(settings.mutation, settings.methods, &generator)
      // What was measured already teaches nothing.
      if recipe == one.recipe { recipe.mutate(1, settings.methods, &generator) }
      // The models themselves are linear recipes, whether or not that operator may be used.
      if !settings.methods.contains(recipe.method) {
        recipe.method = settings.methods[generator.below(settings.methods.count)]
      }
      add(recipe, bred)
    }
  }

  /// The best of some drawn at random; `ranked` has the best first.
  private mutating func pick(_ ranked: [Individual]) -> Individual {
    let draws = (0..<settings.tournament).map { _ in generator.below(ranked.count) }
    return ranked[draws.min() ?? 0]
  }
}

extension Evolution {
  /// What a checkpoint keeps.
  package var state: JSON {
    [
      "generator": .array(generator.state.map { .integer(Int64(bitPattern: $0)) }),
      "made": .integer(Int64(made)), "generation": .integer(Int64(generation)),
      "members": .array(members.map(\.json)), "waiting": .array(waiting.map(\.json)),
      "lineage": .array(lineage),
    ]
  }

  /// Goes on from a checkpoint of the same search.
  ///
  /// - Parameter state: As `state` gave it.
  /// - Throws: `RunFailure` for anything else.
  package mutating func restore(_ state: JSON) throws(RunFailure) {
    let words = (state["generator"]?.asArray ?? []).compactMap(\.asInteger)
    let members = (state["members"]?.asArray ?? []).compactMap { Individual($0) }
    let waiting = (state["waiting"]?.asArray ?? []).compactMap { Individual($0) }
    guard let generator = Generator(state: words.map { UInt64(bitPattern: $0) }),
      let made = state["made"]?.asInteger, let generation = state["generation"]?.asInteger,
      let lineage = state["lineage"]?.asArray,
      members.count == state["members"]?.asArray?.count,
      waiting.count == state["waiting"]?.asArray?.count,
      (members + waiting).allSatisfy({ $0.isOf(parents, groups) })
    else {
      throw RunFailure("The checkpoint is not one of this search; start the run anew.")
    }
    self.generator = generator
    (self.made, self.generation) = (Int(made), Int(generation))
    (self.members, self.waiting, self.lineage) = (members, waiting, lineage)
  }
}

extension Evolution.Individual {
  fileprivate func isOf(_ parents: Int, _ groups: Int) -> Bool {
    recipe.weights.count == groups && recipe.weights.allSatisfy { $0.count == parents }
  }

  fileprivate var json: JSON {
    [
      "number": .integer(Int64(number)), "generation": .integer(Int64(generation)),
      "recipe": recipe.json, "parents": .array(parents.map { .integer(Int64($0)) }),
      "fitness": fitness.map {
        .array([.number($0.loss), .number($0.taskScore), .number($0.value)])
      } ?? .null,
    ]
  }

  fileprivate init?(_ json: JSON) {
    guard let number = json["number"]?.asInteger, let generation = json["generation"]?.asInteger,
      let recipe = MergeRecipe(json["recipe"])
    else { return nil }
    self.number = Int(number)
    self.generation = Int(generation)
    self.recipe = recipe
    parents = (json["parents"]?.asArray ?? []).compactMap { $0.asInteger.map { Int($0) } }
    if let values = json["fitness"]?.asArray, values.count == 3 {
      // JSON has no infinity: a loss that is no number was written as null.
      fitness = Evolution.Fitness(
        loss: values[0].asNumber ?? .infinity,
        taskScore: values[1].asNumber ?? 0,
        value: values[2].asNumber ?? -.infinity
      )
    }
  }
}
