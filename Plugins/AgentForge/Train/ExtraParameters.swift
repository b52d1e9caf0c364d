import CForge
import GatewayPlugin
import Glibc

/// Numbers that a phase trains beside a model's own: a head of its own making.
///
/// As in `Trainer`, each shard has gradients of its own, which are added in the shards' order; the step is AdamW's.
/// Belongs to one thread at a time, which spreads the shards over others.
package final class ExtraParameters: Sendable {
  /// The numbers.
  package let values: Floats
  /// One for each shard.
  package let gradients: [Floats]
  private let moment1, moment2: Floats

  /// All zero.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - shards: Parts of a batch that are computed side by side, at least 1.
  ///   - account: Is told of the bytes.
  package init(_ count: Int, shards: Int, _ account: MemoryAccount?) {
    values = Floats(count, account)
    gradients = (0..<shards).map { _ in Floats(count, account) }
    moment1 = Floats(count, account)
    moment2 = Floats(count, account)
  }

  /// Bytes that so many numbers take.
  ///
  /// - Parameters:
  ///   - count: As for `init`.
  ///   - shards: As for `init`.
  /// - Returns: Bytes.
  package static func bytes(_ count: Int, shards: Int) -> Int {
    (shards + 3) * count * MemoryLayout<Float>.stride
  }

  /// Sets the gradients to zero.
  package func clear() { for gradient in gradients { gradient.clear() } }

  /// One step of AdamW by the gradients that stand there, without weight decay.
  ///
  /// - Parameters:
  ///   - rate: The learning rate.
  ///   - time: Which step it is, from 1.
  ///   - settings: Decay of the moments, and the largest norm of the gradients.
  /// - Throws: `RunFailure` when a gradient is no number; nothing is changed then.
  package func update(rate: Double, time: Int, _ settings: TrainSettings) throws(RunFailure) {
    let count = values.count
    let total = gradients[0]
    for other in gradients.dropFirst() { unsafe forge_axpy(count, 1, other.start, total.start) }
    let norm = unsafe forge_sum_squares(count, total.start).squareRoot()
    guard norm.isFinite else {
      throw RunFailure(
        "At step \(time) a gradient of the added head was not a number: training diverged. "
          + "Use a smaller learning_rate."
      )
    }
    var step = forge_adamw(
      rate: Float(rate),
      beta1: Float(settings.beta1),
      beta2: Float(settings.beta2),
      epsilon: 1e-8,
      decay: 0,
      correction1: Float(1 - pow(settings.beta1, Double(time))),
      correction2: Float(1 - pow(settings.beta2, Double(time))),
      gradient_scale: norm > settings.clip ? Float(settings.clip / norm) : 1
    )
    unsafe forge_adamw_step(
      count,
      values.start,
      total.start,
      moment1.start,
      moment2.start,
      &step
    )
  }

  /// What a checkpoint keeps.
  ///
  /// - Parameter name: Before the name of each tensor.
  /// - Returns: Values and moments.
  package func tensors(_ name: String) -> [(name: String, values: Floats)] {
    [(name, values), ("\(name).moment1", moment1), ("\(name).moment2", moment2)]
  }

  /// Goes on from what `tensors` gave.
  ///
  /// - Parameters:
  ///   - name: As given to `tensors`.
  ///   - checkpoint: Holds them.
  /// - Throws: `RunFailure` when they are not there.
  package func restore(_ name: String, _ checkpoint: Checkpoint) throws(RunFailure) {
    for (tensor, own) in tensors(name) {
      own.copy(from: try checkpoint.tensor(tensor, count: own.count))
    }
  }
}
