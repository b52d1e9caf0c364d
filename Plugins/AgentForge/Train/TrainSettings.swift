package import GatewayPlugin
import Glibc

/// How a model is trained.
package struct TrainSettings: Sendable, Equatable {
  /// Steps of the optimiser in all, which the learning rate's schedule spans.
  package var steps: Int
  /// Sequences in one step.
  package var batchSize: Int
  /// Parts that a step's sequences are taken in, one after another, to hold fewer states at once.
  ///
  /// A part has at least one sequence for each shard, so that there may be fewer parts; the last one may be smaller.
  package var accumulation = 1
  /// Tokens of one sequence.
  package var length: Int
  /// Parts of a batch that are computed side by side.
  package var shards: Int
  /// The highest learning rate.
  package var rate: Double = 3e-4
  /// The lowest, at the end, as a part of the highest.
  package var finalRate: Double = 0.1
  /// Steps over which the rate rises from 0.
  package var warmup: Int = 100
  /// AdamW's decay of moments.
  package var beta1: Double = 0.9
  package var beta2: Double = 0.95
  /// AdamW's weight decay; for matrices alone.
  package var weightDecay: Double = 0.1
  /// The largest norm of all gradients together; larger ones are scaled down to it (Pascanu and others 2013).
  package var clip: Double = 1
  /// Grokfast-EMA (Lee and others 2024): slow gradients are amplified.
  package var grokfast: Grokfast?
  /// Weight of a token's halting time in the loss, for models that halt.
  package var ponderCost: Double = 0.01

  /// The filter `h = α h + (1 − α) g; g += λ h` before the optimiser.
  package struct Grokfast: Sendable, Equatable {
    /// Decay of the average.
    package var alpha: Double = 0.98
    /// How much of it is added.
    package var lambda: Double = 2
    /// Makes one.
    package init(alpha: Double = 0.98, lambda: Double = 2) {
      self.alpha = alpha
      self.lambda = lambda
    }
  }

  /// Settings for so many steps; the rest as usual.
  package init(steps: Int, batchSize: Int, length: Int, shards: Int) {
    self.steps = steps
    self.batchSize = batchSize
    self.length = length
    self.shards = min(shards, batchSize)
  }

  /// The learning rate of a step: a line up, then half a cosine down (Loshchilov and Hutter 2017).
  ///
  /// - Parameter step: From 0.
  /// - Returns: The rate.
  package func rate(at step: Int) -> Double {
    if step < warmup { return rate * Double(step + 1) / Double(warmup) }
    let span = max(steps - warmup, 1)
    let part = min(Double(step - warmup) / Double(span), 1)
    return rate * (finalRate + (1 - finalRate) * 0.5 * (1 + cos(.pi * part)))
  }

  /// Reads the members that every training phase shares: `learning_rate`, `warmup_steps`, `weight_decay`, `grad_clip`,
  /// `grad_accumulation`, `final_rate`.
  ///
  /// - Parameter fields: Of a request's `parameters`.
  package mutating func read(_ fields: inout Fields) {
    rate = fields.number("learning_rate", 1e-8...1000, default: rate)
    warmup = fields.integer("warmup_steps", 0...1_000_000, default: min(warmup, max(steps / 10, 1)))
    weightDecay = fields.number("weight_decay", 0...1, default: weightDecay)
    clip = fields.number("grad_clip", 1e-3...1e6, default: clip)
    accumulation = fields.integer("grad_accumulation", 1...512, default: accumulation)
    finalRate = fields.number("final_rate", 0...1, default: finalRate)
    if accumulation > batchSize {
      fields.refuse("grad_accumulation", "must be at most batch_size (\(batchSize))")
    }
  }
}
