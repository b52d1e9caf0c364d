import CForge

/// Says for a token how much the prediction after a thought counts.
///
/// It is the mixing head of Zelikman et al. (2024), section 4.3. From the final states without and with the thought, x
/// = [h, h′], it computes w = σ(u · SwiGLU(A x, B x) + c), with as many inner units as the model is wide. The numbers
/// stand as A and B, `[2 · width, 2 · width]` together, u, c.
package struct MixingHead: Sendable, Equatable {
  /// What c is at first: w is then about 0.12, so that untrained thoughts hardly disturb.
  package static let initialBias: Float = -2

  /// Elements of a state, and inner units.
  package let width: Int

  /// A head for models of that width.
  package init(width: Int) { self.width = width }

  /// Its numbers in all.
  package var count: Int { 4 * width * width + width + 1 }
  private var inner: Int { 4 * width * width }

  /// What it keeps between forward and backward, for at most `rows` tokens; belongs to one thread at a time.
  package final class States: Sendable {
    /// `[rows, 2 · width]`.
    let input, inputGradient, gateUp, gateUpGradient: Floats
    /// `[rows, width]`.
    let activated, activatedGradient: Floats
    let scratch: Floats

    /// Room for `rows` tokens.
    ///
    /// - Parameters:
    ///   - width: Of the head.
    ///   - rows: Tokens at once.
    ///   - scratch: For products; of a workspace of the same thread.
    ///   - account: Is told of the bytes.
    package init(width: Int, rows: Int, scratch: Floats, _ account: MemoryAccount?) {
      func floats(_ count: Int) -> Floats { Floats(count, account) }
      input = floats(rows * 2 * width)
      inputGradient = floats(rows * 2 * width)
      gateUp = floats(rows * 2 * width)
      gateUpGradient = floats(rows * 2 * width)
      activated = floats(rows * width)
      activatedGradient = floats(rows * width)
      self.scratch = scratch
    }

    /// Bytes of one.
    package static func bytes(width: Int, rows: Int) -> Int {
      10 * rows * width * MemoryLayout<Float>.stride
    }
  }

  /// Fills its numbers for the start of training.
  ///
  /// - Parameters:
  ///   - values: `count` numbers.
  ///   - generator: Drawn from.
  package func initialize(_ values: Floats, _ generator: inout Generator) {
    let deviation = 1 / Double(2 * width).squareRoot()
    for index in 0..<(inner + width) {
      values[index] = Float(generator.normal() * (index < inner ? deviation : 0.02))
    }
    values[inner + width] = Self.initialBias
  }

  /// The logits of w for the first `rows` of `states.input`.
  func forward(rows: Int, _ values: Floats, _ states: States) -> [Float] {
    let double = 2 * width
    unsafe forge_gemm(
      rows,
      double,
      double,
      states.input.start,
      double,
      1,
      values.start,
      1,
      double,
      0,
      states.gateUp.start,
      double,
      states.scratch.start
    )
    return (0..<rows).map { row in
      let pair = unsafe states.gateUp.start + row * double
      let activated = unsafe states.activated.start + row * width
      unsafe forge_swiglu(width, pair, pair + width, activated)
      return unsafe forge_dot(width, values.start + inner, activated) + values[inner + width]
    }
  }

  /// Sets `states.inputGradient` and adds to the head's gradients.
  ///
  /// - Parameters:
  ///   - slopes: The loss's derivative by each logit of the last `forward`.
  ///   - values: As given to it.
  ///   - gradients: `count` numbers.
  ///   - states: As given to it.
  func backward(_ slopes: [Float], _ values: Floats, _ gradients: Floats, _ states: States) {
    let double = 2 * width
    states.activatedGradient.clear()
    for (row, slope) in slopes.enumerated() {
      let activated = unsafe states.activated.start + row * width
      let gradient = unsafe states.activatedGradient.start + row * width
      unsafe forge_axpy(width, slope, values.start + inner, gradient)
      unsafe forge_axpy(width, slope, activated, gradients.start + inner)
      gradients[inner + width] += slope
      let pair = unsafe states.gateUp.start + row * double
      let back = unsafe states.gateUpGradient.start + row * double
      unsafe forge_swiglu_back(width, pair, pair + width, gradient, back, back + width)
    }
    unsafe forge_gemm(
      double,
      double,
      slopes.count,
      states.gateUpGradient.start,
      1,
      double,
      states.input.start,
      double,
      1,
      1,
      gradients.start,
      double,
      states.scratch.start
    )
    unsafe forge_gemm(
      slopes.count,
      double,
      double,
      states.gateUpGradient.start,
      double,
      1,
      values.start,
      double,
      1,
      0,
      states.inputGradient.start,
      double,
      states.scratch.start
    )
  }
}
