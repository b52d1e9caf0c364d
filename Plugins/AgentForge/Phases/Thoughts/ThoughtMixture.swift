import CForge
import Glibc

/// What one shard needs for its positions: two passes through the model and one through the head.
package final class ThoughtSpace: Sendable {
  /// For rows without thoughts, and with them.
  let base, thought: Workspace
  let mixing: MixingHead.States

  /// Room for `rows` positions.
  ///
  /// - Parameters:
  ///   - shape: Of the thoughts.
  ///   - rows: Positions at once.
  ///   - thought: Has `rows * shape.thoughts` rows of at least `shape.rowLength` tokens.
  ///   - account: Is told of the bytes.
  package init(_ shape: ThoughtShape, rows: Int, thought: Workspace, _ account: MemoryAccount?) {
    precondition(thought.rows >= rows * shape.thoughts && thought.length >= shape.rowLength)
    let tokens = rows * shape.thoughts * shape.ahead
    self.thought = thought
    base = Workspace(thought.shape, rows: rows, length: shape.baseLength, account)
    mixing = MixingHead.States(
      width: thought.shape.width,
      rows: tokens,
      scratch: thought.scratch,
      account
    )
  }

  /// Bytes of one beside its workspace of thoughts.
  package static func bytes(_ shape: ThoughtShape, _ model: ModelShape, rows: Int) -> Int {
    Workspace.bytes(model, rows: rows, length: shape.baseLength)
      + MixingHead.States.bytes(width: model.width, rows: rows * shape.thoughts * shape.ahead)
  }
}

/// The predictions of tokens without a thought, with it, and mixed; one number for each position, thought and token
/// ahead, in that order, losses in nats and 0 where no token counts.
package struct ThoughtLosses: Sendable, Equatable {
  /// The counted tokens ahead: all others are passed over everywhere.
  package var counts: [Bool] = []
  /// Without a thought, after it, and of the mixture.
  package var base: [Double] = []
  package var thought: [Double] = []
  package var mixture: [Double] = []
  /// How much the prediction after the thought counted, 0...1.
  package var weight: [Double] = []

  /// How many tokens count.
  package var counted: Int { counts.count { $0 } }

  /// Adds those of other positions.
  package mutating func append(_ other: ThoughtLosses) {
    counts += other.counts
    base += other.base
    thought += other.thought
    mixture += other.mixture
    weight += other.weight
  }
}

/// The mixture p = (1 − w) · p without thought + w · p after it, and what is learnt from it.
///
/// The paper mixes log-probabilities; a mixture of probabilities needs no new normalisation, and its gradient is that
/// of two cross-entropies, weighted by the part each prediction has in p (its responsibility).
package struct ThoughtMixture: Sendable {
  package let transformer: Transformer
  package let head: MixingHead
  package let shape: ThoughtShape

  /// A mixture for models of a shape.
  package init(_ transformer: Transformer, _ shape: ThoughtShape) {
    self.transformer = transformer
    self.shape = shape
    head = MixingHead(width: transformer.shape.width)
  }

  /// What of the loss each part weighs.
  package struct Shares: Sendable {
    /// One over the counted tokens times thoughts of the whole step.
    package var token: Float
    /// What the prediction after a thought weighs by itself, over the same.
    package var thought: Float
    /// The policy's weight over the positions times thoughts of the whole step.
    package var policy: Float

    /// Shares.
    package init(token: Float, thought: Float, policy: Float) {
      self.token = token
      self.thought = thought
      self.policy = policy
    }
  }

  /// Rows with thoughts, as tokens.
  private func rows(_ batch: Batch, _ thoughts: [[Int32]]) -> [Int32] {
    var tokens: [Int32] = []
    tokens.reserveCapacity(thoughts.count * shape.rowLength)
    for (index, thought) in thoughts.enumerated() {
      precondition(thought.count == shape.length)
      let start = index / shape.thoughts * shape.baseLength
      tokens += batch.tokens[start..<(start + shape.prefix)]
      tokens.append(Special.startOfThought.id)
      tokens += thought
      tokens.append(Special.endOfThought.id)
      tokens += batch.tokens[(start + shape.prefix)..<(start + shape.baseLength)]
    }
    return tokens
  }

  /// The target of one token ahead, below 0 where it does not count.
  private func target(_ batch: Batch, _ position: Int, _ k: Int) -> Int32 {
    batch.targets[position * shape.baseLength + shape.basePlace(k)]
  }

  /// Places of token `k` ahead of thought `index` in the rows without and with thoughts.
  private func places(_ index: Int, _ k: Int) -> (base: Int, thought: Int) {
    (
      index / shape.thoughts * shape.baseLength + shape.basePlace(k),
      index * shape.rowLength + shape.thoughtPlace(k)
    )
  }

  private func targets(_ batch: Batch, _ count: Int) -> (base: [Int32], thought: [Int32]) {
    var base = [Int32](repeating: -1, count: batch.rows * shape.baseLength)
    var thought = [Int32](repeating: -1, count: count * shape.rowLength)
    for index in 0..<count {
      for k in 0..<shape.ahead {
        let places = places(index, k)
        base[places.base] = target(batch, index / shape.thoughts, k)
        thought[places.thought] = base[places.base]
      }
    }
    return (base, thought)
  }

  /// Predicts, and learns nothing.
  ///
  /// - Parameters:
  ///   - batch: Rows of `shape.baseLength` tokens.
  ///   - thoughts: `shape.thoughts` for each row, of `shape.length` tokens each.
  ///   - parameters: The model's.
  ///   - headValues: The head's numbers.
  ///   - space: Has room for the rows.
  /// - Returns: The losses.
  package func measure(
    _ batch: Batch,
    _ thoughts: [[Int32]],
    _ parameters: Parameters,
    _ headValues: Floats,
    _ space: ThoughtSpace
  ) -> ThoughtLosses {
    precondition(batch.length == shape.baseLength)
    precondition(thoughts.count == batch.rows * shape.thoughts)
    let count = thoughts.count
    transformer.forward(
      batch.tokens,
      rows: batch.rows,
      length: shape.baseLength,
      parameters,
      space.base
    )
    transformer.forward(
      rows(batch, thoughts),
      rows: count,
      length: shape.rowLength,
      parameters,
      space.thought
    )
    let targets = targets(batch, count)
    let base = transformer.losses(targets.base, parameters, space.base)
    let thought = transformer.losses(targets.thought, parameters, space.thought)
    gatherStates(count, space)
    let gates = head.forward(rows: count * shape.ahead, headValues, space.mixing)
    var losses = ThoughtLosses()
    for index in 0..<count {
      for k in 0..<shape.ahead {
        let places = places(index, k)
        let isCounted = targets.base[places.base] >= 0
        let weight = 1 / (1 + exp(-Double(gates[index * shape.ahead + k])))
        let (without, with) = (Double(base[places.base]), Double(thought[places.thought]))
        let top = min(without, with)
        let mixed = (1 - weight) * exp(top - without) + weight * exp(top - with)
        losses.counts.append(isCounted)
        losses.base.append(without)
        losses.thought.append(with)
        losses.mixture.append(isCounted ? top - log(mixed) : 0)
        losses.weight.append(weight)
      }
    }
    return losses
  }

  /// Puts the states from which the tokens ahead are predicted side by side, for the head.
  private func gatherStates(_ count: Int, _ space: ThoughtSpace) {
    let width = transformer.shape.width
    for index in 0..<count {
      for k in 0..<shape.ahead {
        let places = places(index, k)
        let input = unsafe space.mixing.input.start + (index * shape.ahead + k) * 2 * width
        unsafe input.update(from: space.base.hidden.start + places.base * width, count: width)
        unsafe (input + width)
          .update(from: space.thought.hidden.start + places.thought * width, count: width)
      }
    }
  }

  /// What each thought gained: how much better than the mean of its position's thoughts it predicted, in nats a token.
  ///
  /// - Parameter losses: Of whole positions.
  /// - Returns: One for each thought; 0 where it was no better: as in the paper, bad thoughts are not unlearnt.
  package func rewards(_ losses: ThoughtLosses) -> [Double] {
    let ahead = shape.ahead
    let own = stride(from: 0, to: losses.mixture.count, by: ahead)
      .map { start in
        let counted = losses.counts[start..<(start + ahead)].count { $0 }
        return -losses.mixture[start..<(start + ahead)].reduce(0, +) / Double(max(counted, 1))
      }
    return own.indices.map { index in
      let first = index / shape.thoughts * shape.thoughts
      let mean = own[first..<(first + shape.thoughts)].reduce(0, +) / Double(shape.thoughts)
      return max(own[index] - mean, 0)
    }
  }

  /// Predicts, and adds the gradients of the losses and of REINFORCE (Williams 1992) on the thoughts' tokens.
  ///
  /// - Parameters:
  ///   - batch: As for `measure`.
  ///   - thoughts: As for `measure`; drawn from the model's own distribution.
  ///   - parameters: The model's.
  ///   - headValues: The head's numbers.
  ///   - space: Has room for the rows.
  ///   - shares: What the parts weigh.
  ///   - gradients: Of the model's parameters; added to.
  ///   - headGradients: Of the head's; added to.
  /// - Returns: The losses.
  package func learn(
    _ batch: Batch,
    _ thoughts: [[Int32]],
    _ parameters: Parameters,
    _ headValues: Floats,
    _ space: ThoughtSpace,
    _ shares: Shares,
    _ gradients: Floats,
    _ headGradients: Floats
  ) -> ThoughtLosses {
    let losses = measure(batch, thoughts, parameters, headValues, space)
    let weighed = weigh(losses, batch, thoughts, shares)
    _ = transformer.loss(
      weighed.targets.base,
      weights: weighed.base,
      parameters,
      space.base,
      gradients
    )
    _ = transformer.loss(
      weighed.targets.thought,
      weights: weighed.thought,
      parameters,
      space.thought,
      gradients
    )
    head.backward(weighed.slopes, headValues, headGradients, space.mixing)
    addInputGradients(thoughts.count, space)
    transformer.backward(
      batch.tokens,
      rows: batch.rows,
      length: shape.baseLength,
      parameters,
      space.base,
      gradients
    )
    transformer.backward(
      rows(batch, thoughts),
      rows: thoughts.count,
      length: shape.rowLength,
      parameters,
      space.thought,
      gradients
    )
    return losses
  }

  /// Targets and what each weighs in the two passes, and the loss's slopes by the head's logits.
  private struct Weighed {
    var targets: (base: [Int32], thought: [Int32])
    var base, thought, slopes: [Float]
  }

  private func weigh(
    _ losses: ThoughtLosses,
    _ batch: Batch,
    _ thoughts: [[Int32]],
    _ shares: Shares
  ) -> Weighed {
    let targets = targets(batch, thoughts.count)
    var weighed = Weighed(
      targets: targets,
      base: [Float](repeating: 0, count: targets.base.count),
      thought: [Float](repeating: 0, count: targets.thought.count),
      slopes: [Float](repeating: 0, count: losses.weight.count)
    )
    for (index, reward) in rewards(losses).enumerated() {
      for k in 0..<shape.ahead {
        let slot = index * shape.ahead + k
        guard losses.counts[slot] else { continue }
        let places = places(index, k)
        // The part of the mixture's probability that came from after the thought.
        let part = losses.weight[slot] * exp(losses.mixture[slot] - losses.thought[slot])
        weighed.base[places.base] += Float(1 - part) * shares.token
        weighed.thought[places.thought] = Float(part) * shares.token + shares.thought
        weighed.slopes[slot] = Float(losses.weight[slot] - part) * shares.token
      }
      for (t, token) in thoughts[index].enumerated() {
        let place = index * shape.rowLength + shape.prefix + t
        weighed.targets.thought[place] = token
        weighed.thought[place] = Float(reward) * shares.policy
      }
    }
    return weighed
  }

  /// Adds what the head asks of the states to the gradients of both passes.
  private func addInputGradients(_ count: Int, _ space: ThoughtSpace) {
    let width = transformer.shape.width
    for index in 0..<count {
      for k in 0..<shape.ahead {
        let places = places(index, k)
        let from =
          unsafe space.mixing.inputGradient.start + (index * shape.ahead + k) * 2 * width
        unsafe forge_axpy(
          width,
          1,
          from,
          space.base.hiddenGradient.start + places.base * width
        )
        unsafe forge_axpy(
          width,
          1,
          from + width,
          space.thought.hiddenGradient.start + places.thought * width
        )
      }
    }
  }
}
