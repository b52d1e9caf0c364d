import CForge

/// How large the inputs of each linear layer are: the mean square of each element, over some text.
package enum InputMoments {
  /// Measures them.
  ///
  /// - Parameters:
  ///   - parameters: Of the model.
  ///   - batches: The text.
  ///   - account: Is told of the bytes.
  ///   - checkStop: Asked between batches.
  /// - Returns: For each linear tensor by name, a number above 0 for each of its columns; their mean is 1.
  /// - Throws: What `checkStop` throws.
  package static func measure(
    _ parameters: Parameters,
    _ batches: [Batch],
    _ account: MemoryAccount?,
    checkStop: () throws -> Void
  ) throws -> [String: [Float]] {
    let shape = parameters.shape
    let transformer = Transformer(shape)
    var sums: [String: [Float]] = [:]
    for tensor in parameters.layout.tensors where tensor.role == .linear {
      sums[tensor.name] = [Float](repeating: 0, count: tensor.dimensions[1])
    }
    let rows = batches.map(\.rows).max() ?? 1
    let space = Workspace(
      shape,
      rows: rows,
      length: batches.map(\.length).max() ?? 1,
      account
    )
    for batch in batches {
      try checkStop()
      transformer.forward(
        batch.tokens,
        rows: batch.rows,
        length: batch.length,
        parameters,
        space
      )
      for (index, kept) in space.blocks.enumerated() {
        for (name, input) in [
          ("self_attn.q_proj", kept.normed), ("self_attn.k_proj", kept.normed),
          ("self_attn.v_proj", kept.normed), ("self_attn.o_proj", kept.attended),
          ("mlp.gate_proj", kept.normedMiddle), ("mlp.up_proj", kept.normedMiddle),
          ("mlp.down_proj", kept.activated),
        ] {
          add(input, batch.tokens.count, &sums["model.layers.\(index).\(name).weight", default: []])
        }
      }
    }
    return sums.mapValues(normalized)
  }

  private static func add(_ input: Floats, _ rows: Int, _ sums: inout [Float]) {
    precondition(rows * sums.count <= input.count)
    unsafe forge_add_squares(rows, sums.count, input.start, &sums)
  }

  private static func normalized(_ sums: [Float]) -> [Float] {
    let mean = sums.reduce(0, +) / Float(max(sums.count, 1))
    guard mean > 0, mean.isFinite else { return sums.map { _ in 1 } }
    // An input that was never seen counts a little: other text may have it.
    return sums.map { ($0 / mean + 0.01) / 1.01 }
  }
}
