import CForge

/// Lets a model go on with a text, as a training phase asks it: every token may be said, and nothing but the temperature
/// changes what is likely.
package enum Continuation {
  /// How the next token is taken.
  package enum Choice: Sendable, Equatable {
    /// The likeliest.
    case greedy
    /// Drawn from the softmax of the logits over the temperature, which is above 0.
    case sampled(temperature: Float)
  }

  /// What follows a prompt.
  ///
  /// - Parameters:
  ///   - prompt: At least one token; after one that the decoder has no room for, nothing follows.
  ///   - limit: The most tokens to add, at least 1.
  ///   - stop: Ends the text and is not part of the result; `nil` for none.
  ///   - choice: How tokens are taken.
  ///   - generator: Drawn from once for each sampled token.
  ///   - decoder: Of the model; forgets what it has read. The text ends where it is full.
  /// - Returns: The new tokens, and whether `stop` ended them.
  package static func extend(
    _ prompt: [Int32],
    by limit: Int,
    until stop: Int32? = nil,
    _ choice: Choice,
    _ generator: inout Generator,
    _ decoder: Decoder
  ) -> (tokens: [Int32], isWhole: Bool) {
    guard prompt.count <= decoder.capacity else { return ([], false) }
    decoder.forget()
    decoder.read(prompt)
    var tokens: [Int32] = []
    while true {
      let token = take(choice, &generator, decoder.logits)
      if token == stop { return (tokens, true) }
      tokens.append(token)
      guard tokens.count < limit, decoder.count < decoder.capacity else { return (tokens, false) }
      decoder.read([token])
    }
  }

  /// One token; the logits are written over.
  private static func take(
    _ choice: Choice,
    _ generator: inout Generator,
    _ scores: Floats
  ) -> Int32 {
    let count = scores.count
    let logits = unsafe UnsafeMutableBufferPointer(start: scores.start, count: count)
    switch choice {
    case .greedy:
      var best = 0
      for index in 1..<count where unsafe logits[index] > logits[best] { best = index }
      return Int32(best)
    case .sampled(let temperature):
      unsafe forge_softmax(count, 1 / temperature, scores.start)
      var left = Float(generator.uniform())
      for index in 0..<count {
        unsafe left -= logits[index]
        if left < 0 { return Int32(index) }
      }
      // Rounding may leave a little: the last token that has any probability takes it.
      return Int32((unsafe logits.lastIndex { $0 > 0 }) ?? 0)
    }
  }
}
