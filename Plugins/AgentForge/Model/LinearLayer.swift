import CForge

/// The matrix of a linear layer in the form that inference computes with.
package struct LinearLayer: Sendable {
  /// How the weights are held.
  package enum Weights: Sendable {
    /// float32, `[outputs, inputs]`, from `offset` on.
    case dense(Floats, offset: Int)
    /// Matrices whose outputs stand beside each other; inputs are rounded to 8 bits.
    case ternary([TernaryMatrix])
  }

  package let outputs, inputs: Int
  let weights: Weights

  /// A layer of these weights.
  package init(outputs: Int, inputs: Int, _ weights: Weights) {
    self.outputs = outputs
    self.inputs = inputs
    self.weights = weights
  }

  /// Bytes it holds beside the model's parameters.
  var packedBytes: Int {
    guard case .ternary(let matrices) = weights else { return 0 }
    return matrices.reduce(0) { $0 + $1.bytes }
  }

  /// Floats of scratch that `apply` needs.
  var scratch: Int { Self.scratch(outputs: outputs, inputs: inputs) }

  /// Floats of scratch that a layer of this size needs.
  static func scratch(outputs: Int, inputs: Int) -> Int {
    // A ternary layer keeps the rounded input, four numbers in a float, before its output.
    max(outputs + TernaryMatrix.inputBytes(inputs) / 4, forge_gemm_scratch())
  }

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
    case .ternary(let matrices):
      for row in 0..<rows {
        let target = unsafe output.start + row * outputs
        let product = unsafe isAdded ? scratch.start : target
        let rounded = unsafe scratch.start + outputs
        unsafe rounded.withMemoryRebound(to: Int8.self, capacity: TernaryMatrix.inputBytes(inputs))
        {
          let step = unsafe forge_ternary_activations(inputs, input.start + row * inputs, $0)
          var first = 0
          for matrix in matrices {
            unsafe matrix.multiply($0, step: step, product + first)
            first += matrix.rows
          }
        }
        if isAdded { unsafe forge_axpy(outputs, 1, product, target) }
      }
    }
  }
}
