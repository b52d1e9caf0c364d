package import GatewayPlugin
import PluginStorage

/// Phase 2: models of one shape are merged by an evolutionary search over operators and weights, whose fitness is
/// measured on held-out text and tasks.
///
/// The parents are in the first generation, so that on what the search selects by the winner is never worse than the
/// best of them; what it is worth is measured on other held-out text and tasks, that the search never sees.
package struct EvoMerge: Phase {
  package static let name = PhaseName.evomerge
  package static let inputs = 2...8

  private let order: PhaseOrder
  private let search: Evolution.Settings
  private let perLayer: Bool
  private let base: String?
  private let measuring: MergeMeasure.Settings

  /// Reads `population`, `generations`, `elites`, `tournament`, `mutation`, `crossover`, `operators`, `per_layer`,
  /// `base`, `loss_weight`, `task_weight`, `tasks`, `task_difficulty` and `validation_fraction`.
  ///
  /// - Parameters:
  ///   - order: What all phases are told; `maxSteps` is the most individuals that are measured.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    var search = Evolution.Settings()
    search.population = fields.integer("population", 2...32, default: search.population)
    search.generations = fields.integer("generations", 0...100, default: search.generations)
    search.elites = fields.integer(
      "elites",
      1...31,
      default: min(search.elites, search.population - 1)
    )
    search.tournament = fields.integer("tournament", 1...32, default: search.tournament)
    search.mutation = fields.number("mutation", 0...1, default: search.mutation)
    search.crossover = fields.number("crossover", 0...1, default: search.crossover)
    if search.elites >= search.population {
      fields.refuse("elites", "must be below population (\(search.population))")
    }
    search.methods = Self.readOperators(&fields)
    self.search = search
    perLayer = fields.bool("per_layer", default: false)
    base = fields.optionalString("base", 1...64)
    measuring = MergeMeasure.Settings(&fields, seed: order.seed)
  }

  private static func readOperators(_ fields: inout Fields) -> [MergeRecipe.Operator] {
    let all = MergeRecipe.Operator.allCases
    guard fields.json("operators") != nil else { return all }
    let names = fields.strings("operators", 1...all.count, length: 1...32)
    let known = names.compactMap(MergeRecipe.Operator.init)
    if known.count != names.count || Set(names).count != names.count {
      fields.refuse(
        "operators",
        "must be different ones of \(all.map(\.rawValue).joined(separator: ", "))",
        allowed: all.map(\.rawValue)
      )
    }
    return known.isEmpty ? all : known
  }

  /// What is merged, checked.
  private struct Input {
    let models: [(id: String, model: LanguageModel)]
    let base: Parameters?
    var shape: ModelShape { models[0].model.shape }
  }

  private func input(_ context: any PhaseContext) throws -> Input {
    let models = try context.models()
    guard Self.inputs.contains(models.count) else {
      throw RunFailure("evomerge needs 2 to 8 models in `models`, not \(models.count).")
    }
    try Mergeable.check(models)
    guard order.maxSteps >= models.count else {
      throw RunFailure(
        "max_steps is \(order.maxSteps), and the \(models.count) models alone are \(models.count) "
          + "individuals to measure: raise max_steps."
      )
    }
    guard let base else { return Input(models: models, base: nil) }
    guard let found = models.first(where: { $0.id == base }) else {
      throw RunFailure("base: \(base) is none of the models to merge; name one of `models`.")
    }
    return Input(models: models, base: found.model.parameters)
  }

  private func evaluations(_ parents: Int) -> Int {
    min(order.maxSteps, Evolution.evaluations(search, parents: parents))
  }

  private func merge(_ input: Input, _ context: any PhaseContext) -> ModelMerge {
    ModelMerge(
      input.models.map(\.model.parameters),
      base: input.base,
      workers: context.shards,
      context.parallel,
      context.account
    )
  }

  /// Measures one merge.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let input = try input(context)
    let data = try TrainingData(context, seed: order.seed)
    let count = input.models.count
    let evaluations = evaluations(count)
    let memory =
      ModelMerge.bytes(
        input.shape,
        parents: count,
        workers: context.shards,
        hasBase: input.base != nil
      ) + input.shape.parameterCount * MemoryLayout<Float>.stride
      + MergeMeasure.bytes(input.shape, measuring, context.shards)
    var seconds = 0.0
    let measure =
      memory > context.memoryLimit
      ? nil
      : try MergeMeasure(
        input.models[0].model,
        data,
        measuring,
        context
      )
    if let measure {
      let result = Parameters(input.shape, context.account)
      var generator = Generator(seed: order.seed)
      let recipe = MergeRecipe(randomOf: [.ties], parents: count, groups: 1, &generator)
      let merge = merge(input, context)
      let start = Clock.monotonic()
      try merge.merge(recipe, into: result)
      _ = try measure.fitness(of: result, on: measure.selection, context)
      seconds = Double(Clock.monotonic() - start) / 1e9
    }
    return PhasePlan(
      parameterCount: input.shape.parameterCount,
      memoryBytes: memory,
      steps: evaluations,
      seconds: seconds * Double(evaluations),
      details: [
        "parents": .integer(Int64(count)), "config": input.shape.json,
        "base": .string(base ?? "the mean of the parents"),
        "seconds_per_evaluation": .number(seconds),
        "data_fingerprint": .string(data.fingerprint),
      ]
    )
  }

  /// Searches, and stores the winner.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let input = try input(context)
    let data = try TrainingData(context, seed: order.seed)
    let measure = try MergeMeasure(input.models[0].model, data, measuring, context)
    let merge = merge(input, context)
    let result = Parameters(input.shape, context.account)
    var evolution = Evolution(
      search,
      parents: input.models.count,
      groups: ModelMerge.groups(input.shape, perLayer: perLayer),
      seed: order.seed
    )
    if let checkpoint = try context.checkpoint() { try evolution.restore(checkpoint.state) }
    context.log(
      "Merging \(input.models.count) models; deltas are taken from \(base ?? "the mean of them")."
    )
    try evolve(&evolution, merge, measure, result, context)
    guard let winner = evolution.best else { throw RunFailure("No individual was measured.") }
    let held = try heldOut(winner, input, merge, measure, result, context)
    return try store(winner, evolution, held, input, data, result, context)
  }

  private func evolve(
    _ evolution: inout Evolution,
    _ merge: ModelMerge,
    _ measure: MergeMeasure,
    _ result: Parameters,
    _ context: any PhaseContext
  ) throws {
    let count = evaluations(merge.parents.count)
    while evolution.lineage.count < count, let individual = evolution.next() {
      do { try context.checkStop() } catch {
        try context.save(Checkpoint(state: evolution.state))
        throw error
      }
      let start = Clock.monotonic()
      try merge.merge(individual.recipe, into: result)
      let fitness = try measure.fitness(of: result, on: measure.selection, context)
      evolution.record(fitness)
      let seconds = Double(Clock.monotonic() - start) / 1e9
      let best = evolution.best?.fitness ?? fitness
      context.report(
        ProgressPoint(
          step: evolution.lineage.count,
          steps: count,
          loss: fitness.loss,
          validationLoss: best.loss,
          tokensPerSecond: Double(measure.selection.tokens) / max(seconds, 1e-9),
          details: [
            "generation": .integer(Int64(individual.generation)),
            "operator": .string(individual.recipe.method.rawValue),
            "fitness": .number(fitness.value), "best_fitness": .number(best.value),
          ]
        )
      )
      if context.isCheckpointDue { try context.save(Checkpoint(state: evolution.state)) }
    }
    // What follows is measured anew when the run is stopped in it.
    try context.save(Checkpoint(state: evolution.state))
  }

  /// Winner and parents on what the search did not see; leaves the winner's numbers in `result`.
  private func heldOut(
    _ winner: Evolution.Individual,
    _ input: Input,
    _ merge: ModelMerge,
    _ measure: MergeMeasure,
    _ result: Parameters,
    _ context: any PhaseContext
  ) throws -> HeldOut {
    var parents: [Evolution.Fitness] = []
    for (_, model) in input.models {
      try context.checkStop()
      parents.append(try measure.fitness(of: model.parameters, on: measure.final, context))
    }
    try context.checkStop()
    try merge.merge(winner.recipe, into: result)
    let own = try measure.fitness(of: result, on: measure.final, context)
    guard own.loss.isFinite else {
      throw RunFailure("No merge and no parent has a finite loss: the models are damaged.")
    }
    return HeldOut(winner: own, parents: parents)
  }

  private func store(
    _ winner: Evolution.Individual,
    _ evolution: Evolution,
    _ held: HeldOut,
    _ input: Input,
    _ data: TrainingData,
    _ result: Parameters,
    _ context: any PhaseContext
  ) throws -> JSON {
    var model = input.models[0].model
    if !model.extras.isEmpty {
      context.log("What the models have beside the transformer is not merged and left out.")
    }
    model.parameters = result
    (model.extras, model.payload) = ([:], [])
    let facts: JSON = [
      "validation_loss": .number(held.winner.loss), "task_score": .number(held.winner.taskScore),
      "fitness": .number(held.winner.value), "is_no_worse_than_parents": .bool(held.isNoWorse),
      "recipe": winner.recipe.json,
    ]
    let id = try context.store(
      model,
      name: order.modelName,
      parents: input.models.map(\.id),
      metrics: facts,
      dataFingerprint: data.fingerprint
    )
    let verdict = held.verdict(winner, input.models.map(\.id))
    context.log("Stored \(order.modelName) as \(id). \(verdict)")
    return [
      "models": [["model_id": .string(id), "validation_loss": .number(held.winner.loss)]],
      "verdict": .string(verdict), "is_no_worse_than_parents": .bool(held.isNoWorse),
      "winner": [
        "number": .integer(Int64(winner.number)), "generation": .integer(Int64(winner.generation)),
        "recipe": winner.recipe.json, "selection": winner.fitness?.json ?? .null,
        "held_out": held.winner.json,
      ],
      "parents": .array(
        zip(input.models, held.parents).enumerated().map { index, parent in
          [
            "model_id": .string(parent.0.id), "number": .integer(Int64(index)),
            "held_out": parent.1.json,
          ]
        }
      ),
      "base": .string(base ?? "the mean of the parents"),
      "evaluations": .integer(Int64(evolution.lineage.count)),
      "lineage": .array(evolution.lineage), "data_fingerprint": .string(data.fingerprint),
    ]
  }
}

/// What winner and parents are worth on what the search did not see.
private struct HeldOut {
  let winner: Evolution.Fitness
  let parents: [Evolution.Fitness]

  /// Whether no parent has a higher fitness.
  var isNoWorse: Bool { parents.allSatisfy { $0.value <= winner.value } }

  /// In a sentence.
  func verdict(_ individual: Evolution.Individual, _ ids: [String]) -> String {
    let best = parents.indices.max { parents[$0].value < parents[$1].value } ?? 0
    let figures =
      "fitness \(winner.value), loss \(winner.loss), against \(parents[best].value) and "
      + "\(parents[best].loss) of the best parent \(ids[best])"
    if individual.number < ids.count {
      return "No merge was better than the parent \(ids[individual.number]), which is the winner; "
        + "on other held-out data it is \(isNoWorse ? "no worse" : "WORSE") than the best parent: "
        + "\(figures)."
    }
    return isNoWorse
      ? "The winner is no worse than the best parent on held-out data: \(figures)."
      : "The winner is WORSE than the best parent on held-out data that the search did not see: "
        + "\(figures)."
  }
}

extension Evolution.Fitness {
  fileprivate var json: JSON {
    ["loss": .number(loss), "task_score": .number(taskScore), "fitness": .number(value)]
  }
}
