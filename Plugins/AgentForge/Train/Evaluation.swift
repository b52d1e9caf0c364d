/// Measures a model on batches it does not learn from.
package enum Evaluation {
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
