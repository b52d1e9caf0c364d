import CForge
import Glibc

/// Reads a text token by token and says what could come next: the function of `Transformer.forward`, without computing
/// again what was read before.
///
/// One text at a time; belongs to one thread at a time.
package final class Decoder {
  /// Tokens that are read in one matrix product.
  static let chunk = 64

  /// Tokens read so far.
  package private(set) var count = 0
  /// `[vocabulary]`: the scores of the token after the last one read.
  package let logits: Floats

  private let layers: DecodingLayers
  private let shape: ModelShape
  private let cache: KeyValueCache
  /// Of the rows of one chunk: the state, a normed state or what attention gave, and the wider ones.
  private let state, normed, attended, queryKeyValue, gateUp, activated, hidden: Floats
  private let scores, inverse, scratch: Floats
  private let halting: HaltingSums?

  /// A decoder that has read nothing.
  ///
  /// - Parameters:
  ///   - model: Kept as long as the decoder.
  ///   - capacity: Tokens it can read, from 1 to the model's context.
  package convenience init(_ model: RunnableModel, capacity: Int) {
    self.init(model.layers, capacity: capacity)
  }

  /// A decoder that has read nothing.
  ///
  /// - Parameters:
  ///   - layers: The model's.
  ///   - capacity: Tokens it can read, from 1 to the model's context.
  ///   - scratch: A workspace's, which nothing else uses while the decoder reads; `nil` for one of its own.
  ///   - account: Is told of the bytes.
  package init(
    _ layers: DecodingLayers,
    capacity: Int,
    scratch: Floats? = nil,
    _ account: MemoryAccount? = nil
  ) {
    let shape = layers.parameters.shape
    precondition(capacity >= 1 && capacity <= shape.context, "\(capacity) of \(shape.context)")
    self.layers = layers
    self.shape = shape
    let rows = min(capacity, Self.chunk)
    func floats(_ count: Int) -> Floats { Floats(count, account) }
    cache = KeyValueCache(shape, capacity: capacity, account)
    logits = floats(shape.vocabulary)
    state = floats(rows * shape.width)
    normed = floats(rows * shape.width)
    attended = floats(rows * shape.width)
    queryKeyValue = floats(rows * 3 * shape.width)
    gateUp = floats(rows * 2 * shape.hidden)
    activated = floats(rows * shape.hidden)
    hidden = floats(shape.width)
    scores = floats(rows * capacity)
    inverse = floats(rows)
    self.scratch = scratch ?? floats(Self.scratch(shape))
    halting = shape.halts ? HaltingSums(shape, rows: rows, account) : nil
  }

  private static func scratch(_ shape: ModelShape) -> Int {
    let (width, hidden) = (shape.width, shape.hidden)
    let sizes = [
      (3 * width, width), (2 * hidden, width), (width, hidden), (shape.vocabulary, width),
    ]
    return sizes.reduce(0) { max($0, LinearLayer.scratch(outputs: $1.0, inputs: $1.1)) }
  }

  /// Bytes that a decoder holds, without making it.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - capacity: Tokens it could read.
  ///   - hasScratch: Whether the scratch is its own.
  /// - Returns: Bytes.
  package static func bytes(_ shape: ModelShape, capacity: Int, hasScratch: Bool = true) -> Int {
    let rows = min(capacity, chunk)
    let wide = (shape.halts ? 7 : 6) * shape.width + 3 * shape.hidden + capacity + 1
    let floats = rows * wide + shape.width + shape.vocabulary + (hasScratch ? scratch(shape) : 0)
    return KeyValueCache.bytes(shape, capacity: capacity) + floats * MemoryLayout<Float>.stride
  }

  /// Forgets all that was read, so that another text can be.
  package func forget() { count = 0 }

  /// Tokens it can read.
  package var capacity: Int { cache.capacity }

  /// Reads `tokens` after what was read before; `logits` then speak of the token after the last of them.
  ///
  /// - Parameters:
  ///   - tokens: At least one; all below the vocabulary, and not more than there is room for.
  ///   - isCancelled: Asked between chunks.
  /// - Returns: False when it was cancelled; then the decoder is of no more use.
  @discardableResult
  package func read(_ tokens: [Int32], isCancelled: () -> Bool = { false }) -> Bool {
    precondition(!tokens.isEmpty && count + tokens.count <= capacity)
    var start = 0
    while start < tokens.count {
      if start > 0, isCancelled() { return false }
      let end = min(start + Self.chunk, tokens.count)
      read(chunk: tokens[start..<end])
      start = end
    }
    return true
  }

  private func read(chunk tokens: ArraySlice<Int32>) {
    let rows = tokens.count
    let width = shape.width
    let weights = unsafe layers.parameters.values.start
    for (row, token) in tokens.enumerated() {
      precondition(token >= 0 && Int(token) < shape.vocabulary, "token \(token)")
      unsafe (state.start + row * width).update(from: weights + Int(token) * width, count: width)
    }
    halting?.begin(rows)
    for index in 0..<shape.layers {
      forward(block: index, rows)
      halting?.add(layer: index, rows, state, layers.parameters)
    }
    count += rows
    let last = unsafe (halting?.mixed ?? state).start + (rows - 1) * width
    unsafe forge_rms_norm(
      1,
      width,
      last,
      weights + layers.parameters.layout.finalNorm,
      shape.normEpsilon,
      hidden.start,
      inverse.start
    )
    layers.head.apply(1, hidden, logits, isAdded: false, scratch)
  }

  private func forward(block index: Int, _ rows: Int) {
    let block = layers.blocks[index]
    let offsets = layers.parameters.layout.blocks[index]
    let hidden = shape.hidden
    norm(rows, at: offsets.attentionNorm)
    block.queryKeyValue.apply(rows, normed, queryKeyValue, isAdded: false, scratch)
    rotate(rows)
    cache.store(queryKeyValue, rows: rows, at: count, block: index)
    for head in 0..<shape.heads {
      attend(block: index, head, rows)
    }
    quantize(rows, shape.width, attended)
    block.output.apply(rows, attended, state, isAdded: true, scratch)

    norm(rows, at: offsets.feedForwardNorm)
    block.gateUp.apply(rows, normed, gateUp, isAdded: false, scratch)
    for row in 0..<rows {
      let pair = unsafe gateUp.start + row * 2 * hidden
      unsafe forge_swiglu(hidden, pair, pair + hidden, activated.start + row * hidden)
    }
    quantize(rows, hidden, activated)
    block.down.apply(rows, activated, state, isAdded: true, scratch)
  }

  /// Sets `normed` from `state`, rounded as the model wants it.
  private func norm(_ rows: Int, at offset: Int) {
    unsafe forge_rms_norm(
      rows,
      shape.width,
      state.start,
      layers.parameters.values.start + offset,
      shape.normEpsilon,
      normed.start,
      inverse.start
    )
    quantize(rows, shape.width, normed)
  }

  private func quantize(_ rows: Int, _ width: Int, _ values: Floats) {
    guard shape.quantizesActivations else { return }
    unsafe forge_quantize_rows(rows, width, values.start)
  }

  private func rotate(_ rows: Int) {
    let rotary = layers.rotary
    let first = count * shape.headWidth / 2
    // Query and key stand beside each other: twice the heads.
    unsafe forge_rope(
      rows,
      2 * shape.heads,
      shape.headWidth,
      queryKeyValue.start,
      3 * shape.width,
      rotary.cosine.start + first,
      rotary.sine.start + first,
      1
    )
  }

  private var scale: Float { 1 / Float(shape.headWidth).squareRoot() }

  /// One head of the rows of a chunk: softmax(q kᵀ / √d) v.
  private func attend(block: Int, _ head: Int, _ rows: Int) {
    let width = shape.headWidth
    let seen = count + rows
    let values = unsafe cache.values(block: block, head: head)
    score(block: block, head, rows)
    unsafe forge_gemm(
      rows,
      width,
      seen,
      scores.start,
      seen,
      1,
      values,
      width,
      1,
      0,
      attended.start + head * width,
      shape.width,
      scratch.start
    )
  }

  /// Sets `scores` to softmax(q kᵀ / √d): a row for each query, with a number for each token up to the last of the chunk.
  private func score(block: Int, _ head: Int, _ rows: Int) {
    let width = shape.headWidth
    let seen = count + rows
    let keys = unsafe cache.keys(block: block, head: head)
    let query = unsafe queryKeyValue.start + head * width
    if rows == 1 {
      unsafe forge_gemv(seen, width, keys, query, scores.start)
      unsafe forge_softmax(seen, scale, scores.start)
      return
    }
    unsafe forge_gemm(
      rows,
      seen,
      width,
      query,
      3 * shape.width,
      1,
      keys,
      1,
      width,
      0,
      scores.start,
      seen,
      scratch.start
    )
    unsafe forge_causal_softmax(rows, seen, count, scale, scores.start, seen, inverse.start)
  }
}

/// The mean over the layers that adaptive halting reads (`HaltingStates`), summed layer by layer.
final class HaltingSums {
  /// `[rows, width]`.
  let mixed: Floats
  private let width, layers: Int
  private var sums: [Float]
  private var isDone: [Bool]

  init(_ shape: ModelShape, rows: Int, _ account: MemoryAccount?) {
    mixed = Floats(rows * shape.width, account)
    width = shape.width
    layers = shape.layers
    sums = Array(repeating: 0, count: rows)
    isDone = Array(repeating: false, count: rows)
  }

  func begin(_ rows: Int) {
    mixed.clear()
    for row in 0..<rows {
      sums[row] = 0
      isDone[row] = false
    }
  }

  /// Adds the share of `layer`, whose output is `state`.
  func add(layer: Int, _ rows: Int, _ state: Floats, _ parameters: Parameters) {
    guard let unit = parameters.layout.halting else {
      preconditionFailure("the model has no halting unit")
    }
    let weight = unsafe parameters.values.start + unit
    let bias = parameters.values[unit + width]
    for row in 0..<rows where !isDone[row] {
      let own = unsafe state.start + row * width
      let p =
        layer == layers - 1 ? 1 : unsafe 1 / (1 + exp(-(forge_dot(width, weight, own) + bias)))
      isDone[row] = sums[row] + p >= HaltingStates.threshold
      let share = isDone[row] ? 1 - sums[row] : p
      sums[row] += share
      unsafe forge_axpy(width, share, own, mixed.start + row * width)
    }
  }
}
