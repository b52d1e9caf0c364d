import CForge

/// The matrix of a linear layer in the form that inference computes with.
package struct LinearLayer: Sendable {
  /// How the weights are held.
  package enum Weights: Sendable {
    /// float32, `[outputs, inputs]`, from `offset` on.
    case dense(Floats, offset: Int)
  }

  package let outputs, inputs: Int
  let weights: Weights

  /// A layer of these weights.
  package init(outputs: Int, inputs: Int, _ weights: Weights) {
    self.outputs = outputs
    self.inputs = inputs
    self.weights = weights
  }

  /// Floats of scratch that `apply` needs.
  var scratch: Int { max(outputs, forge_gemm_scratch()) }

  /// Computes `output[rows, outputs] = input[rows, inputs] · weightsᵀ`.
  ///
  /// - Parameters:
  ///   - rows: At least 1.
  ///   - input: Of rows, one after another.
  ///   - output: Of rows, one after another; overlaps nothing.
  ///   - isAdded: Whether the product is added to what `output` holds.
  ///   - scratch: At least `scratch` floats, used within the call.
  func apply(_ rows: Int, _ input: Floats, _ output: Floats, isAdded: Bool, _ scratch: Floats) {
    precondition(rows * inputs <= input.count && rows * outputs <= output.count)
    precondition(scratch.count >= self.scratch)
    switch weights {
    case .dense(let values, let offset):
      let weight = unsafe values.start + offset
      if rows > 1 {
        unsafe forge_gemm(
          rows,
          outputs,
          inputs,
          input.start,
          inputs,
          1,
          weight,
          1,
          inputs,
          isAdded ? 1 : 0,
          output.start,
          outputs,
          scratch.start
        )
      } else if isAdded {
        unsafe forge_gemv(outputs, inputs, weight, input.start, scratch.start)
        unsafe forge_axpy(outputs, 1, scratch.start, output.start)
      } else {
        unsafe forge_gemv(outputs, inputs, weight, input.start, output.start)
      }
    }
  }
}
