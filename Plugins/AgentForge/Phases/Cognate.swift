package import GatewayPlugin

/// Phase 1: models trained from random numbers, on text.
///
/// By default three, that differ in seed and in what there is more of in their text, for the phases after it to merge.
/// Weights of models that learnt nothing together cannot be merged, so several share the first one's beginning and go
/// their own ways from there (Branch-Train-Merge, Li and others 2022).
package struct Cognate: Phase {
  package static let name = PhaseName.cognate
  package static let inputs = 0...0

  private static let focuses: [Corpus.Focus] = [.mixed, .facts, .stories, .arithmetic]

  private let order: PhaseOrder
  private let count: Int
  private let size: ModelSize
  private let vocabulary: Int
  private let sharedStart: Double
  private let halts: Bool
  private let comparesOptions: Bool
  private let patience: Int?
  private let fraction: Double
  private var settings: TrainSettings

  /// Reads `count`, `shared_start`, `size` and its parts, `vocabulary`, `grokfast`, `act`, `ponder_cost`, `compare`, `early_stop`,
  /// `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    count = fields.integer("count", 1...8, default: 3)
    sharedStart = fields.number("shared_start", 0...0.95, default: 0.5)
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
  /// Steps of the first model that the others begin with; 0 for none.
  private var sharedSteps: Int { count == 1 ? 0 : Int(Double(order.maxSteps) * sharedStart) }
  /// Steps of all trainings together; what is shared counts once.
  private var steps: Int { order.maxSteps * trainings - sharedSteps * (count - 1) }

  /// What is added to a training's own step to count the steps of all.
  private func stepsBefore(_ index: Int) -> Int {
    order.maxSteps * index - sharedSteps * min(index, count - 1)
  }

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
    // Parameters, the best of them, and where the models part: parameters, two moments and Grokfast's average.
    let copies =
      (patience == nil ? 1 : 2) + (sharedSteps == 0 ? 0 : settings.grokfast == nil ? 3 : 4)
    let memory =
      Trainer.bytes(shape, settings) + copies * shape.parameterCount * MemoryLayout<Float>.stride
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
        "shared_steps": .integer(Int64(sharedSteps)),
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
      progress.done.append(try train(index, base, tokenizer, context, &progress, resumed))
      try context.save(Checkpoint(state: progress.json(pending: nil), tensors: progress.shared))
    }
    return report(progress, base, tokenizer)
  }

  /// One training before its first step.
  private struct Training {
    let seed: UInt64
    /// Of a generated corpus.
    let focus: Corpus.Focus?
    let data: TrainingData
    let validation: [Batch]
    var loop: TrainingLoop
    var trainer: Trainer { loop.trainer }
  }

  /// Sets up one training; the last beyond `count` is the one without options.
  private func training(
    _ index: Int,
    _ base: TrainingData,
    _ tokenizer: Tokenizer,
    _ context: any PhaseContext
  ) throws -> Training {
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
    var generator = Generator(seed: sharedSteps > 0 ? order.seed : seed, stream: 1)
    parameters.initialize(&generator)
    var loop = TrainingLoop(
      Trainer(parameters, settings, context.parallel, context.account),
      RandomWindows(dataset, seed: seed),
      validation: validation,
      patience: patience,
      context.account
    )
    loop.stepsBefore = stepsBefore(index)
    loop.stepsInAll = steps
    loop.details = { result in
      var members: [JSON.Member] = [.init(name: "model", value: .integer(Int64(index + 1)))]
      if let layers = result.haltingLayers {
        members.append(.init(name: "halting_layers", value: .number(layers)))
      }
      return .object(members)
    }
    return Training(
      seed: seed,
      focus: isGenerated ? focus : nil,
      data: data,
      validation: validation,
      loop: loop
    )
  }

  private func train(
    _ index: Int,
    _ base: TrainingData,
    _ tokenizer: Tokenizer,
    _ context: any PhaseContext,
    _ progress: inout Progress,
    _ resumed: Progress.Pending?
  ) throws -> JSON {
    var training = try training(index, base, tokenizer, context)
    let trainer = training.trainer
    let initial = try trainer.validate(training.validation)
    training.loop.otherTensors = progress.shared
    if let resumed {
      try training.loop.restore(resumed.loop, resumed.checkpoint)
    } else if index < count {
      try Self.begin(trainer, with: progress.shared, at: sharedSteps)
    }
    if index == 0, sharedSteps > 0 {
      training.loop.afterStep = { [sharedSteps, account = context.account] loop, _ in
        guard loop.trainer.step == sharedSteps else { return }
        loop.otherTensors = Self.copies(of: loop.trainer, account)
      }
    }
    let title = index < count ? "model \(index + 1) of \(count)" : "the comparison without options"
    let text = training.focus.map { "\($0)" } ?? "the caller's"
    context.log("Training \(title) on \(text) text, from step \(trainer.step).")
    try training.loop.run(context) { progress.json(pending: (index, $0)) }
    progress.shared = training.loop.otherTensors
    let facts = try facts(training, initial: initial, isControl: index == count)
    if index == count { return .object(facts) }
    let name = count == 1 ? order.modelName : "\(order.modelName)-\(index + 1)"
    let id = try context.store(
      LanguageModel(
        parameters: trainer.parameters,
        tokenizer: tokenizer,
        template: training.data.template
      ),
      name: name,
      parents: [],
      metrics: .object(facts),
      dataFingerprint: training.data.fingerprint
    )
    return .object([.init(name: "model_id", value: .string(id))] + facts)
  }

  /// What is measured of a training at its end.
  private func facts(_ training: Training, initial: Double, isControl: Bool) throws
    -> [JSON.Member]
  {
    let (loop, trainer) = (training.loop, training.trainer)
    var facts: [JSON.Member] = [
      .init(name: "seed", value: .integer(Int64(truncatingIfNeeded: training.seed))),
      .init(name: "focus", value: training.focus.map { .string("\($0)") } ?? .null),
      .init(name: "steps", value: .integer(Int64(trainer.step))),
      .init(name: "shared_steps", value: .integer(isControl ? 0 : Int64(sharedSteps))),
      .init(name: "validation_loss_before", value: .number(initial)),
      .init(name: "validation_loss", value: .number(try trainer.validate(training.validation))),
      .init(name: "training_loss", value: loop.recentLoss.map(JSON.number) ?? .null),
      .init(name: "best_step", value: loop.best.map { .integer(Int64($0.step)) } ?? .null),
    ]
    if trainer.parameters.shape.halts,
      let layers = try haltingLayers(trainer, training.validation)
    {
      facts.append(.init(name: "halting_layers", value: .number(layers)))
    }
    return facts
  }

  /// Where a training stands, copied under names of its own.
  private static func copies(
    of trainer: Trainer,
    _ account: MemoryAccount
  ) -> [(name: String, values: Floats)] {
    trainer.checkpoint.tensors.map { name, values in
      let copy = Floats(values.count, account)
      copy.copy(from: values)
      return (Progress.sharedPrefix + name, copy)
    }
  }

  /// Lets a training go on from what `copies` kept; from its own start when that is nothing.
  private static func begin(
    _ trainer: Trainer,
    with shared: [(name: String, values: Floats)],
    at step: Int
  ) throws {
    guard !shared.isEmpty else { return }
    let tensors = shared.map { name, values in
      (name: String(name.dropFirst(Progress.sharedPrefix.count)), values: values)
    }
    try trainer.restore(
      ["step": .integer(Int64(step))],
      Checkpoint(state: .null, tensors: tensors)
    )
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

  /// Begins the names of `shared`.
  static let sharedPrefix = "shared."

  var done: [JSON] = []
  var pending: Pending?
  /// Where the first training stood when the others part from it; none before, and when nothing is shared.
  var shared: [(name: String, values: Floats)] = []

  init(_ checkpoint: Checkpoint?) {
    guard let checkpoint else { return }
    done = checkpoint.state["done"]?.asArray ?? []
    shared = checkpoint.tensors.filter { $0.name.hasPrefix(Self.sharedPrefix) }
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
