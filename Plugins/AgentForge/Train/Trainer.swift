import CForge
package import GatewayPlugin
import Glibc

/// What one step measured.
package struct StepResult: Sendable, Equatable {
  /// Mean loss of the counted tokens before the step, in nats.
  package let loss: Double
  /// Norm of the gradients before they were clipped.
  package let gradientNorm: Double
  /// Tokens read.
  package let tokens: Int
  /// Mean layers after which tokens halted; `nil` for a model that does not.
  package let haltingLayers: Double?
}

/// Trains one model by AdamW on batches that it is given.
///
/// A batch is split into a fixed number of shards, each with a workspace and gradients of its own, which are added in
/// the shards' order: the bits of the result do not depend on how many threads there are. Belongs to one thread at a
/// time, which spreads the shards over others by itself.
package final class Trainer {
  /// What is trained; written by `step`.
  package let parameters: Parameters
  package let transformer: Transformer
  package var settings: TrainSettings
  /// Steps done.
  package private(set) var step = 0

  let parallel: Parallel
  let account: MemoryAccount?
  let spaces: [Workspace]
  let gradients: [Floats]
  private let moment1, moment2: Floats
  private let average: Floats?
  /// What the forward pass reads, if that is not `parameters` themselves: a BitNet's ternary weights.
  private let effective: Parameters?
  private let makeEffective:
    (@Sendable (_ latent: Parameters, _ effective: Parameters, _ part: Int, _ parts: Int) -> Void)?

  /// A trainer of `parameters`, which it changes.
  ///
  /// - Parameters:
  ///   - parameters: Trained in place.
  ///   - settings: How.
  ///   - parallel: The threads.
  ///   - account: Is told of the bytes.
  ///   - makeEffective: Writes part `part` of `parts` of what the forward pass reads, made from the latent parameters before
  ///     each step; gradients by the former are applied to the latter (straight-through, Bengio et al. 2013).
  package init(
    _ parameters: Parameters,
    _ settings: TrainSettings,
    _ parallel: Parallel,
    _ account: MemoryAccount?,
    makeEffective: (@Sendable (Parameters, Parameters, Int, Int) -> Void)? = nil
  ) {
    self.parameters = parameters
    self.settings = settings
    self.parallel = parallel
    self.account = account
    self.makeEffective = makeEffective
    let shape = parameters.shape
    transformer = Transformer(shape)
    let rows = Self.rowsPerShard(settings)
    spaces = (0..<settings.shards).map { _ in
      Workspace(shape, rows: rows, length: settings.length, account)
    }
    let count = parameters.layout.count
    gradients = (0..<settings.shards).map { _ in Floats(count, account) }
    moment1 = Floats(count, account)
    moment2 = Floats(count, account)
    average = settings.grokfast == nil ? nil : Floats(count, account)
    effective = makeEffective == nil ? nil : Parameters(shape, account)
    refreshEffective()
  }

  /// Bytes that a trainer holds beside the parameters it trains.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - settings: How it would be trained.
  ///   - hasEffective: Whether the forward pass reads other numbers than the parameters.
  /// - Returns: Bytes.
  package static func bytes(
    _ shape: ModelShape,
    _ settings: TrainSettings,
    hasEffective: Bool = false
  ) -> Int {
    let copies = settings.shards + 2 + (settings.grokfast == nil ? 0 : 1) + (hasEffective ? 1 : 0)
    let space = Workspace.bytes(shape, rows: rowsPerShard(settings), length: settings.length)
    return copies * shape.parameterCount * MemoryLayout<Float>.stride + settings.shards * space
  }

  private static func rowsPerShard(_ settings: TrainSettings) -> Int {
    let part = (settings.batchSize + settings.accumulation - 1) / settings.accumulation
    return (part + settings.shards - 1) / settings.shards
  }

  /// What the forward pass reads.
  package var forwardParameters: Parameters { effective ?? parameters }

  /// Goes on from other parameters, as those of an earlier step; moments and step stay.
  ///
  /// - Parameter values: As many as the model has; copied.
  package func take(_ values: Floats) {
    parameters.values.copy(from: values)
    refreshEffective()
  }

  private func refreshEffective() {
    guard let effective, let makeEffective else { return }
    let parts = settings.shards
    let latent = parameters
    do {
      try parallel(parts) { part in makeEffective(latent, effective, part, parts) }
    } catch {
      // No part throws, so the threads were refused; one after another is the same.
      for part in 0..<parts { makeEffective(latent, effective, part, parts) }
    }
  }

  /// Learns from one batch.
  ///
  /// - Parameter batch: `settings.batchSize` rows of `settings.length` tokens.
  /// - Returns: What was measured.
  /// - Throws: `RunFailure` when loss or gradients are no numbers; the parameters are as before then.
  package func step(_ batch: Batch) throws -> StepResult {
    for gradient in gradients { gradient.clear() }
    let share = 1 / Float(max(batch.targetCount, 1))
    let ponder = Float(settings.ponderCost) / Float(batch.tokens.count)
    var loss = 0.0
    var halting = 0.0
    let room = (spaces.first?.rows ?? 1) * settings.shards
    for start in stride(from: 0, to: batch.rows, by: room) {
      let part = batch.rows(start..<min(start + room, batch.rows))
      let measured = try learn(part, share, ponder)
      loss += measured.loss
      halting += measured.haltingLayers * Double(part.rows) / Double(batch.rows)
    }
    let result = try update(meanLoss: loss * Double(share), tokens: batch.tokens.count)
    return StepResult(
      loss: result.loss,
      gradientNorm: result.norm,
      tokens: batch.tokens.count,
      haltingLayers: parameters.shape.halts ? halting : nil
    )
  }

  /// Forward and backward of one part of a batch, over the shards.
  private func learn(
    _ batch: Batch,
    _ share: Float,
    _ ponder: Float
  ) throws -> (loss: Double, haltingLayers: Double) {
    let shards = settings.shards
    let perShard = (batch.rows + shards - 1) / shards
    let measured = Slots<(Double, Double)>(shards, (0, 0))
    let read = forwardParameters
    let (transformer, spaces, gradients) = (transformer, spaces, gradients)
    try parallel(shards) { shard in
      let first = min(shard * perShard, batch.rows)
      let rows = min(perShard, batch.rows - first)
      guard rows > 0 else { return }
      let own = batch.rows(first..<(first + rows))
      let space = spaces[shard]
      transformer.forward(own.tokens, rows: rows, length: own.length, read, space)
      let weights = [Float](repeating: share, count: own.tokens.count)
      let loss = transformer.loss(own.targets, weights: weights, read, space, gradients[shard])
      transformer.backward(
        own.tokens,
        rows: rows,
        length: own.length,
        read,
        space,
        gradients[shard],
        ponderCost: ponder
      )
      let layers = space.halting?.meanLayers(own.tokens.count) ?? 0
      measured[shard] = (loss, layers * Double(rows) / Double(batch.rows))
    }
    return measured.all.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
  }

  /// Applies the gradients that stand in `gradients`, as `step` does after its own passes.
  ///
  /// For phases that compute a loss of their own with `transformer`, `spaces` and `gradients`.
  ///
  /// - Parameters:
  ///   - meanLoss: What the gradients belong to.
  ///   - tokens: Tokens that were read.
  /// - Returns: The loss and the norm of the gradients.
  /// - Throws: `RunFailure` when either is no number.
  package func update(meanLoss: Double, tokens: Int) throws -> (loss: Double, norm: Double) {
    let count = parameters.layout.count
    let ranges = Self.ranges(count, settings.shards)
    let sums = Slots<Double>(ranges.count, 0)
    let gradients = gradients
    let average = average
    let grokfast = settings.grokfast
    try parallel(ranges.count) { index in
      let range = ranges[index]
      let total = unsafe gradients[0].start + range.lowerBound
      for other in gradients.dropFirst() {
        unsafe forge_axpy(range.count, 1, other.start + range.lowerBound, total)
      }
      if let average, let grokfast {
        let slow = unsafe average.start + range.lowerBound
        unsafe forge_ema(range.count, Float(grokfast.alpha), total, slow)
        unsafe forge_axpy(range.count, Float(grokfast.lambda), slow, total)
      }
      sums[index] = unsafe forge_sum_squares(range.count, total)
    }
    let norm = sums.all.reduce(0, +).squareRoot()
    guard meanLoss.isFinite, norm.isFinite else {
      throw RunFailure(
        "At step \(step + 1) the \(meanLoss.isFinite ? "gradient" : "loss") was not a number: training diverged. "
          + "Use a smaller learning_rate (it was \(settings.rate(at: step)))."
      )
    }
    try apply(norm: norm, ranges)
    step += 1
    refreshEffective()
    return (meanLoss, norm)
  }

  private func apply(norm: Double, _ ranges: [Range<Int>]) throws {
    let rate = settings.rate(at: step)
    let time = Double(step + 1)
    var adamw = forge_adamw(
      rate: Float(rate),
      beta1: Float(settings.beta1),
      beta2: Float(settings.beta2),
      epsilon: 1e-8,
      decay: 0,
      correction1: Float(1 - pow(settings.beta1, time)),
      correction2: Float(1 - pow(settings.beta2, time)),
      gradient_scale: norm > settings.clip ? Float(settings.clip / norm) : 1
    )
    let plain = adamw
    adamw.decay = Float(settings.weightDecay)
    let decaying = adamw
    let (parameters, gradient, moment1, moment2) = (parameters, gradients[0], moment1, moment2)
    try parallel(ranges.count) { index in
      for tensor in parameters.layout.tensors where tensor.range.overlaps(ranges[index]) {
        let range = tensor.range.clamped(to: ranges[index])
        var step = tensor.role == .vector ? plain : decaying
        unsafe forge_adamw_step(
          range.count,
          parameters.values.start + range.lowerBound,
          gradient.start + range.lowerBound,
          moment1.start + range.lowerBound,
          moment2.start + range.lowerBound,
          &step
        )
      }
    }
  }

  private static func ranges(_ count: Int, _ parts: Int) -> [Range<Int>] {
    let size = (count + parts - 1) / parts
    return (0..<parts).map { min($0 * size, count)..<min(($0 + 1) * size, count) }
  }

  /// The mean loss over batches, in nats a token; nothing is learnt.
  ///
  /// - Parameter batches: Rows of at most `settings.length` tokens.
  /// - Returns: The mean over all counted tokens.
  /// - Throws: What the threads throw.
  package func validate(_ batches: [Batch]) throws -> Double {
    try Evaluation.loss(of: forwardParameters, transformer, batches, spaces, parallel)
  }
}

extension Trainer {
  /// What a checkpoint keeps: step, moments and parameters.
  package var checkpoint: (state: JSON, tensors: [(name: String, values: Floats)]) {
    var tensors = [("parameters", parameters.values), ("moment1", moment1), ("moment2", moment2)]
    if let average { tensors.append(("average", average)) }
    return (["step": .integer(Int64(step))], tensors.map { (name: $0.0, values: $0.1) })
  }

  /// Goes on from a checkpoint, with the same bits.
  ///
  /// - Parameters:
  ///   - state: As `checkpoint` gave it.
  ///   - checkpoint: Holds the tensors.
  /// - Throws: `RunFailure` when it does not fit.
  package func restore(_ state: JSON?, _ checkpoint: Checkpoint) throws(RunFailure) {
    guard let step = state?["step"]?.asInteger, step >= 0 else {
      throw RunFailure("The checkpoint does not say its step; start the run anew.")
    }
    let count = parameters.layout.count
    parameters.values.copy(from: try checkpoint.tensor("parameters", count: count))
    moment1.copy(from: try checkpoint.tensor("moment1", count: count))
    moment2.copy(from: try checkpoint.tensor("moment2", count: count))
    if let average { average.copy(from: try checkpoint.tensor("average", count: count)) }
    self.step = Int(step)
    refreshEffective()
  }
}
