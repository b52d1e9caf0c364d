/// The numbers a model has learnt, in one buffer.
package final class Parameters: Sendable {
  /// The model's shape.
  package let shape: ModelShape
  /// Where each tensor stands.
  package let layout: ParameterLayout
  /// The numbers.
  package let values: Floats

  /// All zero.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - account: Is told of the bytes.
  package init(_ shape: ModelShape, _ account: MemoryAccount? = nil) {
    self.shape = shape
    layout = ParameterLayout(shape)
    values = Floats(layout.count, account)
  }

  /// The numbers of another shape of the same layout.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - values: As many as its layout has; not copied.
  package init(_ shape: ModelShape, sharing values: Floats) {
    self.shape = shape
    layout = ParameterLayout(shape)
    precondition(values.count == layout.count, "\(values.count) numbers for \(layout.count)")
    self.values = values
  }

  /// A copy.
  package convenience init(copying other: Parameters, _ account: MemoryAccount? = nil) {
    self.init(other.shape, account)
    values.copy(from: other.values)
  }

  /// Fills them for the start of training.
  ///
  /// Normal with deviation 0.02, projections back into the residual stream smaller by the root of twice the layers
  /// (Radford et al. 2019), norms 1.
  ///
  /// - Parameter generator: Drawn from.
  package func initialize(_ generator: inout Generator) {
    let residual = 0.02 / Double(2 * shape.layers).squareRoot()
    for tensor in layout.tensors {
      switch tensor.role {
      case .vector:
        let isHalting = tensor.name.hasPrefix("forge.halting")
        // A bias of -2 lets nearly all tokens go through all layers at first.
        let value: Float = isHalting ? (tensor.name.hasSuffix("bias") ? -2 : 0) : 1
        for index in tensor.range { values[index] = value }
      case .embedding, .linear:
        let isResidual =
          tensor.name.hasSuffix("o_proj.weight") || tensor.name.hasSuffix("down_proj.weight")
        let deviation = isResidual ? residual : 0.02
        for index in tensor.range { values[index] = Float(generator.normal() * deviation) }
      }
    }
  }
}
