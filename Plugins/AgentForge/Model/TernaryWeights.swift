import CForge

/// The weights of a BitNet (Ma and others 2024, "The Era of 1-bit LLMs"): in each matrix of a linear layer every number is
/// −s, 0 or s, where s is the matrix's own scale; embedding and vectors stay float32.
package enum TernaryWeights {
  /// The first bytes of the packed form.
  private static let mark = Array("T158".utf8)

  /// Writes one part of the ternary weights of latent ones, for the forward pass of `Trainer`.
  ///
  /// - Parameters:
  ///   - latent: Float weights.
  ///   - effective: Gets the matrices rounded and all else as it is; of the same layout.
  ///   - part: Which part, from 0.
  ///   - parts: Of how many; each has whole tensors of its own.
  package static func round(
    _ latent: Parameters,
    _ effective: Parameters,
    part: Int = 0,
    parts: Int = 1
  ) {
    precondition(latent.layout == effective.layout)
    for (index, tensor) in latent.layout.tensors.enumerated() where index % parts == part {
      let source = unsafe latent.values.start + tensor.offset
      let target = unsafe effective.values.start + tensor.offset
      if tensor.role == .linear {
        let scale = unsafe forge_ternary_scale(tensor.count, source)
        unsafe forge_ternary_round(tensor.count, scale, source, target)
      } else {
        unsafe target.update(from: source, count: tensor.count)
      }
    }
  }

  /// The scale of a ternary matrix: the size of its numbers that are not 0; 0 when all are.
  package static func scale(_ values: Floats, _ tensor: ParameterLayout.Tensor) -> Float {
    for index in tensor.range where values[index] != 0 { return values[index].magnitude }
    return 0
  }

  /// Packs the matrices: of each its scale as float32 and its trits, 5 to a byte.
  ///
  /// - Parameter parameters: With ternary matrices.
  /// - Returns: The bytes, how many weights are 0, and how many there are.
  package static func pack(_ parameters: Parameters) -> (payload: [UInt8], zeros: Int, count: Int) {
    var payload = mark
    var (zeros, count) = (0, 0)
    for tensor in parameters.layout.tensors where tensor.role == .linear {
      payload.append(float: scale(parameters.values, tensor))
      let source = unsafe parameters.values.start + tensor.offset
      let bytes = forge_trits_bytes(tensor.count)
      payload += unsafe [UInt8](unsafeUninitializedCapacity: bytes) { buffer, filled in
        guard let start = buffer.baseAddress else { return }
        zeros += unsafe forge_trits_pack(tensor.count, source, start)
        filled = bytes
      }
      count += tensor.count
    }
    return (payload, zeros, count)
  }

  /// Fills in the matrices that `pack` packed.
  ///
  /// - Parameters:
  ///   - parameters: Their matrices are set; all else stays.
  ///   - payload: Any bytes.
  /// - Throws: `PayloadFault` for bytes that are not the matrices of this layout.
  package static func fill(
    _ parameters: Parameters,
    _ payload: [UInt8]
  ) throws(PayloadFault) {
    var reader = PayloadReader(payload)
    guard try reader.take(mark.count, "their mark") == mark else {
      throw PayloadFault("The packed weights are not ternary: they do not begin with T158.")
    }
    for tensor in parameters.layout.tensors where tensor.role == .linear {
      let scale = try reader.float("the scale of \(tensor.name)")
      guard scale >= 0 else {
        throw PayloadFault("The packed weights have \(scale) as the scale of \(tensor.name).")
      }
      let packed = try reader.take(forge_trits_bytes(tensor.count), tensor.name)
      var trits = [Int8](repeating: 0, count: tensor.count)
      guard unsafe forge_trits_unpack(tensor.count, packed, &trits) == 0 else {
        throw PayloadFault(
          "The packed weights have bytes in \(tensor.name) that are no five trits."
        )
      }
      unsafe forge_trits_floats(
        tensor.count,
        scale,
        trits,
        parameters.values.start + tensor.offset
      )
    }
    try reader.finish()
  }
}

/// A ternary matrix as the kernel reads it, 2 bits for a weight.
package struct TernaryMatrix: Sendable {
  /// Its sizes.
  package let rows, columns: Int
  private let scale: Float
  private let layout: [UInt8]

  /// The matrix that stands as `tensor` in `values`; `nil` when its numbers are not all −s, 0 or s.
  package init?(_ values: Floats, _ tensor: ParameterLayout.Tensor) {
    precondition(tensor.dimensions.count == 2 && tensor.dimensions[1] <= 65_536)
    let scale = TernaryWeights.scale(values, tensor)
    guard unsafe forge_is_ternary(tensor.count, scale, values.start + tensor.offset) != 0 else {
      return nil
    }
    self.scale = scale
    rows = tensor.dimensions[0]
    columns = tensor.dimensions[1]
    var trits = [Int8](repeating: 0, count: tensor.count)
    unsafe forge_trits_signs(tensor.count, values.start + tensor.offset, &trits)
    let bytes = rows * forge_ternary_padded(columns) / 4
    layout = unsafe [UInt8](unsafeUninitializedCapacity: bytes) { [rows, columns] buffer, filled in
      guard let start = buffer.baseAddress else { return }
      unsafe forge_ternary_layout(rows, columns, trits, start)
      filled = bytes
    }
  }

  /// Bytes it holds.
  package var bytes: Int { layout.count }

  /// Bytes of rounded inputs that a product reads.
  package static func inputBytes(_ columns: Int) -> Int { forge_ternary_padded(columns) }

  /// Computes `output[rows]` = the matrix times `input`.
  ///
  /// - Parameters:
  ///   - input: `inputBytes(columns)` numbers, as `forge_ternary_activations` sets them.
  ///   - step: What it returned.
  ///   - output: Overlaps nothing.
  package func multiply(
    _ input: UnsafePointer<Int8>,
    step: Float,
    _ output: UnsafeMutablePointer<Float>
  ) {
    unsafe forge_ternary_gemv(rows, columns, layout, scale, input, step, output)
  }
}
