package import GatewayPlugin
import Glibc

/// How a model thinks before and after training, on held-out text with one greedy thought at each position.
package struct ThoughtEvaluation: Sendable, Equatable {
  /// Mean losses in nats of the tokens after the positions: without thoughts, after them alone, and mixed.
  package let base, thought, mixture: Double
  /// The standard error of `gain`, over positions.
  package let standardError: Double
  /// The share of positions where the mixture predicts better than the base.
  package let helped: Double
  /// The mean weight of the predictions after thoughts.
  package let weight: Double
  /// Positions and tokens that were measured.
  package let positions, tokens: Int

  /// What thoughts gain, in nats a token.
  package var gain: Double { base - mixture }

  init(_ losses: ThoughtLosses, ahead: Int) {
    var gains: [Double] = []
    for start in stride(from: 0, to: losses.counts.count, by: ahead) {
      let counted = (start..<(start + ahead)).filter { losses.counts[$0] }
      guard !counted.isEmpty else { continue }
      let gain = counted.reduce(0) { $0 + losses.base[$1] - losses.mixture[$1] }
      gains.append(gain / Double(counted.count))
    }
    let counted = Double(max(losses.counted, 1))
    tokens = losses.counted
    positions = gains.count
    base = losses.base.reduce(0, +) / counted
    thought = losses.thought.reduce(0, +) / counted
    mixture = losses.mixture.reduce(0, +) / counted
    weight = zip(losses.counts, losses.weight).reduce(0) { $0 + ($1.0 ? $1.1 : 0) } / counted
    helped = Double(gains.count { $0 > 0 }) / Double(max(gains.count, 1))
    let mean = gains.reduce(0, +) / Double(max(gains.count, 1))
    let squares = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let variance = squares / Double(max(gains.count - 1, 1))
    standardError = (variance / Double(max(gains.count, 1))).squareRoot()
  }

  /// For reports.
  package var json: JSON {
    [
      "base_loss": .number(base), "mixture_loss": .number(mixture),
      "thought_loss": .number(thought), "gain": .number(gain),
      "gain_standard_error": .number(standardError), "share_helped": .number(helped),
      "mean_gate": .number(weight), "positions": .integer(Int64(positions)),
      "tokens": .integer(Int64(tokens)),
    ]
  }
}

/// Trains a model and its mixing head to think.
///
/// The steps are those of Quiet-STaR (Zelikman et al. 2024). Like `Trainer`, which it drives, it belongs to one thread
/// at a time and its bits do not depend on the threads.
package final class ThoughtTrainer {
  /// Trains the model; its workspaces are those of rows with thoughts.
  package let trainer: Trainer
  /// The head's numbers.
  package let head: ExtraParameters
  private let shape: ThoughtShape
  private let mixture: ThoughtMixture
  private let spaces: [ThoughtSpace]
  private let settings: Settings

  /// How it is trained beside what `TrainSettings` say.
  package struct Settings: Sendable, Equatable {
    /// The model's training: `batchSize` counts positions, `length` is not used.
    package var training: TrainSettings
    /// The head's highest learning rate.
    package var headRate: Double
    /// The part of all steps in which the gate stays as it was at first.
    package var headDelay: Double
    /// What the loss after a thought weighs by itself, beside the mixture's.
    package var thoughtWeight: Double
    /// What REINFORCE weighs.
    package var policyWeight: Double
    /// Decides the thoughts.
    package var seed: UInt64

    /// The usual settings.
    package init(_ training: TrainSettings, seed: UInt64) {
      self.training = training
      self.seed = seed
      headRate = 1e-3
      headDelay = 0.25
      thoughtWeight = 0.3
      policyWeight = 1
    }

    /// Positions of one shard at once.
    fileprivate var rows: Int {
      let part = (training.batchSize + training.accumulation - 1) / training.accumulation
      return (part + training.shards - 1) / training.shards
    }

    /// The same for a trainer of rows with thoughts.
    fileprivate func inner(_ shape: ThoughtShape) -> TrainSettings {
      var inner = training
      inner.accumulation = 1
      inner.batchSize = rows * training.shards * shape.thoughts
      inner.length = shape.rowLength
      return inner
    }
  }

  /// A trainer that changes `parameters`; the head's numbers are zero until they are set.
  ///
  /// - Parameters:
  ///   - parameters: Trained in place.
  ///   - shape: Of the thoughts; a row fits the model's context.
  ///   - settings: How.
  ///   - parallel: The threads.
  ///   - account: Is told of the bytes.
  package init(
    _ parameters: Parameters,
    _ shape: ThoughtShape,
    _ settings: Settings,
    _ parallel: Parallel,
    _ account: MemoryAccount?
  ) {
    self.shape = shape
    self.settings = settings
    let trainer = Trainer(parameters, settings.inner(shape), parallel, account)
    self.trainer = trainer
    mixture = ThoughtMixture(trainer.transformer, shape)
    spaces = trainer.spaces.map { ThoughtSpace(shape, rows: settings.rows, thought: $0, account) }
    head = ExtraParameters(mixture.head.count, shards: trainer.spaces.count, account)
  }

  /// Bytes that it holds beside the parameters.
  ///
  /// - Parameters:
  ///   - model: The model's shape.
  ///   - shape: Of the thoughts.
  ///   - settings: How it would train.
  /// - Returns: Bytes.
  package static func bytes(_ model: ModelShape, _ shape: ThoughtShape, _ settings: Settings) -> Int
  {
    let shards = settings.training.shards
    // A decoder for each shard while it thinks.
    return Trainer.bytes(model, settings.inner(shape))
      + shards * Decoder.bytes(model, capacity: shape.rowLength, hasScratch: false)
      + shards * ThoughtSpace.bytes(shape, model, rows: settings.rows)
      + ExtraParameters.bytes(MixingHead(width: model.width).count, shards: shards)
  }

  /// Sets the head's numbers for the start of training.
  package func initializeHead() {
    var generator = Generator(seed: settings.seed, stream: 0x4D49_58)
    mixture.head.initialize(head.values, &generator)
  }

  /// What one step measured.
  package struct Result: Sendable {
    /// Mean losses of the tokens ahead, in nats.
    package let base, mixture: Double
    /// Mean weight of the predictions after thoughts, and mean reward of a thought.
    package let weight, reward: Double
    /// Tokens read with gradients.
    package let tokens: Int
  }

  /// Learns from the positions at the ends of the prefixes.
  ///
  /// - Parameter batch: Rows of `shape.baseLength` tokens.
  /// - Returns: What was measured before the step.
  /// - Throws: `RunFailure` when loss or gradients are no numbers; nothing is changed then.
  package func step(_ batch: Batch) throws -> Result {
    for gradient in trainer.gradients { gradient.clear() }
    head.clear()
    let counted = (0..<batch.rows).reduce(0) { sum, row in
      let first = row * shape.baseLength + shape.basePlace(0)
      return sum + batch.targets[first..<(first + shape.ahead)].count { $0 >= 0 }
    }
    let thoughts = Float(shape.thoughts)
    let share = 1 / (Float(max(counted, 1)) * thoughts)
    let shares = ThoughtMixture.Shares(
      token: share,
      thought: Float(settings.thoughtWeight) * share,
      policy: Float(settings.policyWeight) / (Float(batch.rows) * thoughts)
    )
    var losses = ThoughtLosses()
    let room = settings.rows * spaces.count
    for start in stride(from: 0, to: batch.rows, by: room) {
      let part = batch.rows(start..<min(start + room, batch.rows))
      for own in try learn(part, from: start, shares) { losses.append(own) }
    }
    let all = Double(max(losses.counted, 1))
    let mixed = losses.mixture.reduce(0, +) / all
    let tokens = batch.rows * (shape.baseLength + shape.thoughts * shape.rowLength)
    let rate = trainer.settings.rate(at: trainer.step) / max(trainer.settings.rate, 1e-30)
    _ = try trainer.update(meanLoss: mixed, tokens: tokens)
    // Untrained thoughts disturb: a gate that learnt at once would shut before the model could go on after one.
    let delay = Int(settings.headDelay * Double(trainer.settings.steps))
    if trainer.step > delay {
      try head.update(rate: settings.headRate * rate, time: trainer.step - delay, trainer.settings)
    }
    let rewards = mixture.rewards(losses)
    return Result(
      base: losses.base.reduce(0, +) / all,
      mixture: mixed,
      weight: zip(losses.counts, losses.weight).reduce(0) { $0 + ($1.0 ? $1.1 : 0) } / all,
      reward: rewards.reduce(0, +) / Double(max(rewards.count, 1)),
      tokens: tokens
    )
  }

  /// Thinks and goes back, over the shards.
  private func learn(_ batch: Batch, from start: Int, _ shares: ThoughtMixture.Shares) throws
    -> [ThoughtLosses]
  {
    let measured = Slots<ThoughtLosses>(spaces.count, ThoughtLosses())
    let (mixture, spaces, gradients, head) = (mixture, spaces, trainer.gradients, head)
    let (parameters, rows, account) = (trainer.parameters, settings.rows, trainer.account)
    // Thoughts depend on the step and the part alone, so that a run that goes on draws the same.
    let stream = UInt64(trainer.step) << 20 | UInt64(start)
    let seed = settings.seed
    let thinking = Continuation.Choice.sampled(temperature: 1)
    try trainer.parallel(spaces.count) { shard in
      let first = min(shard * rows, batch.rows)
      let own = first..<min(first + rows, batch.rows)
      guard !own.isEmpty else { return }
      let part = batch.rows(own)
      var generator = Generator(seed: seed ^ UInt64(shard) << 48, stream: stream)
      let space = spaces[shard]
      let thoughts = mixture.think(part, parameters, thinking, &generator, space, account)
      measured[shard] = mixture.learn(
        part,
        thoughts,
        parameters,
        head.values,
        space,
        shares,
        gradients[shard],
        head.gradients[shard]
      )
    }
    return measured.all
  }

  /// Measures with one greedy thought at each position; nothing is learnt.
  ///
  /// - Parameters:
  ///   - batches: Rows of `shape.baseLength` tokens.
  ///   - checkStop: Asked between parts; what it throws is thrown on.
  /// - Returns: What was measured.
  /// - Throws: What `checkStop` and the threads throw.
  package func evaluate(_ batches: [Batch], checkStop: () throws -> Void = {}) throws
    -> ThoughtEvaluation
  {
    var one = shape
    one.thoughts = 1
    let mixture = ThoughtMixture(trainer.transformer, one)
    let rows = settings.rows
    let parts = batches.flatMap { batch in
      stride(from: 0, to: batch.rows, by: rows).map { batch.rows($0..<min($0 + rows, batch.rows)) }
    }
    var losses = ThoughtLosses()
    let (spaces, parameters, values) = (spaces, trainer.parameters, head.values)
    let account = trainer.account
    for start in stride(from: 0, to: parts.count, by: spaces.count) {
      try checkStop()
      let own = Array(parts[start..<min(start + spaces.count, parts.count)])
      let measured = Slots<ThoughtLosses>(own.count, ThoughtLosses())
      try trainer.parallel(own.count) { index in
        var unused = Generator(seed: 0)
        let space = spaces[index]
        let thoughts = mixture.think(own[index], parameters, .greedy, &unused, space, account)
        measured[index] = mixture.measure(own[index], thoughts, parameters, values, space)
      }
      for part in measured.all { losses.append(part) }
    }
    return ThoughtEvaluation(losses, ahead: shape.ahead)
  }
}

extension ThoughtMixture {
  /// Lets the model think at the end of each row's prefix.
  ///
  /// - Parameters:
  ///   - batch: Rows of `shape.baseLength` tokens.
  ///   - parameters: The model's.
  ///   - choice: How tokens are taken.
  ///   - generator: Drawn from for sampled ones.
  ///   - space: Its scratch is used.
  ///   - account: Is told of the bytes, until this returns.
  /// - Returns: `shape.thoughts` thoughts for each row, of `shape.length` tokens each.
  package func think(
    _ batch: Batch,
    _ parameters: Parameters,
    _ choice: Continuation.Choice,
    _ generator: inout Generator,
    _ space: ThoughtSpace,
    _ account: MemoryAccount?
  ) -> [[Int32]] {
    let decoder = Decoder(
      DecodingLayers(transformer, parameters),
      capacity: shape.rowLength,
      scratch: space.thought.scratch,
      account
    )
    return (0..<(batch.rows * shape.thoughts))
      .map { index in
        let start = index / shape.thoughts * shape.baseLength
        let prompt = batch.tokens[start..<(start + shape.prefix)] + [Special.startOfThought.id]
        return Continuation.extend(
          Array(prompt),
          by: shape.length,
          choice,
          &generator,
          decoder
        ).tokens
      }
  }
}
