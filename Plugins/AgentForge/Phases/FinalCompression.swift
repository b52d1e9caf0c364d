package import GatewayPlugin
import PluginStorage

/// Phase 8: a model's matrices are compressed, each by the method that loses less at its size, and entropy-coded.
///
/// A dense model is compressed with loss, by SeedLM or VPTQ; the trits of a ternary one without.
package struct FinalCompression: Phase {
  package static let name = PhaseName.finalCompression
  package static let inputs = 1...1

  private let order: PhaseOrder
  private let compressor: Compressor
  private let fraction: Double

  /// Batches of training text that inputs are measured on.
  private static let calibrationBatches = 8

  /// Reads `method`, `bits`, `embedding_bits`, `seed_bits`, `validation_fraction`.
  ///
  /// - Parameters:
  ///   - order: What all phases are told; a step is a matrix, so `maxSteps` decides nothing.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    let names = ["auto", "seedlm", "vptq"]
    let method = fields.choice("method", names, default: names[0])
    let bits = fields.integer("bits", 2...8, default: 4)
    compressor = Compressor(
      methods: method == "auto" ? [.seedlm, .vptq] : [method == "seedlm" ? .seedlm : .vptq],
      bits: bits,
      embeddingBits: fields.integer("embedding_bits", 2...8, default: min(max(bits, 2) + 2, 8)),
      seedBits: fields.integer("seed_bits", 4...16, default: 12),
      seed: order.seed
    )
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
  }

  /// The model to compress and the text to measure it on.
  private struct Input {
    let id: String
    let model: LanguageModel
    let data: TrainingData
    let dataset: Dataset
    let validation: [Batch]
    let settings: TrainSettings
  }

  private func input(_ context: any PhaseContext) throws -> Input {
    guard let (id, model) = try context.models().first else {
      throw RunFailure("final_compression needs one model: name it in parameters.models.")
    }
    guard model.form != .compressed else {
      throw RunFailure(
        "final_compression needs a model that is not compressed, and \(id) is: name the model it was made of in parameters.models."
      )
    }
    let settings = TrainSettings(
      steps: 1,
      batchSize: min(order.batchSize, 16),
      length: model.shape.context,
      shards: context.shards
    )
    let data = try TrainingData(context, seed: order.seed)
    let (dataset, validation) = try data.tokens(
      model.tokenizer,
      fraction: fraction,
      settings
    )
    return Input(
      id: id,
      model: model,
      data: data,
      dataset: dataset,
      validation: validation,
      settings: settings
    )
  }

  /// Measures how long one matrix takes, the smallest.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let input = try input(context)
    let shape = input.model.shape
    let tensors = Compressor.tensors(input.model)
    let own = shape.parameterCount * MemoryLayout<Float>.stride
    let measuring =
      own + Evaluation.bytes(shape, input.validation, shards: input.settings.shards)
    let moments = Workspace.bytes(
      shape,
      rows: input.settings.batchSize,
      length: input.settings.length
    )
    let memory = max(measuring, moments, tensors.map { Compressor.bytes($0.count) }.max() ?? 0)
    var seconds = 0.0
    if memory <= context.memoryLimit,
      let least = tensors.min(by: { $0.count < $1.count })
    {
      let start = Clock.monotonic()
      let work = CompressionWork(context.parallel) { try context.checkStop() }
      _ = try compressor.compress(input.model, least, importance: nil, work)
      let weights = tensors.reduce(0) { $0 + $1.count }
      seconds = Double(Clock.monotonic() - start) / 1e9 * Double(weights) / Double(least.count)
    }
    return PhasePlan(
      parameterCount: shape.parameterCount,
      memoryBytes: memory,
      steps: tensors.count,
      seconds: seconds,
      details: ["config": shape.json, "data_fingerprint": .string(input.data.fingerprint)]
    )
  }

  /// Compresses the model's matrices one after another.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let input = try input(context)
    let before = try loss(input.model.parameters, input, context)
    context.log("Held-out loss \(before) before compression.")
    let results = try compress(input, context)
    var made = input.model
    made.form = .compressed
    made.payload = CompressedWeights.payload(results.map(\.matrix))
    let parameters = Parameters(input.model.shape, context.account)
    parameters.values.copy(from: input.model.parameters.values)
    // What the model will be when it is read from its file.
    do { try CompressedWeights.fill(parameters, made.payload) } catch {
      throw RunFailure(error.description)
    }
    made.parameters = parameters
    let after = try loss(parameters, input, context)
    let facts = facts(input, made, results, before: before, after: after)
    let stored = try context.store(
      made,
      name: order.modelName,
      parents: [input.id],
      metrics: facts,
      dataFingerprint: input.data.fingerprint
    )
    context.log("Stored \(order.modelName) as \(stored): held-out loss \(after).")
    return [
      "models": [["model_id": .string(stored), "parent": .string(input.id), "metrics": facts]],
      "tensors": .array(results.map(\.json)),
      "data_fingerprint": .string(input.data.fingerprint),
    ]
  }

  private func loss(
    _ parameters: Parameters,
    _ input: Input,
    _ context: any PhaseContext
  ) throws -> Double {
    try Evaluation.loss(
      of: parameters,
      input.validation,
      shards: input.settings.shards,
      context.parallel,
      context.account
    )
  }

  /// All matrices, those of the last checkpoint first.
  private func compress(
    _ input: Input,
    _ context: any PhaseContext
  ) throws -> [CompressedTensor] {
    let tensors = Compressor.tensors(input.model)
    var results = try CompressedTensor.restore(context.checkpoint(), tensors)
    do {
      let work = CompressionWork(context.parallel, context.account) { try context.checkStop() }
      let moments =
        input.model.form == .ternary ? [:] : try moments(input, context)
      for tensor in tensors.dropFirst(results.count) {
        let importance = moments[tensor.name]
        let result = try compressor.compress(input.model, tensor, importance: importance, work)
        results.append(result)
        context.report(
          ProgressPoint(
            step: results.count,
            steps: tensors.count,
            loss: nil,
            details: result.json
          )
        )
        if context.isCheckpointDue { try context.save(CompressedTensor.checkpoint(results)) }
      }
    } catch let stop as RunStopped {
      try context.save(CompressedTensor.checkpoint(results))
      throw stop
    }
    return results
  }

  private func moments(_ input: Input, _ context: any PhaseContext) throws -> [String: [Float]] {
    var windows = RandomWindows(input.dataset, seed: order.seed)
    let batches = (0..<Self.calibrationBatches).map { _ in
      windows.next(rows: input.settings.batchSize, length: input.settings.length)
    }
    return try InputMoments.measure(input.model.parameters, batches, context.account) {
      try context.checkStop()
    }
  }

  private func facts(
    _ input: Input,
    _ made: LanguageModel,
    _ results: [CompressedTensor],
    before: Double,
    after: Double
  ) -> JSON {
    let weights = results.reduce(0) { $0 + $1.count }
    let bytes = ModelFolder.weightBytes(made)
    let parentBytes = ModelFolder.weightBytes(input.model)
    let floatBytes = made.parameters.layout.count * MemoryLayout<Float>.stride
    return [
      "validation_loss_before": .number(before),
      "validation_loss": .number(after),
      "validation_loss_change": .number(before > 0 ? after / before - 1 : 0),
      "payload_bytes": .integer(Int64(made.payload.count)),
      "bits_per_weight": .number(Double(made.payload.count * 8) / Double(max(weights, 1))),
      "weights_file_bytes": .integer(Int64(bytes)),
      "parent_weights_file_bytes": .integer(Int64(parentBytes)),
      "ratio_to_parent": .number(Double(parentBytes) / Double(bytes)),
      "ratio_to_float32": .number(Double(floatBytes) / Double(bytes)),
      "matrices": .integer(Int64(results.count)),
      "lossless_matrices": .integer(Int64(results.count { $0.relativeError == 0 })),
    ]
  }
}
