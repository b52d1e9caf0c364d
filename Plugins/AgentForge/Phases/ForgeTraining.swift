package import GatewayPlugin

/// Phase 5: a model is trained on tasks at the edge of what it can do, with a head that models its own states, and with
/// dreams.
///
/// Tasks have answers that can be checked. What counts as success is an answer that the model really generated,
/// greedily; their difficulty moves so that 55 to 75 % of the last answers are right; below 1 it is the share of new
/// tasks among a few that are practised. Text is mixed in, so that the
/// model does not forget it. In a dream cycle it answers tasks at a high temperature, and is trained for some steps on
/// the answers that were right.
package struct ForgeTraining: Phase {
  package static let name = PhaseName.forgeTraining
  package static let inputs = 1...1

  /// The self-modelling head's numbers among a model's extras.
  package static let headName = "forge_training.self_model"

  private let order: PhaseOrder
  private let families: [any TaskFamily]
  private let loop: CurriculumLoop.Settings
  private let length: Int?
  private let evaluationTasks: Int
  private let selfWeight, fraction: Double
  private let training: TrainSettings

  /// Reads `families`, `success_low`, `success_high`, `window`, `momentum`, `pace`, `measure_every`, `measure_tasks`,
  /// `text_share`, `length`, `evaluation_tasks`, `self_model_weight`, `dream_every`, `dream_samples`, `dream_steps`,
  /// `dream_buffer`, `dream_temperature`, `grokfast`, `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    families = Self.readFamilies(&fields)
    loop = Self.readLoop(&fields)
    length = fields.optionalInteger("length", 24...4096)
    evaluationTasks = fields.integer("evaluation_tasks", 1...1000, default: 30)
    selfWeight = fields.number("self_model_weight", 0...100, default: 0.1)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    var training = TrainSettings(
      steps: order.maxSteps,
      batchSize: order.batchSize,
      length: 1,
      shards: 1
    )
    training.rate = 5e-4
    training.read(&fields)
    training.grokfast = fields.optionalObject("grokfast") { fields in
      let usual = TrainSettings.Grokfast()
      return TrainSettings.Grokfast(
        alpha: fields.number("alpha", 0...0.9999, default: usual.alpha),
        lambda: fields.number("lambda", 0...100, default: usual.lambda)
      )
    }
    self.training = training
  }

  private static func readFamilies(_ fields: inout Fields) -> [any TaskFamily] {
    guard fields.json("families") != nil else { return TaskFamilies.all }
    let known = TaskFamilies.all.map(\.name)
    let names = fields.strings("families", 1...known.count)
    for (index, name) in names.enumerated() where !known.contains(name) {
      fields.refuse("families[\(index)]", "must be the name of a family of tasks", allowed: known)
    }
    let families = TaskFamilies.all.filter { names.contains($0.name) }
    return families.isEmpty ? TaskFamilies.all : families
  }

  private static func readLoop(_ fields: inout Fields) -> CurriculumLoop.Settings {
    var loop = CurriculumLoop.Settings()
    let edge = EdgeOfChaos.Settings()
    loop.edge.low = fields.number("success_low", 0...1, default: edge.low)
    loop.edge.high = fields.number("success_high", 0...1, default: edge.high)
    if loop.edge.low >= loop.edge.high {
      fields.refuse("success_low", "must be below success_high (\(loop.edge.high))")
    }
    loop.edge.window = fields.integer("window", 8...1000, default: edge.window)
    loop.edge.momentum = fields.number("momentum", 0...0.99, default: edge.momentum)
    loop.edge.pace = fields.number("pace", 0.01...10, default: edge.pace)
    loop.textShare = fields.number("text_share", 0...0.95, default: loop.textShare)
    loop.measureEvery = fields.integer("measure_every", 1...10_000, default: loop.measureEvery)
    loop.measureTasks = fields.integer("measure_tasks", 1...512, default: loop.measureTasks)
    loop.dreams.every = fields.integer("dream_every", 0...1_000_000, default: loop.dreams.every)
    loop.dreams.samples = fields.integer("dream_samples", 1...1024, default: loop.dreams.samples)
    loop.dreams.steps = fields.integer("dream_steps", 1...1000, default: loop.dreams.steps)
    loop.dreams.buffer = fields.integer("dream_buffer", 1...2048, default: loop.dreams.buffer)
    loop.dreams.temperature = fields.number(
      "dream_temperature",
      0.05...5,
      default: loop.dreams.temperature
    )
    return loop
  }

  /// What a run of it works with, found before anything large is allocated.
  private struct Work {
    let id: String
    let model: LanguageModel
    var settings: TrainSettings
    let data: TrainingData
    let dataset: Dataset
    let validation: [Batch]
    let deck: TaskDeck

    /// Bytes it will hold.
    var bytes: Int {
      model.shape.parameterCount * MemoryLayout<Float>.stride
        + CurriculumTrainer.bytes(model.shape, settings)
    }
  }

  private func work(_ context: any PhaseContext) throws -> Work {
    let (id, model) = try context.denseModel(for: Self.name)
    if let length, length > model.shape.context {
      throw RunFailure(
        "length is \(length) and \(id) reads at most \(model.shape.context) tokens: lower length."
      )
    }
    var settings = training
    settings.length = length ?? min(model.shape.context, 128)
    settings.shards = min(context.shards, order.batchSize)
    let data = try TrainingData(context, seed: order.seed)
    let (dataset, validation) = try data.tokens(
      model.tokenizer,
      fraction: fraction,
      settings
    )
    let deck = TaskDeck(
      families,
      model.tokenizer,
      length: settings.length,
      evaluationTasks: evaluationTasks,
      seed: order.seed
    )
    guard !deck.evaluation.isEmpty else {
      throw RunFailure(
        "No task fits \(settings.length) tokens: use other families, or a model with a larger context."
      )
    }
    return Work(
      id: id,
      model: model,
      settings: settings,
      data: data,
      dataset: dataset,
      validation: validation,
      deck: deck
    )
  }

  private func loop(_ work: Work, _ context: any PhaseContext) -> CurriculumLoop {
    let curriculum = CurriculumTrainer(
      Parameters(copying: work.model.parameters, context.account),
      work.settings,
      selfWeight: selfWeight,
      context.parallel,
      context.account
    )
    if let head = work.model.extras[Self.headName], head.count == curriculum.head.values.count {
      curriculum.head.values.copy(from: head)
    }
    return CurriculumLoop(
      curriculum,
      work.deck,
      work.model.tokenizer,
      RandomWindows(work.dataset, seed: order.seed),
      validation: work.validation,
      loop,
      seed: order.seed
    )
  }

  /// Measures a step of a copy that is thrown away.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    var work = try work(context)
    var seconds = 0.0
    if work.bytes <= context.memoryLimit {
      // Nothing is trained here, so nothing may diverge.
      work.settings.rate = 0
      var loop = loop(work, context)
      seconds = try Probe.seconds { _ = try loop.step { _ in } }
    }
    return PhasePlan(
      parameterCount: work.model.shape.parameterCount,
      memoryBytes: work.bytes,
      steps: order.maxSteps,
      seconds: seconds * Double(order.maxSteps),
      details: [
        "config": work.model.shape.json, "length": .integer(Int64(work.settings.length)),
        "families": .array(families.map { .string($0.name) }),
        "evaluation_tasks": .integer(Int64(work.deck.evaluation.count)),
        "training_tokens": .integer(Int64(work.dataset.trainingTokens)),
        "data_fingerprint": .string(work.data.fingerprint), "seconds_per_step": .number(seconds),
      ]
    )
  }

  /// Measures, trains, measures again and stores the model.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let work = try work(context)
    var loop = loop(work, context)
    let before: JSON
    if let checkpoint = try context.checkpoint() {
      before = checkpoint.state["before"] ?? .null
      try loop.curriculum.trainer.restore(checkpoint.state["trainer"], checkpoint)
      try loop.curriculum.head.restore("head", checkpoint)
      try loop.restore(checkpoint.state["loop"] ?? .null)
    } else {
      before = try evaluate(loop, context)
      context.log("Before: \(before).")
    }
    try train(&loop, before, context)
    let after: JSON
    do { after = try evaluate(loop, context) } catch let stop as RunStopped {
      try save(loop, before, context)
      throw stop
    }
    context.log("After: \(after).")
    return try store(loop, work, before, after, context)
  }

  /// Tasks of the fixed set, held-out text and the self-model, as they are now.
  private func evaluate(_ loop: CurriculumLoop, _ context: any PhaseContext) throws -> JSON {
    let curriculum = loop.curriculum
    let tasks = loop.deck.evaluation
    let answers = try TaskAnswers.answer(
      tasks,
      .greedy,
      seed: order.seed,
      loop.tokenizer,
      curriculum.trainer
    ) { try context.checkStop() }
    let text = try curriculum.trainer.validate(loop.validation)
    let own = try curriculum.selfModelLoss(loop.validation)
    return [
      "validation_loss": .number(text), "tasks": TaskAnswers.report(tasks, answers),
      "self_model_loss": .number(own.loss), "self_model_relative_loss": .number(own.relative),
    ]
  }

  private func train(
    _ loop: inout CurriculumLoop,
    _ before: JSON,
    _ context: any PhaseContext
  ) throws {
    let trainer = loop.curriculum.trainer
    let validateEvery = max(order.maxSteps / 20, 10)
    var pace = Pace()
    while trainer.step < order.maxSteps {
      do { try context.checkStop() } catch {
        try save(loop, before, context)
        throw error
      }
      let rate = trainer.settings.rate(at: trainer.step)
      let result = try loop.step { context.log($0) }
      if trainer.step == order.maxSteps { try loop.finish { context.log($0) } }
      pace.add(result.tokens)
      let isMeasured = trainer.step % validateEvery == 0
      if isMeasured || pace.isDue || trainer.step == 1 || trainer.step == order.maxSteps {
        context.report(
          ProgressPoint(
            step: trainer.step,
            steps: order.maxSteps,
            loss: result.loss,
            validationLoss: isMeasured ? try trainer.validate(loop.validation) : nil,
            tokensPerSecond: pace.take(),
            learningRate: rate,
            details: [
              "difficulty": .number(loop.edge.value),
              "success": loop.edge.success.map(JSON.number) ?? .null,
              "task_loss": result.tasks.map(JSON.number) ?? .null,
              "text_loss": result.text.map(JSON.number) ?? .null,
              "self_model_loss": .number(result.selfModel),
              "dream_cycles": .integer(Int64(loop.cycleCount)),
            ]
          )
        )
      }
      if context.isCheckpointDue { try save(loop, before, context) }
    }
  }

  private func save(_ loop: CurriculumLoop, _ before: JSON, _ context: any PhaseContext) throws {
    let (state, tensors) = loop.curriculum.trainer.checkpoint
    try context.save(
      Checkpoint(
        state: ["trainer": state, "loop": loop.state, "before": before],
        tensors: tensors + loop.curriculum.head.tensors("head")
      )
    )
  }

  private func store(
    _ loop: CurriculumLoop,
    _ work: Work,
    _ before: JSON,
    _ after: JSON,
    _ context: any PhaseContext
  ) throws -> JSON {
    let (edge, trainer) = (loop.edge, loop.curriculum.trainer)
    var facts: [JSON.Member] = [
      .init(name: "steps", value: .integer(Int64(trainer.step))),
      .init(name: "validation_loss_before", value: before["validation_loss"] ?? .null),
      .init(name: "validation_loss", value: after["validation_loss"] ?? .null),
      .init(name: "task_success_before", value: before["tasks"]?["success"] ?? .null),
      .init(name: "task_success", value: after["tasks"]?["success"] ?? .null),
      .init(name: "before", value: before),
      .init(name: "after", value: after),
      .init(name: "difficulty", value: .number(edge.value)),
    ]
    var model = work.model
    model.parameters = trainer.parameters
    // From here on it has learnt turns.
    model.template = .dialogue
    if selfWeight > 0 { model.extras[Self.headName] = loop.curriculum.head.values }
    let id = try context.store(
      model,
      name: order.modelName,
      parents: [work.id],
      metrics: .object(facts),
      dataFingerprint: work.data.fingerprint
    )
    context.log("Stored \(order.modelName) as \(id).")
    facts.insert(.init(name: "model_id", value: .string(id)), at: 0)
    let share = Double(edge.windowsInside) / Double(max(edge.windows, 1))
    return [
      "models": [.object(facts)],
      "curriculum": [
        "difficulty": .number(edge.value), "windows": .integer(Int64(edge.windows)),
        "share_of_windows_in_band": edge.windows == 0 ? .null : .number(share),
        "windows_before_band": .integer(Int64(edge.windowsBefore)),
        "curve": .array(loop.curve),
      ],
      "dreams": ["cycles": .integer(Int64(loop.cycleCount)), "last_cycles": .array(loop.cycles)],
      "data_fingerprint": .string(work.data.fingerprint),
    ]
  }
}
