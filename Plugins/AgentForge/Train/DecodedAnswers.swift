/// What a model answers when a phase asks it, read token by token with a `Decoder`.
///
/// Unlike in a conversation, the specials of tool calls and thoughts may be said too.
package struct DecodedAnswers: Sendable {
  /// Ends an answer; not part of it.
  private static let ends: Set<Int32> = [Special.endOfTurn.id, Special.endOfText.id]

  private let model: RunnableModel

  /// Answers of `model`, with its numbers as they are when it is asked.
  package init(_ model: LanguageModel) { self.model = RunnableModel(model) }

  /// Bytes that one answer holds while it is made; no account is told of them.
  package static func bytes(_ shape: ModelShape) -> Int {
    Decoder.bytes(shape, capacity: shape.context)
  }

  /// Tokens that follow a prompt, until the turn, the text or the model's context ends.
  ///
  /// - Parameters:
  ///   - prompt: At least one token; of one that is too long for the context the end is read.
  ///   - limit: The most tokens of the answer.
  ///   - temperature: 0 takes the likeliest token each time; above it tokens are drawn.
  ///   - seed: Decides what is drawn.
  /// - Returns: The answer without the end token.
  /// - Throws: `RunFailure` when the model's scores are no numbers.
  package func tokens(
    after prompt: [Int32],
    limit: Int,
    temperature: Double = 0,
    seed: UInt64 = 0
  ) throws(RunFailure) -> [Int32] {
    let shape = model.model.shape
    let read = Array(prompt.suffix(max(shape.context - 1, 1)))
    var sampling = Sampling()
    (sampling.temperature, sampling.seed) = (temperature, seed)
    var sampler = Sampler(
      sampling,
      vocabulary: shape.vocabulary,
      allowed: Set(Special.allCases)
    )
    let decoder = Decoder(model, capacity: min(read.count + limit, shape.context))
    decoder.read(read)
    var answer: [Int32] = []
    while answer.count < limit {
      let token: Int32
      do { token = try sampler.choose(decoder.logits).token } catch {
        throw RunFailure("\(error)")
      }
      if Self.ends.contains(token) { break }
      answer.append(token)
      guard decoder.count < decoder.capacity else { break }
      decoder.read([token])
    }
    return answer
  }
}
