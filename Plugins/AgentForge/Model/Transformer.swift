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
    let width = shape.width
    let weights = unsafe parameters.values.start
    let first = unsafe space.states[0].start
    for (position, token) in tokens.enumerated() {
      precondition(
        token >= 0 && Int(token) < shape.vocabulary,
        "token \(token) of \(shape.vocabulary)"
      )
      unsafe (first + position * width).update(from: weights + Int(token) * width, count: width)
    }
    for index in 0..<shape.layers {
      forward(block: index, rows: rows, length: length, parameters, space)
    }
    if let halting = space.halting {
      halting.forward(count: tokens.count, parameters, states: space.states, mixed: space.mixed)
    }
    unsafe forge_rms_norm(
      tokens.count,
      width,
      space.mixed.start,
      weights + parameters.layout.finalNorm,
      shape.normEpsilon,
      space.hidden.start,
      space.finalInverse.start
    )
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
    let hidden = shape.hidden
    let offsets = parameters.layout.blocks[index]
    let weights = unsafe parameters.values.start
    let kept = space.blocks[index]
    let input = space.states[index]
    let output = space.states[index + 1]

    norm(count, input, at: offsets.attentionNorm, parameters, kept.normed, kept.inverse)
    quantize(count, width, kept.normed)
    unsafe product(
      count,
      3 * width,
      width,
      kept.normed,
      weights + offsets.query,
      0,
      kept.queryKeyValue,
      space
    )
    rotate(kept.queryKeyValue, rows: rows, length: length, direction: 1)
    for row in 0..<rows {
      for head in 0..<shape.heads {
        attend(row: row, head: head, length: length, kept, space)
      }
    }
    quantize(count, width, kept.attended)
    unsafe kept.middle.start.update(from: input.start, count: count * width)
    unsafe product(
      count,
      width,
      width,
      kept.attended,
      weights + offsets.output,
      1,
      kept.middle,
      space
    )

    norm(
      count,
      kept.middle,
      at: offsets.feedForwardNorm,
      parameters,
      kept.normedMiddle,
      kept.inverseMiddle
    )
    quantize(count, width, kept.normedMiddle)
    unsafe product(
      count,
      2 * hidden,
      width,
      kept.normedMiddle,
      weights + offsets.gate,
      0,
      kept.gateUp,
      space
    )
    for position in 0..<count {
      let pair = unsafe kept.gateUp.start + position * 2 * hidden
      unsafe forge_swiglu(hidden, pair, pair + hidden, kept.activated.start + position * hidden)
    }
    quantize(count, hidden, kept.activated)
    unsafe output.start.update(from: kept.middle.start, count: count * width)
    unsafe product(count, width, hidden, kept.activated, weights + offsets.down, 1, output, space)
  }

  /// One head of one sequence: softmax(q kᵀ / √d) v, some queries at a time.
  private func attend(
    row: Int,
    head: Int,
    length: Int,
    _ kept: Workspace.BlockStates,
    _ space: Workspace
  ) {
    let width = shape.width
    let stride = 3 * width
    let headWidth = shape.headWidth
    let scale = 1 / Float(headWidth).squareRoot()
    let query = unsafe kept.queryKeyValue.start + row * length * stride + head * headWidth
    let key = unsafe query + width
    let value = unsafe key + width
    let result = unsafe kept.attended.start + row * length * width + head * headWidth
    let logSums = unsafe kept.logSums.start + (head * space.rows + row) * space.length
    let scores = unsafe space.scores.start
    let scratch = unsafe space.scratch.start
    for start in Swift.stride(from: 0, to: length, by: Workspace.queryRows) {
      let count = min(Workspace.queryRows, length - start)
      let seen = start + count
      unsafe forge_gemm(
        count,
        seen,
        headWidth,
        query + start * stride,
        stride,
        1,
        key,
        1,
        stride,
        0,
        scores,
        seen,
        scratch
      )
      unsafe forge_causal_softmax(count, seen, start, scale, scores, seen, logSums + start)
      unsafe forge_gemm(
        count,
        headWidth,
        seen,
        scores,
        seen,
        1,
        value,
        stride,
        1,
        0,
        result + start * width,
        width,
        scratch
      )
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

  /// `output[count, outputs] = beta * output + input[count, inputs] · weightᵀ`.
  private func product(
    _ count: Int,
    _ outputs: Int,
    _ inputs: Int,
    _ input: Floats,
    _ weight: UnsafePointer<Float>,
    _ beta: Float,
    _ output: Floats,
    _ space: Workspace
  ) {
    unsafe forge_gemm(
      count,
      outputs,
      inputs,
      input.start,
      inputs,
      1,
      weight,
      1,
      inputs,
      beta,
      output.start,
      outputs,
      space.scratch.start
    )
  }
}
