import CForge

extension Transformer {
  /// The loss of predicting `targets` from `space.hidden`, and its gradient.
  ///
  /// Logits are computed some rows at a time, so that memory does not grow with the vocabulary times the batch.
  ///
  /// - Parameters:
  ///   - targets: One for each position of the last `forward`; below 0 counts for nothing.
  ///   - weights: Each position's share in the total loss.
  ///   - parameters: As given to `forward`.
  ///   - space: Of that call; `hiddenGradient` is set.
  ///   - gradients: Of the parameters; added to.
  /// - Returns: The sum of the counted losses in nats, not weighted.
  package func loss(
    _ targets: [Int32],
    weights: [Float],
    _ parameters: Parameters,
    _ space: Workspace,
    _ gradients: Floats
  ) -> Double {
    precondition(targets.count == weights.count)
    precondition(targets.allSatisfy { Int($0) < shape.vocabulary })
    let (width, classes) = (shape.width, shape.vocabulary)
    let embedding = Matrix(parameters.values, classes, width)
    let embeddingGradient = Matrix(gradients, classes, width)
    var sum = 0.0
    for start in stride(from: 0, to: targets.count, by: space.logitRows) {
      let positions = start..<min(start + space.logitRows, targets.count)
      let scores = logits(positions, parameters, space)
      sum += crossEntropy(positions, targets, weights, space)
      Matrix(space.hiddenGradient, targets.count, width)[positions]
        .set(scores, times: embedding, space.scratch)
      embeddingGradient.set(
        scores.transposed,
        times: Matrix(space.hidden, targets.count, width)[positions],
        beta: 1,
        space.scratch
      )
    }
    return sum
  }

  /// Turns the logits of `positions` into their gradient; gives the sum of the losses.
  private func crossEntropy(
    _ positions: Range<Int>,
    _ targets: [Int32],
    _ weights: [Float],
    _ space: Workspace
  ) -> Double {
    unsafe targets[positions].withUnsafeBufferPointer { targets in
      unsafe weights[positions].withUnsafeBufferPointer { weights in
        guard let target = targets.baseAddress, let weight = weights.baseAddress else { return }
        unsafe forge_cross_entropy(
          positions.count,
          shape.vocabulary,
          space.logits.start,
          target,
          weight,
          space.losses.start
        )
      }
    }
    return (0..<positions.count).reduce(0) { $0 + Double(space.losses[$1]) }
  }

  /// The losses of predicting `targets`, in nats; nothing is learnt.
  ///
  /// - Parameters:
  ///   - targets: One for each position of the last `forward`; below 0 gives 0.
  ///   - parameters: As given to `forward`.
  ///   - space: Of that call.
  /// - Returns: One loss for each position.
  package func losses(
    _ targets: [Int32],
    _ parameters: Parameters,
    _ space: Workspace
  ) -> [Float] {
    precondition(targets.allSatisfy { Int($0) < shape.vocabulary })
    var all: [Float] = []
    all.reserveCapacity(targets.count)
    for start in stride(from: 0, to: targets.count, by: space.logitRows) {
      let positions = start..<min(start + space.logitRows, targets.count)
      logits(positions, parameters, space)
      unsafe targets[positions].withUnsafeBufferPointer { targets in
        guard let target = targets.baseAddress else { return }
        unsafe forge_cross_entropy_only(
          positions.count,
          shape.vocabulary,
          space.logits.start,
          target,
          space.losses.start
        )
      }
      for index in 0..<positions.count { all.append(space.losses[index]) }
    }
    return all
  }

  /// Computes logits of `positions`, at most `space.logitRows`, into `space.logits`.
  ///
  /// - Parameters:
  ///   - positions: Of the last `forward`.
  ///   - parameters: As given to `forward`.
  ///   - space: Of that call.
  /// - Returns: `[positions, vocabulary]`, until the next call.
  @discardableResult
  func logits(_ positions: Range<Int>, _ parameters: Parameters, _ space: Workspace) -> Matrix {
    let (width, classes) = (shape.width, shape.vocabulary)
    let scores = Matrix(space.logits, positions.count, classes)
    scores.set(
      Matrix(space.hidden, positions.upperBound, width)[positions],
      times: Matrix(parameters.values, classes, width).transposed,
      space.scratch
    )
    return scores
  }
}
