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
      Matrix(state, count, width),
      Matrix(kept.attended, count, width),
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
      Matrix(space.queryKeyValueGradient, count, 3 * width),
      Matrix(kept.normed, count, width),
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
      Matrix(space.stateGradient, count, width),
      Matrix(kept.activated, count, hidden),
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
      Matrix(space.gateUpGradient, count, 2 * hidden),
      Matrix(kept.normedMiddle, count, width),
      at: offsets.gate,
      parameters,
      space.normedGradient,
      gradients,
      space
    )
  }

  /// Sets `inputGradient[count, inputs]` and adds to the weight's gradient, of `output = input · weightᵀ`.
  private func linearBackward(
    _ outputGradient: Matrix,
    _ input: Matrix,
    at offset: Int,
    _ parameters: Parameters,
    _ inputGradient: Floats,
    _ gradients: Floats,
    _ space: Workspace
  ) {
    let (outputs, inputs) = (outputGradient.columns, input.columns)
    Matrix(inputGradient, input.rows, inputs).set(
      outputGradient,
      times: Matrix(parameters.values, at: offset, outputs, inputs),
      space.scratch
    )
    Matrix(gradients, at: offset, outputs, inputs).set(
      outputGradient.transposed,
      times: input,
      beta: 1,
      space.scratch
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
    let views = HeadViews(kept.queryKeyValue, row: row, head: head, length: length, shape)
    let gradients = HeadViews(
      space.queryKeyValueGradient,
      row: row,
      head: head,
      length: length,
      shape
    )
    let resultGradient = views.result(space.attendedGradient)
    let logSums = unsafe kept.logSums.start + (head * space.rows + row) * space.length
    let scratch = space.scratch
    for start in stride(from: 0, to: length, by: Workspace.queryRows) {
      let count = min(Workspace.queryRows, length - start)
      let seen = start + count
      let (own, before) = (start..<seen, 0..<seen)
      let p = Matrix(space.scores, count, seen)
      let dp = Matrix(space.scoreGradients, count, seen)
      let out = resultGradient[own]
      p.set(views.query[own], times: views.key[before].transposed, scratch)
      unsafe forge_causal_softmax_again(
        count,
        seen,
        start,
        views.scale,
        space.scores.start,
        seen,
        logSums + start
      )
      gradients.value[before].set(p.transposed, times: out, beta: 1, scratch)
      dp.set(out, times: views.value[before].transposed, scratch)
      softmaxBackward(count, seen, views.scale, space)
      gradients.query[own].set(dp, times: views.key[before], beta: 1, scratch)
      gradients.key[before].set(dp.transposed, times: views.query[own], beta: 1, scratch)
    }
  }

  /// Turns the gradient of the probabilities in `space.scoreGradients[count, seen]` into that of the scores.
  private func softmaxBackward(_ count: Int, _ seen: Int, _ scale: Float, _ space: Workspace) {
    let (p, dp, inner) = unsafe (space.scores.start, space.scoreGradients.start, space.inner.start)
    for row in 0..<count {
      unsafe inner[row] = forge_dot(seen, p + row * seen, dp + row * seen)
    }
    unsafe forge_softmax_back(count, seen, scale, p, dp, seen, inner)
  }
}
