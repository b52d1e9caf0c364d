package import GatewayPlugin
import PluginStorage

/// Phase 7: automated design of agentic systems, after Hu and others (2024), at this scale.
///
/// A search over sizes of models, over prompts and workflows, or over both, by measured results; an archive keeps all
/// that was tried. A model that is given is only replaced by a new one whose held-out loss is lower.
package struct ADAS: Phase {
  package static let name = PhaseName.adas
  package static let inputs = 0...1

  private enum Search: String, CaseIterable { case architecture, workflow, both }

  private let order: PhaseOrder
  private let search: Search
  private let population: Int
  private let parameterBudget: Int
  private let context: Int
  private let vocabulary: Int
  private let budgetSteps: Int
  private let questions: Int
  private let difficulty: Int
  private let samples: Int
  private let fraction: Double
  private var settings: TrainSettings

  /// Reads `search`, `population`, `parameter_budget`, `context`, `vocabulary`, `budget_steps`, `questions`,
  /// `task_difficulty`, `samples`, `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told; `maxSteps` are the optimiser steps of the search over sizes and of the
  ///     training of the best together, or, where workflows alone are searched, the tasks that are asked.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    let names = Search.allCases.map(\.rawValue)
    search = Search(rawValue: fields.choice("search", names, default: "both")) ?? .both
    population = fields.integer("population", 2...32, default: 8)
    parameterBudget = fields.integer("parameter_budget", 10_000...50_000_000, default: 500_000)
    context = fields.integer("context", 8...4096, default: 128)
    vocabulary = fields.integer("vocabulary", 272...16_384, default: 1024)
    let steps = order.maxSteps
    budgetSteps = fields.integer("budget_steps", 1...1_000_000, default: max(steps / 2, 1))
    questions = fields.integer(
      "questions",
      1...1_000_000,
      default: search == .workflow ? steps : 320
    )
    difficulty = fields.integer("task_difficulty", TaskFamilies.difficulties, default: 1)
    samples = fields.integer("samples", 1...9, default: 3)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    settings = TrainSettings(
      steps: steps,
      batchSize: order.batchSize,
      length: context,
      shards: 1
    )
    settings.rate = 1e-3
    settings.read(&fields)
    checkBudgets(&fields)
  }

  private func checkBudgets(_ fields: inout Fields) {
    let least = Halving(max(population, 2)).least
    if search != .workflow {
      if budgetSteps < least {
        fields.refuse(
          "budget_steps",
          "must be at least \(least), a step for each of \(population) candidates in each rung; it "
            + "is half of max_steps when it is not given"
        )
      } else if budgetSteps > order.maxSteps {
        fields.refuse("budget_steps", "must be at most max_steps (\(order.maxSteps))")
      }
    }
    if search != .architecture, questions < least {
      fields.refuse(
        "questions",
        "must be at least \(least), a task for each of \(population) candidates in each rung; it is "
          + "max_steps when workflows alone are searched and it is not given"
      )
    }
    if search == .workflow, questions > order.maxSteps {
      fields.refuse("questions", "must be at most max_steps (\(order.maxSteps))")
    }
  }

  /// What the search works with.
  private struct Material {
    let input: (id: String, model: LanguageModel)?
    let data: TrainingData
    let tokenizer: Tokenizer
    let template: LanguageModel.Template
    let shapes: [ModelShape]
    let settings: TrainSettings
  }

  private func material(_ context: any PhaseContext) throws -> Material {
    let models = try context.models()
    guard models.count <= 1 else {
      throw RunFailure("adas takes at most one model in `models`, not \(models.count).")
    }
    if search == .workflow, models.isEmpty {
      throw RunFailure(
        "search \"workflow\" needs a model to ask: name one in `models`, or search \"both\"."
      )
    }
    let input = models.first
    let data = try TrainingData(context, seed: order.seed)
    let tokenizer = input?.model.tokenizer ?? data.tokenizer(vocabulary: vocabulary)
    var first = input?.model.shape
    first?.context = self.context
    // The sizes alone are compared: none of the candidates halts or rounds its activations.
    first?.halts = false
    first?.quantizesActivations = false
    let shapes =
      search == .workflow
      ? []
      : ArchitectureSearch.shapes(
        population,
        limit: parameterBudget,
        vocabulary: tokenizer.vocabulary,
        context: self.context,
        seed: order.seed,
        first: first
      )
    if search != .workflow, shapes.count < 2 {
      throw RunFailure(
        "Fewer than two sizes have at most \(parameterBudget) parameters with a vocabulary of "
          + "\(tokenizer.vocabulary): raise parameter_budget or lower vocabulary."
      )
    }
    var settings = settings
    settings.shards = min(context.shards, order.batchSize)
    return Material(
      input: input,
      data: data,
      tokenizer: tokenizer,
      template: search == .workflow ? input?.model.template ?? .dialogue : data.template,
      shapes: shapes,
      settings: settings
    )
  }

  private func architectures(_ material: Material) -> ArchitectureSearch {
    ArchitectureSearch(
      material.shapes,
      budget: budgetSteps,
      steps: order.maxSteps,
      material.settings,
      seed: order.seed
    )
  }

  private func workflows(_ material: Material) -> WorkflowSearch {
    WorkflowSearch(
      population,
      material.template,
      samples: samples,
      budget: questions,
      difficulty: difficulty,
      seed: order.seed
    )
  }

  private func steps(_ material: Material) -> (training: Int, asking: Int) {
    let architectures = search == .workflow ? nil : architectures(material)
    return (
      architectures.map { $0.searchSteps + $0.finalSteps } ?? 0,
      search == .architecture ? 0 : workflows(material).steps
    )
  }

  /// Measures a step of the largest candidate, and a task for each workflow.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let material = try material(context)
    let (training, asking) = steps(material)
    let shapes = material.shapes + (material.input.map { [$0.model.shape] } ?? [])
    let asked = shapes.map { context.parallel.width * DecodedAnswers.bytes($0) }
    let memory = max(
      search == .workflow ? 0 : ArchitectureSearch.bytes(material.shapes, material.settings),
      search == .workflow ? 0 : comparisonBytes(material, context),
      search == .architecture ? 0 : asked.max() ?? 0
    )
    let isPossible = memory <= context.memoryLimit
    let (step, task) = isPossible ? try probe(material, context) : (0, 0)
    return PhasePlan(
      parameterCount: shapes.map(\.parameterCount).max() ?? 0,
      memoryBytes: memory,
      steps: training + asking,
      seconds: step * Double(training) + task * Double(asking),
      details: [
        "search": .string(search.rawValue),
        "candidates": .array(material.shapes.map { .integer(Int64($0.parameterCount)) }),
        "training_steps": .integer(Int64(training)), "tasks_asked": .integer(Int64(asking)),
        "seconds_per_step_of_the_largest": .number(step), "seconds_per_task": .number(task),
        "data_fingerprint": .string(material.data.fingerprint),
      ]
    )
  }

  /// Seconds of a training step of the largest candidate, and of a task.
  private func probe(_ material: Material, _ context: any PhaseContext) throws -> (Double, Double) {
    let largest = material.shapes.max { $0.parameterCount < $1.parameterCount }
    let step = try largest.map {
      try Probe.secondsPerStep($0, material.settings, context.parallel)
    }
    guard search != .architecture else { return (step ?? 0, 0) }
    let model =
      largest.map {
        LanguageModel(
          parameters: Parameters($0),
          tokenizer: material.tokenizer,
          template: material.template
        )
      } ?? material.input?.model
    let task = try model.map { try workflows(material).secondsPerTask($0, context) }
    return (step ?? 0, task ?? 0)
  }

  /// Searches, and stores the best.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let material = try material(context)
    let saved = try context.checkpoint()
    var report: [JSON.Member] = []
    var metrics: [JSON.Member] = []
    var best = material.input?.model
    var fingerprint = ""
    let design = search == .workflow ? nil : try design(material, context, saved)
    if let design {
      let (better, facts, verdict) = try choose(design, material, context)
      best = better
      metrics += facts
      report.append(.init(name: "architecture", value: design.archive))
      if let verdict { report.append(.init(name: "input", value: verdict)) }
      if verdict?["is_kept"] != true { fingerprint = material.data.fingerprint }
    }
    guard var model = best else { preconditionFailure("`material` asks for a model to ask") }
    if search != .architecture {
      let (prompt, archive) = try instruct(model, material, context, saved, design)
      model.systemPrompt = prompt
      metrics.append(.init(name: "workflow", value: archive["held_out"] ?? .null))
      report.append(.init(name: "workflow", value: archive))
    }
    let id = try context.store(
      model,
      name: order.modelName,
      parents: material.input.map { [$0.id] } ?? [],
      metrics: .object(metrics),
      dataFingerprint: fingerprint
    )
    context.log("Stored \(order.modelName) as \(id).")
    let stored: JSON = .object([.init(name: "model_id", value: .string(id))] + metrics)
    return .object(
      [
        .init(name: "models", value: [stored]),
        .init(name: "search", value: .string(search.rawValue)),
      ] + report
    )
  }

  /// What the search over sizes gave: the trained best, what was measured of it, and the archive.
  private typealias Design = (model: LanguageModel, facts: [JSON.Member], archive: JSON)

  /// Searches sizes.
  private func design(
    _ material: Material,
    _ context: any PhaseContext,
    _ saved: Checkpoint?
  ) throws -> Design {
    var search = architectures(material)
    search.stepsAfter = steps(material).asking
    let model = { (parameters: Parameters) in
      LanguageModel(
        parameters: parameters,
        tokenizer: material.tokenizer,
        template: material.template
      )
    }
    if let saved, let facts = saved.state["facts"]?.asMembers,
      let archive = saved.state["archive"], let winner = archive["winner"]?.asInteger,
      material.shapes.indices.contains(Int(winner))
    {
      let parameters = Parameters(material.shapes[Int(winner)], context.account)
      parameters.values.copy(
        from: try saved.tensor("parameters", count: parameters.layout.count)
      )
      return (model(parameters), facts, archive)
    }
    let (dataset, validation) = try material.data.tokens(
      material.tokenizer,
      fraction: fraction,
      material.settings
    )
    context.log("Searching \(material.shapes.count) sizes in \(search.searchSteps) steps.")
    let parameters = try search.run(dataset, validation, context, saved) { ["architecture": $0] }
    let loss = try loss(parameters, validation, context)
    return (model(parameters), Self.facts(parameters.shape, loss), search.report)
  }

  private static func facts(_ shape: ModelShape, _ loss: Double) -> [JSON.Member] {
    [
      .init(name: "validation_loss", value: .number(loss)),
      .init(name: "parameters", value: .integer(Int64(shape.parameterCount))),
      .init(name: "config", value: shape.json),
    ]
  }

  /// A loss on held-out text, measured a window at a time.
  private func loss(
    _ parameters: Parameters,
    _ batches: [Batch],
    _ context: any PhaseContext
  ) throws -> Double {
    let spaces = (0..<context.shards).map { _ in
      Workspace(parameters.shape, rows: 1, length: batches.first?.length ?? 1, context.account)
    }
    let transformer = Transformer(parameters.shape)
    return try Evaluation.loss(of: parameters, transformer, batches, spaces, context.parallel)
  }

  /// Bytes that `choose` holds.
  private func comparisonBytes(_ material: Material, _ context: any PhaseContext) -> Int {
    guard let shape = material.input?.model.shape else { return 0 }
    let found = (material.shapes.map(\.parameterCount).max() ?? 0) * MemoryLayout<Float>.stride
    let length = min(self.context, shape.context)
    return found + context.shards * Workspace.bytes(shape, rows: 1, length: length)
  }

  /// The better of what was found and the model that was given, on the same held-out text in windows that both can
  /// read; with what was measured of it, and of both.
  private func choose(
    _ design: Design,
    _ material: Material,
    _ context: any PhaseContext
  ) throws -> (LanguageModel, [JSON.Member], JSON?) {
    guard let (id, input) = material.input else { return (design.model, design.facts, nil) }
    var settings = material.settings
    settings.length = min(self.context, input.shape.context)
    let (_, validation) = try material.data.tokens(
      material.tokenizer,
      fraction: fraction,
      settings
    )
    let own = try loss(input.parameters, validation, context)
    let found = try loss(design.model.parameters, validation, context)
    let isKept = own <= found
    context.log(
      "The held-out loss of \(id) is \(own), that of the best new size \(found): "
        + (isKept ? "the given model is kept." : "the new one takes its place.")
    )
    let verdict: JSON = [
      "model_id": .string(id), "validation_loss": .number(own),
      "found_validation_loss": .number(found), "is_kept": .bool(isKept),
    ]
    return isKept
      ? (input, Self.facts(input.shape, own), verdict) : (design.model, design.facts, verdict)
  }

  /// Searches workflows; the best one's prompt, and the archive.
  private func instruct(
    _ model: LanguageModel,
    _ material: Material,
    _ context: any PhaseContext,
    _ saved: Checkpoint?,
    _ design: Design?
  ) throws -> (String, JSON) {
    var search = workflows(material)
    context.log("Searching \(search.candidates.count) workflows with \(search.steps) tasks.")
    let held = try search.run(
      model,
      context,
      stepsBefore: steps(material).training,
      saved?.state["workflow"]
    ) { state in
      try context.save(
        Checkpoint(
          state: [
            "facts": .object(design?.facts ?? []), "archive": design?.archive ?? .null,
            "workflow": state,
          ],
          // An input model is not the run's own and is not kept again.
          tensors: design.map { [(name: "parameters", values: $0.model.parameters.values)] } ?? []
        )
      )
    }
    let winner = search.candidates[search.winner ?? 0].workflow
    let members =
      (search.report.asMembers ?? []) + [
        .init(name: "best", value: winner.json), .init(name: "held_out", value: held),
      ]
    return (winner.systemPrompt, .object(members))
  }
}
