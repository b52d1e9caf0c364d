import PluginStorage

/// What is wanted of one answer.
package struct GenerationOptions: Sendable, Equatable {
  /// At most so many tokens, 1 or more.
  package var maxTokens = 256
  /// The answer ends before the first of these.
  package var stop: [String] = []
  /// How tokens are chosen.
  package var sampling = Sampling()

  package init() {}
}

/// Why an answer ended.
package enum FinishReason: String, Sendable {
  /// The model said so, or a stop string came.
  case stop
  /// `maxTokens` or the context's end was reached.
  case length
  /// Nobody wants it any more.
  case cancelled
}

/// An answer and what was measured while it was made.
package struct Generation: Sendable, Equatable {
  /// All of the text.
  package var text = ""
  /// Tokens of the prompt.
  package let promptTokens: Int
  /// Tokens that were drawn, with the one that ended the answer.
  package var completionTokens = 0
  /// Why it ended.
  package var finish: FinishReason = .length
  /// Nanoseconds that reading the prompt took, and drawing the tokens.
  package var readTime: UInt64 = 0
  package var drawTime: UInt64 = 0
  /// Nanoseconds of processor time that both took.
  package var processorTime: UInt64 = 0
  /// The mean of the probabilities that the model gave the drawn tokens; 0 without any.
  package var confidence = 0.0

  /// Tokens drawn in a second after the first one, which reading the prompt has paid for; 0 when that is all.
  package var tokensPerSecond: Double {
    drawTime == 0 ? 0 : Double(max(completionTokens - 1, 0)) * 1e9 / Double(drawTime)
  }

  /// Lets `model` answer.
  ///
  /// - Parameters:
  ///   - prompt: Shorter than the model's context.
  ///   - model: Who answers.
  ///   - options: What is wanted.
  ///   - isCancelled: Asked before each token.
  ///   - say: Gets the text piece by piece, each of whole characters and not empty.
  /// - Throws: `SamplerError`, or what `say` threw.
  package init(
    answering prompt: Prompt,
    with model: RunnableModel,
    _ options: GenerationOptions,
    isCancelled: () -> Bool = { false },
    say: (String) throws -> Void = { _ in }
  ) throws {
    let shape = model.model.shape
    promptTokens = prompt.tokens.count
    precondition(options.maxTokens >= 1 && promptTokens >= 1 && promptTokens < shape.context)
    let most = min(options.maxTokens, shape.context - promptTokens)
    let start = Clock.monotonic()
    // A decoder computes on the thread that asks it.
    let time = ProcessorTime()
    defer { processorTime = time.nanoseconds }
    let decoder = Decoder(model, capacity: promptTokens + most)
    guard !isCancelled(), decoder.read(prompt.tokens, isCancelled: isCancelled) else {
      finish = .cancelled
      return
    }
    let read = Clock.monotonic()
    readTime = read - start
    try draw(at: most, decoder, model.model.tokenizer, prompt, options, isCancelled, say)
    drawTime = Clock.monotonic() - read
  }

  private mutating func draw(
    at most: Int,
    _ decoder: Decoder,
    _ tokenizer: Tokenizer,
    _ prompt: Prompt,
    _ options: GenerationOptions,
    _ isCancelled: () -> Bool,
    _ say: (String) throws -> Void
  ) throws {
    var sampler = Sampler(options.sampling, vocabulary: decoder.logits.count)
    sampler.note(prompt.tokens)
    var texts = TextDecoder(tokenizer)
    var stops = StopStrings(options.stop)
    var probabilities = 0.0
    var last: Int32?
    func add(_ piece: String, _ text: inout String) throws {
      guard !piece.isEmpty else { return }
      text += piece
      try say(piece)
    }
    while completionTokens < most {
      if isCancelled() {
        finish = .cancelled
        return
      }
      if let last { decoder.read([last]) }
      let choice = try sampler.choose(decoder.logits)
      last = choice.token
      completionTokens += 1
      probabilities += choice.probability
      confidence = probabilities / Double(completionTokens)
      if choice.token == Special.endOfTurn.id || choice.token == Special.endOfText.id {
        finish = .stop
        break
      }
      let (piece, isEnd) = stops.append(texts.append(choice.token))
      try add(piece, &text)
      if isEnd {
        finish = .stop
        return
      }
    }
    let (piece, isEnd) = stops.append(texts.finish())
    try add(piece, &text)
    if isEnd { finish = .stop } else { try add(stops.finish(), &text) }
  }
}
