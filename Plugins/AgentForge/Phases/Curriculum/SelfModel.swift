import CForge

/// A linear head that predicts a middle layer's states from the final ones: the model models itself.
///
/// By its gradient it also makes the states easier to predict (Premakumar et al. 2024). Its numbers are A, `[width,
/// width]`, and b: ŝ = A h + b. The loss is the mean of (ŝ − s)² over tokens and elements.
package struct SelfModel: Sendable, Equatable {
  /// Elements of a state.
  package let width: Int
  /// The block whose output is predicted, from 0.
  package let layer: Int

  /// The head of a model.
  package init(_ shape: ModelShape) {
    width = shape.width
    layer = (shape.layers - 1) / 2
  }

  /// Its numbers in all.
  package var count: Int { width * width + width }

  /// What it keeps for at most `tokens` tokens; belongs to one thread at a time.
  package final class States: Sendable {
    /// `[tokens, width]`: prediction, then error, then the loss's gradient by the prediction.
    let error: Floats

    /// Room for so many tokens.
    package init(width: Int, tokens: Int, _ account: MemoryAccount?) {
      error = Floats(tokens * width, account)
    }

    /// Bytes of one.
    package static func bytes(width: Int, tokens: Int) -> Int {
      tokens * width * MemoryLayout<Float>.stride
    }
  }

  /// Finds the errors of the first `tokens` states of a workspace after `forward`.
  ///
  /// - Parameters:
  ///   - tokens: How many.
  ///   - values: The head's numbers.
  ///   - space: Of that pass.
  ///   - states: Gets the errors.
  /// - Returns: The sums over tokens and elements of the squared errors and of the squared states.
  package func measure(_ tokens: Int, _ values: Floats, _ space: Workspace, _ states: States) -> (
    error: Double, state: Double
  ) {
    let target = space.states[layer + 1]
    for token in 0..<tokens {
      unsafe (states.error.start + token * width)
        .update(from: values.start + width * width, count: width)
    }
    unsafe forge_gemm(
      tokens,
      width,
      width,
      space.hidden.start,
      width,
      1,
      values.start,
      1,
      width,
      1,
      states.error.start,
      width,
      space.scratch.start
    )
    unsafe forge_axpy(tokens * width, -1, target.start, states.error.start)
    return unsafe (
      forge_sum_squares(tokens * width, states.error.start),
      forge_sum_squares(tokens * width, target.start)
    )
  }

  /// Goes back from the errors: adds to the head's gradients and to `space.hiddenGradient`.
  ///
  /// - Parameters:
  ///   - tokens: As given to `measure`.
  ///   - scale: The loss's weight over tokens and elements of the whole step.
  ///   - values: As given to `measure`.
  ///   - space: As given to `measure`, with `hiddenGradient` set.
  ///   - states: As given to `measure`; then holds what `addStateGradient` needs.
  ///   - gradients: Of the head.
  package func backward(
    _ tokens: Int,
    scale: Float,
    _ values: Floats,
    _ space: Workspace,
    _ states: States,
    _ gradients: Floats
  ) {
    unsafe forge_scale(tokens * width, 2 * scale, states.error.start)
    unsafe forge_gemm(
      width,
      width,
      tokens,
      states.error.start,
      1,
      width,
      space.hidden.start,
      width,
      1,
      1,
      gradients.start,
      width,
      space.scratch.start
    )
    for token in 0..<tokens {
      unsafe forge_axpy(
        width,
        1,
        states.error.start + token * width,
        gradients.start + width * width
      )
    }
    unsafe forge_gemm(
      tokens,
      width,
      width,
      states.error.start,
      width,
      1,
      values.start,
      width,
      1,
      1,
      space.hiddenGradient.start,
      width,
      space.scratch.start
    )
  }

  /// Adds to the gradient of a block's output, if it is the one that is predicted.
  func addStateGradient(_ block: Int, _ gradient: Floats, _ tokens: Int, _ states: States) {
    guard block == layer else { return }
    unsafe forge_axpy(tokens * width, -1, states.error.start, gradient.start)
  }
}
