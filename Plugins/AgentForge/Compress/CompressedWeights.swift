import CForge

/// The compressed matrices of a model: of each its method and its bytes.
///
/// Vectors are not among them.
package enum CompressedWeights {
  /// How a matrix is compressed.
  package enum Method: UInt8, Sendable, CaseIterable {
    /// A ternary matrix, without loss.
    case trits = 1
    case seedlm
    case vptq

    /// As reports and requests have it.
    package var name: String { "\(self)" }
  }

  /// A compressed matrix.
  package struct Matrix: Sendable, Equatable {
    package let method: Method
    package let body: [UInt8]

    /// A matrix of these bytes.
    package init(_ method: Method, _ body: [UInt8]) {
      self.method = method
      self.body = body
    }
  }

  /// The first bytes of a payload.
  private static let mark = Array("FZ01".utf8)

  /// Whether `tensor` is compressed: every matrix is.
  package static func holds(_ tensor: ParameterLayout.Tensor) -> Bool { tensor.role != .vector }

  /// The payload of a model's matrices in the layout's order.
  package static func payload(_ matrices: [Matrix]) -> [UInt8] {
    var bytes = mark
    for matrix in matrices {
      bytes.append(matrix.method.rawValue)
      bytes.append(number: UInt32(matrix.body.count))
      bytes += matrix.body
    }
    return bytes
  }

  /// Sets a model's matrices.
  ///
  /// - Parameters:
  ///   - parameters: Their matrices are set; vectors stay.
  ///   - payload: Any bytes.
  /// - Throws: `PayloadFault` for bytes that are not the matrices of this layout.
  package static func fill(_ parameters: Parameters, _ payload: [UInt8]) throws(PayloadFault) {
    var reader = PayloadReader(payload)
    guard try reader.take(mark.count, "their mark") == mark else {
      throw PayloadFault("The packed weights are not compressed: they do not begin with FZ01.")
    }
    for tensor in parameters.layout.tensors where holds(tensor) {
      guard let method = Method(rawValue: try reader.integer(UInt8.self, tensor.name)) else {
        throw PayloadFault("The packed weights have an unknown method for \(tensor.name).")
      }
      let length = Int(try reader.integer(UInt32.self, tensor.name))
      let body = try reader.take(length, tensor.name)
      try decode(Matrix(method, body), tensor, parameters.values)
    }
    try reader.finish()
  }

  /// Sets one matrix.
  ///
  /// - Parameters:
  ///   - matrix: Any bytes.
  ///   - tensor: Which.
  ///   - values: Where it stands.
  /// - Throws: `PayloadFault` for bytes that are not this matrix.
  package static func decode(
    _ matrix: Matrix,
    _ tensor: ParameterLayout.Tensor,
    _ values: Floats
  ) throws(PayloadFault) {
    var reader = PayloadReader(matrix.body)
    switch matrix.method {
    case .trits: try decodeTrits(&reader, tensor, values)
    case .seedlm: try SeedLM.decode(&reader, tensor, values)
    case .vptq: try VPTQ.decode(&reader, tensor, values)
    }
    try reader.finish()
  }

  /// Compresses a ternary matrix: its scale, and its trits by their frequencies.
  ///
  /// - Parameters:
  ///   - values: Where it stands.
  ///   - tensor: Which.
  /// - Returns: Its bytes.
  package static func encodeTrits(_ values: Floats, _ tensor: ParameterLayout.Tensor) -> Matrix {
    var trits = [Int8](repeating: 0, count: tensor.count)
    unsafe forge_trits_signs(tensor.count, values.start + tensor.offset, &trits)
    var bytes: [UInt8] = []
    bytes.append(float: TernaryWeights.scale(values, tensor))
    bytes += EntropyCoder.encode(trits.map { UInt8($0 + 1) }, alphabet: 3)
    return Matrix(.trits, bytes)
  }

  private static func decodeTrits(
    _ reader: inout PayloadReader,
    _ tensor: ParameterLayout.Tensor,
    _ values: Floats
  ) throws(PayloadFault) {
    let scale = try reader.float("the scale of \(tensor.name)")
    guard scale >= 0 else {
      throw PayloadFault("The packed weights have \(scale) as the scale of \(tensor.name).")
    }
    let trits = try EntropyCoder.decode(tensor.count, alphabet: 3, &reader, tensor.name)
      .map { Int8($0) - 1 }
    unsafe forge_trits_floats(tensor.count, scale, trits, values.start + tensor.offset)
  }
}
