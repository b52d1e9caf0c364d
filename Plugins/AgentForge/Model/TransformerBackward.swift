import CForge

extension Transformer {
  /// Adds to the gradient of a state on the way back; called after each block's gradient arrived, last block first.
  ///
  /// - Parameters:
  ///   - layer: The block whose output it is.
  ///   - gradient: `[rows * length, width]`.
  package typealias StateGradient = (_ layer: Int, _ gradient: Floats) -> Void

  /// Goes back from `space.hiddenGradient` through everything that `forward` computed.
  ///
  /// - Parameters:
  ///   - tokens: As given to `forward`.
  ///   - rows: As given to `forward`.
  ///   - length: As given to `forward`.
  ///   - parameters: As given to `forward`.
  ///   - space: Of that call, with `hiddenGradient` set.
  ///   - gradients: Of the parameters; added to.
  ///   - ponderCost: The weight of a token's halting time in the loss, divided by the tokens; for models that halt.
  ///   - adding: Adds gradients of losses on inner states.
  package func backward(
    _ tokens: [Int32],
    rows: Int,
    length: Int,
    _ parameters: Parameters,
    _ space: Workspace,
    _ gradients: Floats,
    ponderCost: Float = 0,
    adding: StateGradient? = nil
  ) {
    let count = tokens.count
    let width = shape.width
    let offsets = parameters.layout
    space.stateGradient.clear()
    let mixedGradient = space.halting?.mixedGradient ?? space.stateGradient
    mixedGradient.clear()
    unsafe forge_rms_norm_back(
      count,
      width,
      space.mixed.start,
      parameters.values.start + offsets.finalNorm,
      space.finalInverse.start,
      space.hiddenGradient.start,
      mixedGradient.start,
      gradients.start + offsets.finalNorm
    )
    space.halting?.findGradients(count: count, ponderCost: ponderCost, space.states)
    for index in (0..<shape.layers).reversed() {
      space.halting?
        .backward(layer: index, count, parameters, space.states, space.stateGradient, gradients)
      adding?(index, space.stateGradient)
      backward(block: index, rows: rows, length: length, parameters, space, gradients)
    }
    for (position, token) in tokens.enumerated() {
      unsafe forge_axpy(
        width,
        1,
        space.stateGradient.start + position * width,
        gradients.start + Int(token) * width
      )
    }
  }

  private func backward(
    block index: Int,
    rows: Int,
    length: Int,
    _ parameters: Parameters,
    _ space: Workspace,
    _ gradients: Floats
  ) {
    let count = rows * length
    let width = shape.width
    let offsets = parameters.layout.blocks[index]
    let kept = space.blocks[index]
    let state = space.stateGradient

    backwardFeedForward(block: index, count, parameters, space, gradients)
    unsafe forge_rms_norm_back(
      count,
      width,
      kept.middle.start,
      parameters.values.start + offsets.feedForwardNorm,
      kept.inverseMiddle.start,
      space.normedGradient.start,
      state.start,
      gradients.start + offsets.feedForwardNorm
    )

    linearBackward(
      count,
      width,
      width,
      state,
      kept.attended,
      at: offsets.output,
      parameters,
      space.attendedGradient,
      gradients,
      space
    )
    space.queryKeyValueGradient.clear()
    for row in 0..<rows {
      for head in 0..<shape.heads {
        attendBackward(row: row, head: head, length: length, kept, space)
      }
    }
    rotate(space.queryKeyValueGradient, rows: rows, length: length, direction: -1)
    linearBackward(
      count,
      3 * width,
      width,
      space.queryKeyValueGradient,
      kept.normed,
      at: offsets.query,
      parameters,
      space.normedGradient,
      gradients,
      space
    )
    unsafe forge_rms_norm_back(
      count,
      width,
      space.states[index].start,
      parameters.values.start + offsets.attentionNorm,
      kept.inverse.start,
      space.normedGradient.start,
      state.start,
      gradients.start + offsets.attentionNorm
    )
  }

  /// Sets `normedGradient` from `stateGradient`, through the feed-forward.
  private func backwardFeedForward(
    block index: Int,
    _ count: Int,
    _ parameters: Parameters,
    _ space: Workspace,
    _ gradients: Floats
  ) {
    let width = shape.width
    let hidden = shape.hidden
    let offsets = parameters.layout.blocks[index]
    let kept = space.blocks[index]
    linearBackward(
      count,
      width,
      hidden,
      space.stateGradient,
      kept.activated,
      at: offsets.down,
      parameters,
      space.activatedGradient,
      gradients,
      space
    )
    for position in 0..<count {
      let pair = unsafe kept.gateUp.start + position * 2 * hidden
      let gradient = unsafe space.gateUpGradient.start + position * 2 * hidden
      unsafe forge_swiglu_back(
        hidden,
        pair,
        pair + hidden,
        space.activatedGradient.start + position * hidden,
        gradient,
        gradient + hidden
      )
    }
    linearBackward(
      count,
      2 * hidden,
      width,
      space.gateUpGradient,
      kept.normedMiddle,
      at: offsets.gate,
      parameters,
      space.normedGradient,
      gradients,
      space
    )
  }

  /// Sets `inputGradient[count, inputs]` and adds to the weight's gradient, of `output = input · weightᵀ`.
  private func linearBackward(
    _ count: Int,
    _ outputs: Int,
    _ inputs: Int,
    _ outputGradient: Floats,
    _ input: Floats,
    at offset: Int,
    _ parameters: Parameters,
    _ inputGradient: Floats,
    _ gradients: Floats,
    _ space: Workspace
  ) {
    unsafe forge_gemm(
      count,
      inputs,
      outputs,
      outputGradient.start,
      outputs,
      1,
      parameters.values.start + offset,
      inputs,
      1,
      0,
      inputGradient.start,
      inputs,
      space.scratch.start
    )
    unsafe forge_gemm(
      outputs,
      inputs,
      count,
      outputGradient.start,
      1,
      outputs,
      input.start,
      inputs,
      1,
      1,
      gradients.start + offset,
      inputs,
      space.scratch.start
    )
  }

  /// One head of one sequence: adds to the gradients of query, key and value.
  ///
  /// The probabilities are computed again from the scores, which costs one product and spares `[heads, length,
  /// length]` of memory in each block (Dao et al. 2022).
  private func attendBackward(
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
    let first = row * length * stride + head * headWidth
    let query = unsafe kept.queryKeyValue.start + first
    let (key, value) = unsafe (query + width, query + 2 * width)
    let queryGradient = unsafe space.queryKeyValueGradient.start + first
    let (keyGradient, valueGradient) = unsafe (queryGradient + width, queryGradient + 2 * width)
    let resultGradient =
      unsafe space.attendedGradient.start + row * length * width + head * headWidth
    let logSums = unsafe kept.logSums.start + (head * space.rows + row) * space.length
    let (p, dp) = unsafe (space.scores.start, space.scoreGradients.start)
    let scratch = unsafe space.scratch.start
    for start in Swift.stride(from: 0, to: length, by: Workspace.queryRows) {
      let count = min(Workspace.queryRows, length - start)
      let seen = start + count
      let queries = unsafe query + start * stride
      let out = unsafe resultGradient + start * width
      unsafe forge_gemm(
        count,
        seen,
        headWidth,
        queries,
        stride,
        1,
        key,
        1,
        stride,
        0,
        p,
        seen,
        scratch
      )
      unsafe forge_causal_softmax_again(count, seen, start, scale, p, seen, logSums + start)
      unsafe forge_gemm(
        seen,
        headWidth,
        count,
        p,
        1,
        seen,
        out,
        width,
        1,
        1,
        valueGradient,
        stride,
        scratch
      )
      unsafe forge_gemm(
        count,
        seen,
        headWidth,
        out,
        width,
        1,
        value,
        1,
        stride,
        0,
        dp,
        seen,
        scratch
      )
      for index in 0..<count {
        unsafe space.inner.start[index] = forge_dot(seen, p + index * seen, dp + index * seen)
      }
      unsafe forge_softmax_back(count, seen, scale, p, dp, seen, space.inner.start)
      unsafe forge_gemm(
        count,
        headWidth,
        seen,
        dp,
        seen,
        1,
        key,
        stride,
        1,
        1,
        queryGradient + start * stride,
        stride,
        scratch
      )
      unsafe forge_gemm(
        seen,
        headWidth,
        count,
        dp,
        1,
        seen,
        queries,
        stride,
        1,
        1,
        keyGradient,
        stride,
        scratch
      )
    }
  }
}
