/// Trains a model on tasks and text, and with it the head by which it models itself.
///
/// Like `Trainer`, which it drives, it belongs to one thread at a time and its bits do not depend on the threads.
package final class CurriculumTrainer {
  /// Trains the model.
  package let trainer: Trainer
  /// The numbers of the self-modelling head.
  package let head: ExtraParameters
  private let selfModel: SelfModel
  private let states: [SelfModel.States]
  private let selfWeight: Double

  /// A trainer that changes `parameters`; the head's numbers are zero.
  ///
  /// - Parameters:
  ///   - parameters: Trained in place.
  ///   - settings: How.
  ///   - selfWeight: What the self-model's loss weighs; 0 leaves body and head alone.
  ///   - parallel: The threads.
  ///   - account: Is told of the bytes.
  package init(
    _ parameters: Parameters,
    _ settings: TrainSettings,
    selfWeight: Double,
    _ parallel: Parallel,
    _ account: MemoryAccount?
  ) {
    self.selfWeight = selfWeight
    trainer = Trainer(parameters, settings, parallel, account)
    selfModel = SelfModel(parameters.shape)
    head = ExtraParameters(selfModel.count, shards: trainer.spaces.count, account)
    states = trainer.spaces.map {
      SelfModel.States(width: $0.shape.width, tokens: $0.rows * $0.length, account)
    }
  }

  /// Bytes that it holds beside the parameters.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - settings: How it would train.
  /// - Returns: Bytes.
  package static func bytes(_ shape: ModelShape, _ settings: TrainSettings) -> Int {
    let part = (settings.batchSize + settings.accumulation - 1) / settings.accumulation
    let rows = (part + settings.shards - 1) / settings.shards
    // A decoder for each shard while tasks are answered.
    return Trainer.bytes(shape, settings)
      + settings.shards * Decoder.bytes(shape, capacity: settings.length, hasScratch: false)
      + ExtraParameters.bytes(SelfModel(shape).count, shards: settings.shards)
      + settings.shards * SelfModel.States.bytes(width: shape.width, tokens: rows * settings.length)
  }

  /// What one step measured, before it.
  package struct Result: Sendable, Equatable {
    /// What was lowered: tasks and text as they weigh, and the self-model.
    package var loss = 0.0
    /// Mean losses of the counted tokens in nats; `nil` where there were none.
    package var tasks, text: Double?
    /// The mean squared error of the predicted states.
    package var selfModel = 0.0
    /// Tokens read.
    package var tokens = 0
  }

  /// Learns from one batch.
  ///
  /// - Parameter mixed: At most `settings.batchSize` rows of `settings.length` tokens.
  /// - Returns: What was measured.
  /// - Throws: `RunFailure` when loss or gradients are no numbers; nothing is changed then.
  package func step(_ mixed: MixedBatch) throws -> Result {
    for gradient in trainer.gradients { gradient.clear() }
    head.clear()
    let batch = mixed.batch
    let elements = Double(batch.tokens.count * selfModel.width)
    let scale = Float(selfWeight / elements)
    let room = trainer.spaces[0].rows * trainer.spaces.count
    var result = Result()
    result.tokens = batch.tokens.count
    // Rows of a kind go together, so that the losses of tasks and text are known apart.
    for (kind, range) in [0..<mixed.taskRows, mixed.taskRows..<batch.rows].enumerated() {
      var sum = 0.0
      for start in stride(from: range.lowerBound, to: range.upperBound, by: room) {
        let rows = start..<min(start + room, range.upperBound)
        let measured = try learn(batch.rows(rows), weight(mixed, rows), scale)
        sum += measured.loss
        result.selfModel += measured.error / elements
      }
      guard !range.isEmpty else { continue }
      let targets = batch.rows(range).targetCount
      let mean = sum / Double(max(targets, 1))
      if kind == 0 { result.tasks = mean } else { result.text = mean }
      result.loss += sum * Double(weight(mixed, range))
    }
    result.loss += selfWeight * result.selfModel
    _ = try trainer.update(meanLoss: result.loss, tokens: result.tokens)
    if selfWeight > 0 {
      try head.update(
        rate: trainer.settings.rate(at: trainer.step - 1),
        time: trainer.step,
        trainer.settings
      )
    }
    return result
  }

  /// What each target of those rows, all of one kind, weighs.
  private func weight(_ mixed: MixedBatch, _ rows: Range<Int>) -> Float {
    mixed.weights[rows.lowerBound * mixed.batch.length]
  }

  /// Forward and backward of rows of one kind, over the shards.
  private func learn(_ batch: Batch, _ weight: Float, _ scale: Float) throws -> (
    loss: Double, error: Double
  ) {
    let shards = trainer.spaces.count
    let perShard = (batch.rows + shards - 1) / shards
    let measured = Slots<(Double, Double)>(shards, (0, 0))
    let (transformer, parameters, selfModel) = (trainer.transformer, trainer.parameters, selfModel)
    let (spaces, gradients, head, states) = (trainer.spaces, trainer.gradients, head, states)
    let modelsItself = selfWeight > 0
    try trainer.parallel(shards) { shard in
      let first = min(shard * perShard, batch.rows)
      let rows = first..<min(first + perShard, batch.rows)
      guard !rows.isEmpty else { return }
      let own = batch.rows(rows)
      let (space, state, count) = (spaces[shard], states[shard], own.tokens.count)
      transformer.forward(own.tokens, rows: own.rows, length: own.length, parameters, space)
      let weights = [Float](repeating: weight, count: count)
      let loss = transformer.loss(
        own.targets,
        weights: weights,
        parameters,
        space,
        gradients[shard]
      )
      let (error, _) = selfModel.measure(count, head.values, space, state)
      if modelsItself {
        let own = head.gradients[shard]
        selfModel.backward(count, scale: scale, head.values, space, state, own)
      }
      transformer.backward(
        own.tokens,
        rows: own.rows,
        length: own.length,
        parameters,
        space,
        gradients[shard]
      ) { block, gradient in
        if modelsItself { selfModel.addStateGradient(block, gradient, count, state) }
      }
      measured[shard] = (loss, error)
    }
    return measured.all.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
  }

  /// How well the model predicts its own states on batches; nothing is learnt.
  ///
  /// - Parameter batches: Rows and tokens within those of the trainer.
  /// - Returns: The mean squared error, and its share of the mean squared state.
  /// - Throws: What the threads throw.
  package func selfModelLoss(_ batches: [Batch]) throws -> (loss: Double, relative: Double) {
    let rows = trainer.spaces[0].rows
    let parts = batches.flatMap { batch in
      stride(from: 0, to: batch.rows, by: rows).map { batch.rows($0..<min($0 + rows, batch.rows)) }
    }
    let sums = Slots<(Double, Double)>(parts.count, (0, 0))
    let (transformer, parameters, selfModel) = (trainer.transformer, trainer.parameters, selfModel)
    let (spaces, head, states) = (trainer.spaces, head.values, states)
    try trainer.parallel(spaces.count) { worker in
      for index in stride(from: worker, to: parts.count, by: spaces.count) {
        let part = parts[index]
        let space = spaces[worker]
        transformer.forward(part.tokens, rows: part.rows, length: part.length, parameters, space)
        sums[index] = selfModel.measure(part.tokens.count, head, space, states[worker])
      }
    }
    let (error, state) = sums.all.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
    let elements = parts.reduce(0) { $0 + $1.tokens.count } * selfModel.width
    return (error / Double(max(elements, 1)), error / max(state, .leastNormalMagnitude))
  }
}
