/// Measures a model on batches it does not learn from.
package enum Evaluation {
  /// The mean loss over batches, in nats a token, in workspaces of its own.
  ///
  /// - Parameters:
  ///   - parameters: The model's.
  ///   - batches: At least one, of at most the model's context.
  ///   - shards: Parts that are computed side by side.
  ///   - parallel: The threads.
  ///   - account: Is told of the bytes, which are those of `bytes`.
  /// - Returns: The mean over all counted tokens.
  /// - Throws: What the threads throw.
  package static func loss(
    of parameters: Parameters,
    _ batches: [Batch],
    shards: Int,
    _ parallel: Parallel,
    _ account: MemoryAccount?
  ) throws -> Double {
    let (rows, length) = sizes(batches, shards)
    let spaces = (0..<shards).map { _ in
      Workspace(parameters.shape, rows: rows, length: length, account)
    }
    return try loss(of: parameters, Transformer(parameters.shape), batches, spaces, parallel)
  }

  /// Bytes that the measurement in workspaces of its own holds.
  package static func bytes(_ shape: ModelShape, _ batches: [Batch], shards: Int) -> Int {
    let (rows, length) = sizes(batches, shards)
    return shards * Workspace.bytes(shape, rows: rows, length: length)
  }

  private static func sizes(_ batches: [Batch], _ shards: Int) -> (rows: Int, length: Int) {
    let rows = batches.map(\.rows).max() ?? 1
    return ((rows + shards - 1) / shards, batches.map(\.length).max() ?? 1)
  }

  /// The mean loss over batches, in nats a token.
  ///
  /// - Parameters:
  ///   - parameters: The model's.
  ///   - transformer: Of its shape.
  ///   - batches: Rows and tokens within those of the spaces.
  ///   - spaces: One for each part that is computed side by side.
  ///   - parallel: The threads.
  /// - Returns: The mean over all counted tokens; 0 when none counts.
  /// - Throws: What the threads throw.
  package static func loss(
    of parameters: Parameters,
    _ transformer: Transformer,
    _ batches: [Batch],
    _ spaces: [Workspace],
    _ parallel: Parallel
  ) throws -> Double {
    let room = spaces.first?.rows ?? 1
    let parts = batches.flatMap { batch in
      stride(from: 0, to: batch.rows, by: room).map { batch.rows($0..<min($0 + room, batch.rows)) }
    }
    let sums = Slots<Double>(parts.count, 0)
    try parallel(spaces.count) { worker in
      for index in stride(from: worker, to: parts.count, by: spaces.count) {
        let part = parts[index]
        let space = spaces[worker]
        transformer.forward(part.tokens, rows: part.rows, length: part.length, parameters, space)
        let losses = transformer.losses(part.targets, parameters, space)
        sums[index] = losses.reduce(0) { $0 + Double($1) }
      }
    }
    let counted = batches.reduce(0) { $0 + $1.targetCount }
    return sums.all.reduce(0, +) / Double(max(counted, 1))
  }
}

extension Batch {
  /// Some of its rows.
  ///
  /// - Parameter range: Of rows.
  /// - Returns: A batch of them.
  package func rows(_ range: Range<Int>) -> Batch {
    if range == 0..<rows { return self }
    let part = (range.lowerBound * length)..<(range.upperBound * length)
    return Batch(
      rows: range.count,
      length: length,
      tokens: Array(tokens[part]),
      targets: Array(targets[part])
    )
  }
}
