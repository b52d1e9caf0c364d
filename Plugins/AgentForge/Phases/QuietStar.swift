package import GatewayPlugin

/// Phase 3: a model learns to think before it goes on with a text.
///
/// It is Quiet-STaR (Zelikman et al. 2024) at this scale. At random places of the text it samples thoughts from itself
/// between `<|startofthought|>` and `<|endofthought|>`, and a mixing head interpolates the predictions of the next
/// tokens without and with the thought. The mixture's loss trains model, thought tokens and head; REINFORCE makes those
/// thoughts likelier that predicted better than the mean of their place's thoughts (worse ones are not unlearnt, as in
/// the paper). Beside the paper, the predictions after thoughts have a loss of their own: a model this small has not
/// learnt to go on after strange tokens, and without it the gate shuts for good. The model stays an ordinary one: it chats without thoughts, and the head is kept beside it.
package struct QuietStar: Phase {
  package static let name = PhaseName.quietstar
  package static let inputs = 1...1

  /// The head's numbers among a model's extras.
  package static let headName = "quietstar.mixing_head"

  private let order: PhaseOrder
  private let prefix: Int?
  private let thoughts, thoughtLength, ahead: Int
  private let policyWeight, thoughtWeight, headRate, headDelay, fraction: Double
  private let training: TrainSettings

  /// Reads `thoughts`, `thought_length`, `ahead`, `prefix`, `policy_weight`, `thought_weight`,
  /// `head_rate`, `head_delay`, `validation_fraction`, and
  /// what every training reads; `batch_size` counts positions.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    thoughts = fields.integer("thoughts", 2...16, default: 2)
    thoughtLength = fields.integer("thought_length", 1...128, default: 8)
    ahead = fields.integer("ahead", 1...32, default: 4)
    prefix = fields.optionalInteger("prefix", 1...4096)
    policyWeight = fields.number("policy_weight", 0...1000, default: 1)
    thoughtWeight = fields.number("thought_weight", 0...1000, default: 0.3)
    headRate = fields.number("head_rate", 0...10, default: 1e-3)
    headDelay = fields.number("head_delay", 0...1, default: 0.25)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    var training = TrainSettings(
      steps: order.maxSteps,
      batchSize: order.batchSize,
      length: 1,
      shards: 1
    )
    training.rate = 3e-4
    training.weightDecay = 0.01
    training.read(&fields)
    self.training = training
  }

  /// What a run of it works with, found before anything large is allocated.
  private struct Work {
    let id: String
    let model: LanguageModel
    let shape: ThoughtShape
    var settings: ThoughtTrainer.Settings
    let data: TrainingData
    let dataset: Dataset
    let validation: [Batch]

    /// Bytes it will hold.
    var bytes: Int {
      model.shape.parameterCount * MemoryLayout<Float>.stride
        + ThoughtTrainer.bytes(model.shape, shape, settings)
    }
  }

  private func work(_ context: any PhaseContext) throws -> Work {
    let (id, model) = try context.denseModel(for: Self.name)
    // Two tokens open and close a thought.
    let longest = model.shape.context - (thoughtLength + 2 + ahead - 1)
    guard longest >= (prefix ?? 1) else {
      throw RunFailure(
        "A prefix of \(prefix ?? 1), a thought of \(thoughtLength) and \(ahead) tokens ahead do not fit "
          + "the \(model.shape.context) tokens that \(id) reads: lower prefix, thought_length or ahead."
      )
    }
    let shape = ThoughtShape(
      prefix: prefix ?? min(longest, 32),
      thoughts: thoughts,
      length: thoughtLength,
      ahead: ahead
    )
    var training = training
    training.shards = min(context.shards, order.batchSize)
    training.length = shape.baseLength
    var settings = ThoughtTrainer.Settings(training, seed: order.seed)
    settings.headRate = headRate
    settings.headDelay = headDelay
    settings.thoughtWeight = thoughtWeight
    settings.policyWeight = policyWeight
    let data = try TrainingData(context, seed: order.seed)
    // As many positions to measure on as there may be.
    training.batchSize = 16
    let (dataset, validation) = try data.tokens(
      model.tokenizer,
      fraction: fraction,
      training
    )
    return Work(
      id: id,
      model: model,
      shape: shape,
      settings: settings,
      data: data,
      dataset: dataset,
      validation: validation
    )
  }

  private func trainer(_ work: Work, _ context: any PhaseContext) -> ThoughtTrainer {
    let trainer = ThoughtTrainer(
      Parameters(copying: work.model.parameters, context.account),
      work.shape,
      work.settings,
      context.parallel,
      context.account
    )
    if let head = work.model.extras[Self.headName], head.count == trainer.head.values.count {
      trainer.head.values.copy(from: head)
    } else {
      trainer.initializeHead()
    }
    return trainer
  }

  /// Measures a step of a copy that is thrown away.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    var work = try work(context)
    var seconds = 0.0
    if work.bytes <= context.memoryLimit {
      // Nothing is trained here, so nothing may diverge.
      work.settings.training.rate = 0
      work.settings.headRate = 0
      let trainer = trainer(work, context)
      var source = RandomWindows(work.dataset, seed: order.seed)
      let batch = source.next(rows: order.batchSize, length: work.shape.baseLength)
      seconds = try Probe.seconds { _ = try trainer.step(batch) }
    }
    return PhasePlan(
      parameterCount: work.model.shape.parameterCount,
      memoryBytes: work.bytes,
      steps: order.maxSteps,
      seconds: seconds * Double(order.maxSteps),
      details: [
        "config": work.model.shape.json, "prefix": .integer(Int64(work.shape.prefix)),
        "mixing_head_parameters": .integer(Int64(MixingHead(width: work.model.shape.width).count)),
        "training_tokens": .integer(Int64(work.dataset.trainingTokens)),
        "validation_positions": .integer(Int64(work.validation.reduce(0) { $0 + $1.rows })),
        "data_fingerprint": .string(work.data.fingerprint), "seconds_per_step": .number(seconds),
      ]
    )
  }

  /// Measures, trains, measures again and stores the model.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let work = try work(context)
    let trainer = trainer(work, context)
    var source = RandomWindows(work.dataset, seed: order.seed)
    let before: JSON
    if let checkpoint = try context.checkpoint() {
      let state = checkpoint.state
      before = state["before"] ?? .null
      try trainer.trainer.restore(state["trainer"], checkpoint)
      try trainer.head.restore("head", checkpoint)
      try source.restore(state["source"] ?? .null)
    } else {
      before = try evaluate(trainer, work, context)
      context.log("Before: \(before).")
    }
    try train(trainer, work, &source, before, context)
    let after: JSON
    do { after = try evaluate(trainer, work, context) } catch let stop as RunStopped {
      try save(trainer, source, before, context)
      throw stop
    }
    context.log("After: \(after).")
    return try store(trainer, work, before, after, context)
  }

  /// The loss of held-out text as of any model, and with thoughts.
  private func evaluate(_ trainer: ThoughtTrainer, _ work: Work, _ context: any PhaseContext) throws
    -> JSON
  {
    let thoughts = try trainer.evaluate(work.validation) { try context.checkStop() }
    let text = try trainer.trainer.validate(work.validation)
    return .object(
      [.init(name: "validation_loss", value: .number(text))] + (thoughts.json.asMembers ?? [])
    )
  }

  private func train(
    _ thinker: ThoughtTrainer,
    _ work: Work,
    _ source: inout RandomWindows,
    _ before: JSON,
    _ context: any PhaseContext
  ) throws {
    let trainer = thinker.trainer
    let validateEvery = max(order.maxSteps / 10, 10)
    var pace = Pace()
    while trainer.step < order.maxSteps {
      do { try context.checkStop() } catch {
        try save(thinker, source, before, context)
        throw error
      }
      let rate = trainer.settings.rate(at: trainer.step)
      let result = try thinker.step(
        source.next(rows: order.batchSize, length: work.shape.baseLength)
      )
      pace.add(result.tokens)
      let isMeasured = trainer.step % validateEvery == 0
      if isMeasured || pace.isDue || trainer.step == 1 || trainer.step == order.maxSteps {
        context.report(
          ProgressPoint(
            step: trainer.step,
            steps: order.maxSteps,
            loss: result.mixture,
            validationLoss: isMeasured ? try trainer.validate(work.validation) : nil,
            tokensPerSecond: pace.take(),
            learningRate: rate,
            details: [
              "base_loss": .number(result.base), "gain": .number(result.base - result.mixture),
              "mean_gate": .number(result.weight), "mean_reward": .number(result.reward),
            ]
          )
        )
      }
      if context.isCheckpointDue { try save(thinker, source, before, context) }
    }
  }

  private func save(
    _ thinker: ThoughtTrainer,
    _ source: RandomWindows,
    _ before: JSON,
    _ context: any PhaseContext
  ) throws {
    let (state, tensors) = thinker.trainer.checkpoint
    try context.save(
      Checkpoint(
        state: ["trainer": state, "source": source.state, "before": before],
        tensors: tensors + thinker.head.tensors("head")
      )
    )
  }

  private func store(
    _ thinker: ThoughtTrainer,
    _ work: Work,
    _ before: JSON,
    _ after: JSON,
    _ context: any PhaseContext
  ) throws -> JSON {
    var facts: [JSON.Member] = [
      .init(name: "steps", value: .integer(Int64(thinker.trainer.step))),
      .init(name: "validation_loss_before", value: before["validation_loss"] ?? .null),
      .init(name: "validation_loss", value: after["validation_loss"] ?? .null),
      .init(name: "before", value: before),
      .init(name: "after", value: after),
    ]
    var model = work.model
    model.parameters = thinker.trainer.parameters
    model.extras[Self.headName] = thinker.head.values
    let id = try context.store(
      model,
      name: order.modelName,
      parents: [work.id],
      metrics: .object(facts),
      dataFingerprint: work.data.fingerprint
    )
    let gain = after["gain"]?.asNumber ?? 0
    let error = after["gain_standard_error"]?.asNumber ?? 0
    let sentence =
      gain > 2 * error
      ? "Thoughts lower the loss of the next tokens."
      : gain < -2 * error
        ? "Thoughts raise the loss of the next tokens."
        : "Thoughts change the loss of the next tokens by no more than chance would."
    context.log("Stored \(order.modelName) as \(id). \(sentence)")
    facts.insert(.init(name: "model_id", value: .string(id)), at: 0)
    return [
      "models": [.object(facts)], "finding": .string(sentence),
      "data_fingerprint": .string(work.data.fingerprint),
      "generation":
        "The model chats as any other, without thoughts; its mixing head is kept beside it.",
    ]
  }
}
