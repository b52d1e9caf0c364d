package import GatewayPlugin

/// Phase 1: models trained from random numbers, on text.
///
/// By default three, that differ in seed and in what there is more of in their text, for the phases after it to merge.
package struct Cognate: Phase {
  package static let name = PhaseName.cognate
  package static let inputs = 0...0

  private static let focuses: [Corpus.Focus] = [.mixed, .facts, .stories, .arithmetic]

  private let order: PhaseOrder
  private let count: Int
  private let size: ModelSize
  private let vocabulary: Int
  private let halts: Bool
  private let comparesOptions: Bool
  private let patience: Int?
  private let fraction: Double
  private var settings: TrainSettings

  /// Reads `count`, `size` and its parts, `vocabulary`, `grokfast`, `act`, `ponder_cost`, `compare`, `early_stop`,
  /// `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    count = fields.integer("count", 1...8, default: 3)
    size = ModelSize.read(&fields)
    vocabulary = fields.integer("vocabulary", 272...16_384, default: 1024)
    halts = fields.bool("act", default: false)
    comparesOptions = fields.bool("compare", default: true)
    patience = fields.optionalInteger("early_stop", 1...1000)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    var settings = TrainSettings(
      steps: order.maxSteps,
      batchSize: order.batchSize,
      length: size.context,
      shards: 1
    )
    settings.rate = 1e-3
    settings.read(&fields)
    settings.ponderCost = fields.number("ponder_cost", 0...10, default: 0.01)
    if let filter = fields.optionalObject("grokfast", Self.readGrokfast) {
      settings.grokfast = filter
    }
    self.settings = settings
  }

  private static func readGrokfast(_ fields: inout Fields) -> TrainSettings.Grokfast {
    let usual = TrainSettings.Grokfast()
    return TrainSettings.Grokfast(
      alpha: fields.number("alpha", 0...0.9999, default: usual.alpha),
      lambda: fields.number("lambda", 0...100, default: usual.lambda)
    )
  }

  private var hasOptions: Bool { halts || settings.grokfast != nil }
  /// Trainings in all: the models, and one without the options to compare with.
  private var trainings: Int { count + (hasOptions && comparesOptions ? 1 : 0) }

  private func shape(_ tokenizer: Tokenizer) -> ModelShape {
    var shape = size.shape(vocabulary: tokenizer.vocabulary)
    shape.halts = halts
    return shape
  }

  private func settings(_ context: any PhaseContext) -> TrainSettings {
    var settings = settings
    settings.shards = min(context.shards, order.batchSize)
    return settings
  }

  /// Measures a step of the largest training.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let settings = settings(context)
    let data = try TrainingData(context, seed: order.seed)
    let tokenizer = data.tokenizer(vocabulary: vocabulary)
    let (dataset, validation) = try data.tokens(
      tokenizer,
      fraction: fraction,
      settings
    )
    let shape = shape(tokenizer)
    let copies = patience == nil ? 1 : 2
    let memory =
      Trainer.bytes(shape, settings) + copies * shape.parameterCount * MemoryLayout<Float>.stride
    let steps = order.maxSteps * trainings
    let seconds =
      memory > context.memoryLimit
      ? 0 : try Probe.secondsPerStep(shape, settings, context.parallel)
    return PhasePlan(
      parameterCount: shape.parameterCount,
      memoryBytes: memory,
      steps: steps,
      seconds: seconds * Double(steps),
      details: [
        "models": .integer(Int64(count)), "config": shape.json,
        "training_tokens": .integer(Int64(dataset.trainingTokens)),
        "validation_tokens": .integer(Int64(validation.reduce(0) { $0 + $1.targetCount })),
        "data_fingerprint": .string(data.fingerprint),
        "seconds_per_step": .number(seconds),
      ]
    )
  }

  /// Trains the models one after another.
  package func run(_ context: any PhaseContext) throws -> JSON {
    var progress = try Progress(context.checkpoint())
    let saved = progress.pending
    // One tokenizer and one held-out part for all, so that their losses compare and their weights can be merged.
    let base = try TrainingData(context, seed: order.seed)
    let tokenizer = base.tokenizer(vocabulary: vocabulary)
    while progress.done.count < trainings {
      let index = progress.done.count
      let resumed = index == saved?.index ? saved : nil
      progress.done.append(try train(index, base, tokenizer, context, progress, resumed))
      try context.save(Checkpoint(state: progress.json(pending: nil)))
    }
    return report(progress, base, tokenizer)
  }

  private func train(
    _ index: Int,
    _ base: TrainingData,
    _ tokenizer: Tokenizer,
    _ context: any PhaseContext,
    _ progress: Progress,
    _ resumed: Progress.Pending?
  ) throws -> JSON {
    let isControl = index == count
    var shape = shape(tokenizer)
    var settings = settings(context)
    if isControl {
      shape.halts = false
      settings.grokfast = nil
    }
    // The comparison starts where the first model did.
    let seed = order.seed &+ UInt64(isControl ? 0 : index)
    let focus = isControl ? Self.focuses[0] : Self.focuses[index % Self.focuses.count]
    let isGenerated = !base.heldOut.isEmpty
    let data = isGenerated && focus != .mixed ? TrainingData(seed: order.seed, focus: focus) : base
    let (_, validation) = try base.tokens(tokenizer, fraction: fraction, settings)
    let (dataset, _) = try data.tokens(tokenizer, fraction: fraction, settings)

    let parameters = Parameters(shape, context.account)
    var generator = Generator(seed: seed, stream: 1)
    parameters.initialize(&generator)
    let trainer = Trainer(parameters, settings, context.parallel, context.account)
    var loop = TrainingLoop(
      trainer,
      RandomWindows(dataset, seed: seed),
      validation: validation,
      patience: patience,
      context.account
    )
    loop.stepsBefore = index * order.maxSteps
    loop.stepsInAll = trainings * order.maxSteps
    loop.details = { result in
      var members: [JSON.Member] = [.init(name: "model", value: .integer(Int64(index + 1)))]
      if let layers = result.haltingLayers {
        members.append(.init(name: "halting_layers", value: .number(layers)))
      }
      return .object(members)
    }
    let initial = try trainer.validate(validation)
    if let resumed { try loop.restore(resumed.loop, resumed.checkpoint) }
    let title = isControl ? "the comparison without options" : "model \(index + 1) of \(count)"
    context.log(
      "Training \(title), from step \(trainer.step); \(dataset.trainingTokens) tokens of \(isGenerated ? "\(focus)" : "the caller's") text."
    )
    try loop.run(context) { progress.json(pending: (index, $0)) }
    let final = try trainer.validate(validation)
    var facts: [JSON.Member] = [
      .init(name: "seed", value: .integer(Int64(truncatingIfNeeded: seed))),
      .init(name: "focus", value: isGenerated ? .string("\(focus)") : .null),
      .init(name: "steps", value: .integer(Int64(trainer.step))),
      .init(name: "validation_loss_before", value: .number(initial)),
      .init(name: "validation_loss", value: .number(final)),
      .init(name: "training_loss", value: loop.recentLoss.map(JSON.number) ?? .null),
      .init(name: "best_step", value: loop.best.map { .integer(Int64($0.step)) } ?? .null),
    ]
    if shape.halts, let layers = try haltingLayers(trainer, validation) {
      facts.append(.init(name: "halting_layers", value: .number(layers)))
    }
    if isControl { return .object(facts) }
    let model = LanguageModel(parameters: parameters, tokenizer: tokenizer, template: data.template)
    let name = count == 1 ? order.modelName : "\(order.modelName)-\(index + 1)"
    let id = try context.store(
      model,
      name: name,
      parents: [],
      metrics: .object(facts),
      dataFingerprint: data.fingerprint
    )
    context.log("The held-out loss of \(name) was \(initial) before, and is \(final).")
    return .object([.init(name: "model_id", value: .string(id))] + facts)
  }

  /// Mean layers after which held-out tokens halt.
  private func haltingLayers(_ trainer: Trainer, _ batches: [Batch]) throws -> Double? {
    guard let batch = batches.first, let space = trainer.spaces.first else { return nil }
    let part = batch.rows(0..<min(space.rows, batch.rows))
    trainer.transformer.forward(
      part.tokens,
      rows: part.rows,
      length: part.length,
      trainer.forwardParameters,
      space
    )
    return space.halting?.meanLayers(part.tokens.count)
  }

  private func report(_ progress: Progress, _ data: TrainingData, _ tokenizer: Tokenizer) -> JSON {
    let models = Array(progress.done.prefix(count))
    var members: [JSON.Member] = [
      .init(name: "models", value: .array(models)),
      .init(name: "data_fingerprint", value: .string(data.fingerprint)),
      .init(name: "vocabulary", value: .integer(Int64(tokenizer.vocabulary))),
    ]
    if progress.done.count > count, let with = models.first?["validation_loss"]?.asNumber,
      let without = progress.done[count]["validation_loss"]?.asNumber
    {
      members.append(
        .init(
          name: "effect_of_options",
          value: [
            "grokfast": .bool(settings.grokfast != nil), "act": .bool(halts),
            "validation_loss_with": .number(with), "validation_loss_without": .number(without),
            "difference": .number(with - without),
            "halting_layers": models.first?["halting_layers"] ?? .null,
            "layers": .integer(Int64(size.layers)),
          ]
        )
      )
    }
    return .object(members)
  }
}

/// What of a Cognate run is done, as its checkpoint keeps it.
private struct Progress {
  /// A training that was under way.
  struct Pending {
    let index: Int
    let loop: JSON
    let checkpoint: Checkpoint
  }

  var done: [JSON] = []
  var pending: Pending?

  init(_ checkpoint: Checkpoint?) {
    guard let checkpoint else { return }
    done = checkpoint.state["done"]?.asArray ?? []
    guard let index = checkpoint.state["index"]?.asInteger, let loop = checkpoint.state["loop"]
    else { return }
    pending = Pending(index: Int(index), loop: loop, checkpoint: checkpoint)
  }

  func json(pending: (index: Int, loop: JSON)?) -> JSON {
    [
      "done": .array(done), "index": pending.map { .integer(Int64($0.index)) } ?? .null,
      "loop": pending?.loop ?? .null,
    ]
  }
}
