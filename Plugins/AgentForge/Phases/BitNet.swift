package import GatewayPlugin
import PluginStorage

/// Phase 4: a model's linear layers become ternary (BitNet b1.58, Ma and others 2024) and are trained as such.
///
/// The forward pass reads weights rounded to −s, 0 or s and inputs rounded to 8 bits; gradients go straight through the
/// rounding to float weights behind it (Bengio et al. 2013). Embedding and norms stay float32.
package struct BitNet: Phase {
  package static let name = PhaseName.bitnet
  package static let inputs = 1...1

  private let order: PhaseOrder
  private let length: Int?
  private let patience: Int?
  private let fraction: Double
  private let usual: TrainSettings

  /// Reads `context`, `early_stop`, `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    length = fields.optionalInteger("context", 8...4096)
    patience = fields.optionalInteger("early_stop", 1...1000)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    var settings = TrainSettings(
      steps: order.maxSteps,
      batchSize: order.batchSize,
      length: 8,
      shards: 1
    )
    // Latent weights must cross from one trit to another, which takes larger steps than other fine-tuning; decay would
    // pull them all to where a small step flips them.
    settings.rate = 1e-3
    settings.weightDecay = 0
    settings.read(&fields)
    usual = settings
  }

  private func settings(_ shape: ModelShape, _ context: any PhaseContext) -> TrainSettings {
    var settings = usual
    settings.length = min(length ?? shape.context, shape.context)
    settings.shards = min(context.shards, order.batchSize)
    return settings
  }

  /// The parent, which must be dense.
  private func parent(_ context: any PhaseContext) throws -> (id: String, model: LanguageModel) {
    let parent = try context.denseModel(for: Self.name, unpacks: false)
    guard !parent.model.shape.quantizesActivations else {
      throw RunFailure(
        "\(parent.id) rounds its activations already: name another model in parameters.models."
      )
    }
    return parent
  }

  private static func ternary(_ shape: ModelShape) -> ModelShape {
    var shape = shape
    shape.quantizesActivations = true
    return shape
  }

  private func batches(
    _ model: LanguageModel,
    _ data: TrainingData,
    _ settings: TrainSettings
  ) throws -> (dataset: Dataset, validation: [Batch]) {
    try data.tokens(model.tokenizer, fraction: fraction, settings)
  }

  /// Measures a step of a model of the parent's shape.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let model = try parent(context).model
    let shape = Self.ternary(model.shape)
    let settings = settings(shape, context)
    let data = try TrainingData(context, seed: order.seed)
    let (dataset, validation) = try batches(model, data, settings)
    let own = shape.parameterCount * MemoryLayout<Float>.stride
    let training =
      Trainer.bytes(shape, settings, hasEffective: true) + own * (patience == nil ? 1 : 2)
    // Before and after training, two sets of parameters and the workspaces of a measurement.
    let measuring = 2 * own + Evaluation.bytes(shape, validation, shards: settings.shards)
    let memory = max(training, measuring)
    let seconds =
      memory > context.memoryLimit
      ? 0 : try Probe.secondsPerStep(shape, settings, context.parallel)
    return PhasePlan(
      parameterCount: shape.parameterCount,
      memoryBytes: memory,
      steps: order.maxSteps,
      seconds: seconds * Double(order.maxSteps),
      details: [
        "config": shape.json, "training_tokens": .integer(Int64(dataset.trainingTokens)),
        "data_fingerprint": .string(data.fingerprint), "seconds_per_step": .number(seconds),
      ]
    )
  }

  /// Trains the parent's weights as ternary ones.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let (id, model) = try parent(context)
    let shape = Self.ternary(model.shape)
    let settings = settings(shape, context)
    let data = try TrainingData(context, seed: order.seed)
    let (dataset, validation) = try batches(model, data, settings)
    func loss(_ parameters: Parameters) throws -> Double {
      try Evaluation.loss(
        of: parameters,
        validation,
        shards: settings.shards,
        context.parallel,
        context.account
      )
    }
    let latent = Parameters(shape, context.account)
    latent.values.copy(from: model.parameters.values)
    let before = try loss(model.parameters)
    let rounded = try loss(packed(latent, context).parameters)
    context.log("Held-out loss \(before) of the parent, \(rounded) when merely rounded.")
    let steps = try train(
      latent,
      RandomWindows(dataset, seed: order.seed),
      validation,
      settings,
      context
    )
    let (parameters, payload, zeros) = try packed(latent, context)
    let after = try loss(parameters)

    var made = model
    made.parameters = parameters
    made.form = .ternary
    made.payload = payload
    let metrics = Metrics(
      before: before,
      rounded: rounded,
      after: after,
      zeros: zeros,
      steps: steps
    )
    let facts = metrics.facts(parent: model, made)
    let name = order.modelName
    let stored = try context.store(
      made,
      name: name,
      parents: [id],
      metrics: facts,
      dataFingerprint: data.fingerprint
    )
    context.log("Stored \(name) as \(stored): held-out loss \(after).")
    return [
      "models": [["model_id": .string(stored), "parent": .string(id), "metrics": facts]],
      "data_fingerprint": .string(data.fingerprint),
    ]
  }

  /// Trains the latent weights to the end, from the last checkpoint on; returns the steps done.
  private func train(
    _ latent: Parameters,
    _ source: RandomWindows,
    _ validation: [Batch],
    _ settings: TrainSettings,
    _ context: any PhaseContext
  ) throws -> Int {
    let trainer = Trainer(latent, settings, context.parallel, context.account) {
      TernaryWeights.round($0, $1, part: $2, parts: $3)
    }
    var loop = TrainingLoop(
      trainer,
      source,
      validation: validation,
      patience: patience,
      context.account
    )
    if let checkpoint = try context.checkpoint() {
      try loop.restore(checkpoint.state["loop"] ?? .null, checkpoint)
    }
    try loop.run(context) { ["loop": $0] }
    return trainer.step
  }

  /// The ternary weights of latent ones as the model will have them: packed and read again.
  private func packed(
    _ latent: Parameters,
    _ context: any PhaseContext
  ) throws -> (parameters: Parameters, payload: [UInt8], zeros: Double) {
    let parameters = Parameters(latent.shape, context.account)
    TernaryWeights.round(latent, parameters)
    let (payload, zeros, count) = TernaryWeights.pack(parameters)
    do { try TernaryWeights.fill(parameters, payload) } catch {
      throw RunFailure(error.description)
    }
    return (parameters, payload, Double(zeros) / Double(max(count, 1)))
  }
}

/// What a BitNet run measured.
private struct Metrics {
  let before, rounded, after, zeros: Double
  let steps: Int

  /// With the sizes and speeds of both models.
  func facts(parent: LanguageModel, _ made: LanguageModel) -> JSON {
    let bytes = ModelFolder.weightBytes(made)
    let parentBytes = ModelFolder.weightBytes(parent)
    let packedSpeed = DecodingSpeed.tokensPerSecond(made)
    let parentSpeed = DecodingSpeed.tokensPerSecond(parent)
    return [
      "steps": .integer(Int64(steps)),
      "validation_loss_before": .number(before),
      "validation_loss_rounded": .number(rounded),
      "validation_loss": .number(after),
      "zeros": .number(zeros),
      "packed_bytes": .integer(Int64(made.payload.count)),
      "weights_file_bytes": .integer(Int64(bytes)),
      "parent_weights_file_bytes": .integer(Int64(parentBytes)),
      "size_ratio": .number(Double(parentBytes) / Double(bytes)),
      "tokens_per_second": .number(packedSpeed),
      "parent_tokens_per_second": .number(parentSpeed),
      "speed_ratio": .number(packedSpeed / parentSpeed),
    ]
  }
}
