import CForge

/// A decoder-only transformer in the manner of Llama: RMSNorm before attention and feed-forward, rotary positions,
/// SwiGLU, one matrix for embedding and output.
///
/// It holds no numbers of its own beside the table of positions; parameters and workspace are given to each call, so
/// that shards of a batch share one transformer.
package struct Transformer: Sendable {
  package let shape: ModelShape
  let rotary: RotaryTable

  /// A transformer of `shape`.
  package init(_ shape: ModelShape) {
    self.shape = shape
    rotary = RotaryTable(shape)
  }

  /// Reads sequences; `space.hidden` has the result.
  ///
  /// - Parameters:
  ///   - tokens: `rows` sequences of `length` tokens, one after another, all below the vocabulary.
  ///   - rows: At most those of `space`.
  ///   - length: At most that of `space`.
  ///   - parameters: Of this shape.
  ///   - space: Keeps what the backward pass needs.
  package func forward(
    _ tokens: [Int32],
    rows: Int,
    length: Int,
    _ parameters: Parameters,
    _ space: Workspace
  ) {
    precondition(tokens.count == rows * length && rows <= space.rows && length <= space.length)
    precondition(parameters.shape == shape && space.shape == shape)
    embed(tokens, parameters, space.states[0])
    for index in 0..<shape.layers {
      forward(block: index, rows: rows, length: length, parameters, space)
    }
    if let halting = space.halting {
      halting.forward(
        count: tokens.count,
        parameters,
        states: space.states,
        mixed: space.mixed
      )
    }
    let final = parameters.layout.finalNorm
    norm(tokens.count, space.mixed, at: final, parameters, space.hidden, space.finalInverse)
  }

  private func embed(_ tokens: [Int32], _ parameters: Parameters, _ states: Floats) {
    let width = shape.width
    for (position, token) in tokens.enumerated() {
      precondition(
        token >= 0 && Int(token) < shape.vocabulary,
        "token \(token) of \(shape.vocabulary)"
      )
      let row = unsafe parameters.values.start + Int(token) * width
      unsafe (states.start + position * width).update(from: row, count: width)
    }
  }

  private func forward(
    block index: Int,
    rows: Int,
    length: Int,
    _ parameters: Parameters,
    _ space: Workspace
  ) {
    let count = rows * length
    let width = shape.width
    let offsets = parameters.layout.blocks[index]
    let kept = space.blocks[index]
    let scratch = space.scratch
    let input = space.states[index]

    norm(count, input, at: offsets.attentionNorm, parameters, kept.normed, kept.inverse)
    quantize(count, width, kept.normed)
    Matrix(kept.queryKeyValue, count, 3 * width).set(
      Matrix(kept.normed, count, width),
      times: Matrix(parameters.values, at: offsets.query, 3 * width, width).transposed,
      scratch
    )
    rotate(kept.queryKeyValue, rows: rows, length: length, direction: 1)
    for row in 0..<rows {
      for head in 0..<shape.heads { attend(row: row, head: head, length: length, kept, space) }
    }
    quantize(count, width, kept.attended)
    unsafe kept.middle.start.update(from: input.start, count: count * width)
    Matrix(kept.middle, count, width).set(
      Matrix(kept.attended, count, width),
      times: Matrix(parameters.values, at: offsets.output, width, width).transposed,
      beta: 1,
      scratch
    )
    feedForward(block: index, count, parameters, space)
  }

  /// The second half of a block: from its middle state to its output.
  private func feedForward(
    block index: Int,
    _ count: Int,
    _ parameters: Parameters,
    _ space: Workspace
  ) {
    let (width, hidden) = (shape.width, shape.hidden)
    let offsets = parameters.layout.blocks[index]
    let kept = space.blocks[index]
    let output = space.states[index + 1]
    norm(
      count,
      kept.middle,
      at: offsets.feedForwardNorm,
      parameters,
      kept.normedMiddle,
      kept.inverseMiddle
    )
    quantize(count, width, kept.normedMiddle)
    Matrix(kept.gateUp, count, 2 * hidden).set(
      Matrix(kept.normedMiddle, count, width),
      times: Matrix(parameters.values, at: offsets.gate, 2 * hidden, width).transposed,
      space.scratch
    )
    for position in 0..<count {
      let gate = unsafe kept.gateUp.start + position * 2 * hidden
      unsafe forge_swiglu(hidden, gate, gate + hidden, kept.activated.start + position * hidden)
    }
    quantize(count, hidden, kept.activated)
    unsafe output.start.update(from: kept.middle.start, count: count * width)
    Matrix(output, count, width).set(
      Matrix(kept.activated, count, hidden),
      times: Matrix(parameters.values, at: offsets.down, width, hidden).transposed,
      beta: 1,
      space.scratch
    )
  }

  /// One head of one sequence: softmax(q kᵀ / √d) v, some queries at a time.
  private func attend(
    row: Int,
    head: Int,
    length: Int,
    _ kept: Workspace.BlockStates,
    _ space: Workspace
  ) {
    let views = HeadViews(kept.queryKeyValue, row: row, head: head, length: length, shape)
    let result = views.result(kept.attended)
    let logSums = unsafe kept.logSums.start + (head * space.rows + row) * space.length
    for start in stride(from: 0, to: length, by: Workspace.queryRows) {
      let count = min(Workspace.queryRows, length - start)
      let seen = start + count
      let scores = Matrix(space.scores, count, seen)
      scores.set(
        views.query[start..<seen],
        times: views.key[0..<seen].transposed,
        space.scratch
      )
      unsafe forge_causal_softmax(
        count,
        seen,
        start,
        views.scale,
        space.scores.start,
        seen,
        logSums + start
      )
      result[start..<seen].set(scores, times: views.value[0..<seen], space.scratch)
    }
  }

  /// RMSNorm of `count` states with the gains at `offset`.
  func norm(
    _ count: Int,
    _ input: Floats,
    at offset: Int,
    _ parameters: Parameters,
    _ output: Floats,
    _ inverse: Floats
  ) {
    unsafe forge_rms_norm(
      count,
      shape.width,
      input.start,
      parameters.values.start + offset,
      shape.normEpsilon,
      output.start,
      inverse.start
    )
  }

  /// Rounds the inputs of a linear layer when the model is a BitNet.
  private func quantize(_ rows: Int, _ width: Int, _ values: Floats) {
    guard shape.quantizesActivations else { return }
    unsafe forge_quantize_rows(rows, width, values.start)
  }

  /// Rotates queries and keys to their positions, or back.
  func rotate(_ values: Floats, rows: Int, length: Int, direction: Float) {
    let stride = 3 * shape.width
    for row in 0..<rows {
      // Query and key stand beside each other: twice the heads.
      unsafe forge_rope(
        length,
        2 * shape.heads,
        shape.headWidth,
        values.start + row * length * stride,
        stride,
        rotary.cosine.start,
        rotary.sine.start,
        direction
      )
    }
  }
}

/// Queries, keys and values of one head of one sequence, `[length, headWidth]` each, or their gradients.
struct HeadViews {
  let query, key, value: Matrix
  /// 1 / √headWidth.
  let scale: Float
  private let first, length: Int
  private let shape: ModelShape

  /// The views of `values`, `[rows * length, 3 * width]`.
  init(_ values: Floats, row: Int, head: Int, length: Int, _ shape: ModelShape) {
    self.shape = shape
    self.length = length
    scale = 1 / Float(shape.headWidth).squareRoot()
    first = row * length * shape.width + head * shape.headWidth
    let start = row * length * 3 * shape.width + head * shape.headWidth
    func view(_ part: Int) -> Matrix {
      Matrix(
        values,
        at: start + part * shape.width,
        length,
        shape.headWidth,
        stride: 3 * shape.width
      )
    }
    (query, key, value) = (view(0), view(1), view(2))
  }

  /// The head's part of attention's result `[rows * length, width]`, or of its gradient.
  func result(_ values: Floats) -> Matrix {
    Matrix(values, at: first, length, shape.headWidth, stride: shape.width)
  }
}
