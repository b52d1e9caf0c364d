import CForge

/// What one shard of a batch needs to go forward and backward: the states kept on the way, and scratch.
///
/// Belongs to one thread at a time: it is handed on between steps, never used by two at once. Sizes below: `M` is rows
/// times length, a row being one sequence.
package final class Workspace: Sendable {
  /// What one block keeps for its backward pass.
  struct BlockStates {
    /// `[M, width]`: the normed input of attention, its output before the projection, the state between attention and
    /// feed-forward, and the normed input of the feed-forward.
    let normed, attended, middle, normedMiddle: Floats
    /// `[M, 3 * width]`: query, key and value of each position, rotated.
    let queryKeyValue: Floats
    /// `[M, 2 * hidden]`: gate and up of each position.
    let gateUp: Floats
    /// `[M, hidden]`.
    let activated: Floats
    /// `[M]`: the norms' factors.
    let inverse, inverseMiddle: Floats
    /// `[heads, M]`: of each softmax.
    let logSums: Floats
  }

  /// The most sequences and the most tokens of each.
  package let rows, length: Int
  package let shape: ModelShape

  /// `[layers + 1][M, width]`: the state before each block, and after the last.
  let states: [Floats]
  let blocks: [BlockStates]
  /// `[M]` factors of the final norm.
  let finalInverse: Floats
  /// `[M, width]`: the state that enters the final norm; the last of `states` unless the model halts.
  let mixed: Floats
  /// `[M, width]`: what the output matrix reads.
  package let hidden: Floats
  /// `[M, width]`: the loss's gradient by `hidden`, set by a head's backward pass.
  package let hiddenGradient: Floats
  /// What the model with adaptive halting keeps; `nil` for others.
  let halting: HaltingStates?

  /// Gradients and products on the way back.
  let stateGradient, normedGradient, attendedGradient: Floats
  let queryKeyValueGradient, gateUpGradient, activatedGradient: Floats
  /// `[queryRows, length]`: attention's probabilities and their gradient, for some queries of one head.
  let scores, scoreGradients, inner: Floats
  /// `[logitRows, vocabulary]`.
  let logits: Floats
  let logitRows: Int
  let losses: Floats
  let scratch: Floats

  /// Queries whose scores are held at once.
  static let queryRows = 64

  /// Room for `rows` sequences of `length` tokens.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - rows: At least 1.
  ///   - length: At most the model's context.
  ///   - account: Is told of the bytes.
  package init(_ shape: ModelShape, rows: Int, length: Int, _ account: MemoryAccount? = nil) {
    precondition(rows >= 1 && length >= 1 && length <= shape.context)
    self.shape = shape
    self.rows = rows
    self.length = length
    let count = rows * length
    let width = shape.width
    func floats(_ count: Int) -> Floats { Floats(count, account) }
    states = (0...shape.layers).map { _ in floats(count * width) }
    blocks = (0..<shape.layers).map { _ in
      BlockStates(
        normed: floats(count * width),
        attended: floats(count * width),
        middle: floats(count * width),
        normedMiddle: floats(count * width),
        queryKeyValue: floats(count * 3 * width),
        gateUp: floats(count * 2 * shape.hidden),
        activated: floats(count * shape.hidden),
        inverse: floats(count),
        inverseMiddle: floats(count),
        logSums: floats(count * shape.heads)
      )
    }
    halting = shape.halts ? HaltingStates(shape, count: count, account) : nil
    mixed = shape.halts ? floats(count * width) : states[shape.layers]
    finalInverse = floats(count)
    hidden = floats(count * width)
    hiddenGradient = floats(count * width)
    stateGradient = floats(count * width)
    normedGradient = floats(count * width)
    attendedGradient = floats(count * width)
    queryKeyValueGradient = floats(count * 3 * width)
    gateUpGradient = floats(count * 2 * shape.hidden)
    activatedGradient = floats(count * shape.hidden)
    scores = floats(Self.queryRows * length)
    scoreGradients = floats(Self.queryRows * length)
    inner = floats(Self.queryRows)
    logitRows = Self.logitRows(shape, count)
    logits = floats(logitRows * shape.vocabulary)
    losses = floats(count)
    scratch = floats(forge_gemm_scratch())
  }

  /// Rows of logits held at once: about a million numbers, and never less than 16 rows.
  private static func logitRows(_ shape: ModelShape, _ count: Int) -> Int {
    min(count, max(16, (1 << 20) / shape.vocabulary))
  }

  /// Bytes that a workspace of these sizes holds, without making it.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - rows: As for `init`.
  ///   - length: As for `init`.
  /// - Returns: Bytes.
  package static func bytes(_ shape: ModelShape, rows: Int, length: Int) -> Int {
    let count = rows * length
    let width = shape.width
    let perBlock = 7 * width + 3 * shape.hidden + 2 + shape.heads
    let states = (shape.layers + 1) * width + shape.layers * perBlock
    let halting = shape.halts ? width + HaltingStates.floatsPerToken(shape) : 0
    let back = 2 + 2 * width + 6 * width + 3 * shape.hidden
    let attention = 2 * queryRows * length + queryRows
    let head = logitRows(shape, count) * shape.vocabulary
    let floats = count * (states + halting + back) + attention + head + forge_gemm_scratch()
    return floats * MemoryLayout<Float>.stride
  }
}
