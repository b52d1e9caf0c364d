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
    precondition(
      targets.count == weights.count && targets.allSatisfy { Int($0) < shape.vocabulary }
    )
    let width = shape.width
    let classes = shape.vocabulary
    var sum = 0.0
    for start in stride(from: 0, to: targets.count, by: space.logitRows) {
      let count = min(space.logitRows, targets.count - start)
      let hidden = unsafe space.hidden.start + start * width
      logits(start..<(start + count), parameters, space)
      unsafe targets.withUnsafeBufferPointer { targets in
        unsafe weights.withUnsafeBufferPointer { weights in
          guard let target = targets.baseAddress, let weight = weights.baseAddress else { return }
          unsafe forge_cross_entropy(
            count,
            classes,
            space.logits.start,
            target + start,
            weight + start,
            space.losses.start
          )
        }
      }
      for index in 0..<count { sum += Double(space.losses[index]) }
      unsafe forge_gemm(
        count,
        width,
        classes,
        space.logits.start,
        classes,
        1,
        parameters.values.start,
        width,
        1,
        0,
        space.hiddenGradient.start + start * width,
        width,
        space.scratch.start
      )
      unsafe forge_gemm(
        classes,
        width,
        count,
        space.logits.start,
        1,
        classes,
        hidden,
        width,
        1,
        1,
        gradients.start,
        width,
        space.scratch.start
      )
    }
    return sum
  }

  /// The losses of predicting `targets`, in nats; nothing is learnt.
  ///
  /// - Parameters:
  ///   - targets: One for each position of the last `forward`; below 0 gives 0.
  ///   - parameters: As given to `forward`.
  ///   - space: Of that call.
  /// - Returns: One loss for each position.
  package func losses(_ targets: [Int32], _ parameters: Parameters, _ space: Workspace) -> [Float] {
    precondition(targets.allSatisfy { Int($0) < shape.vocabulary })
    var all: [Float] = []
    all.reserveCapacity(targets.count)
    for start in stride(from: 0, to: targets.count, by: space.logitRows) {
      let count = min(space.logitRows, targets.count - start)
      logits(start..<(start + count), parameters, space)
      unsafe targets.withUnsafeBufferPointer { targets in
        guard let target = targets.baseAddress else { return }
        unsafe forge_cross_entropy_only(
          count,
          shape.vocabulary,
          space.logits.start,
          target + start,
          space.losses.start
        )
      }
      for index in 0..<count { all.append(space.losses[index]) }
    }
    return all
  }

  /// Computes logits of `positions` into `space.logits`, at most its rows.
  func logits(_ positions: Range<Int>, _ parameters: Parameters, _ space: Workspace) {
    let width = shape.width
    unsafe forge_gemm(
      positions.count,
      shape.vocabulary,
      width,
      space.hidden.start + positions.lowerBound * width,
      width,
      1,
      parameters.values.start,
      1,
      width,
      0,
      space.logits.start,
      shape.vocabulary,
      space.scratch.start
    )
  }
}
