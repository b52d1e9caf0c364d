package import GatewayPlugin

/// Dialogues with tools and about a persona as tokens, each with the system prompt before it, if there is one.
package struct Lessons: Sendable {
  /// Put before each dialogue; empty for none.
  package let systemPrompt: String
  private let tokenizer: Tokenizer

  /// Lessons in the words of `tokenizer`.
  package init(_ tokenizer: Tokenizer, systemPrompt: String) {
    self.tokenizer = tokenizer
    self.systemPrompt = systemPrompt
  }

  /// A dialogue with a tool; what the assistant says, the call among it, are the targets.
  package func marked(_ dialogue: ToolDialogue) -> MarkedTokens {
    var marked = opening(dialogue.question)
    marked.append(.assistant, isTarget: false)
    marked.append(.toolCall, isTarget: true)
    marked.append(tokenizer.encode(dialogue.call.bytes), isTarget: true)
    marked.append(.endOfToolCall, isTarget: true)
    marked.append(.endOfTurn, isTarget: true)
    marked.append(.toolResult, isTarget: false)
    marked.append(tokenizer.encode(dialogue.result), isTarget: false)
    marked.append(.endOfToolResult, isTarget: false)
    append(answer: dialogue.answer, to: &marked)
    return marked
  }

  /// A question about the persona and its answer, which is the target.
  package func marked(_ question: PersonaQuestion) -> MarkedTokens {
    var marked = opening(question.question)
    append(answer: question.answer, to: &marked)
    return marked
  }

  /// What a model continues with a call, or with an answer.
  package func prompt(_ question: String) -> [Int32] {
    opening(question).tokens + [Special.assistant.id]
  }

  /// What a model continues with an answer once the tool has given its result.
  package func promptAfterResult(_ dialogue: ToolDialogue) -> [Int32] {
    let tokens = marked(dialogue).tokens
    let end = tokens.lastIndex(of: Special.assistant.id) ?? tokens.count - 1
    return Array(tokens[...end])
  }

  private func opening(_ question: String) -> MarkedTokens {
    var turns = [Turn(.user, question)]
    if !systemPrompt.isEmpty { turns.insert(Turn(.system, systemPrompt), at: 0) }
    return Dialogue.render(turns, tokenizer)
  }

  private func append(answer: String, to marked: inout MarkedTokens) {
    marked.append(.assistant, isTarget: false)
    marked.append(tokenizer.encode(answer), isTarget: true)
    marked.append(.endOfTurn, isTarget: true)
  }
}

/// Batches of whole lessons, some rows of plain text among them so that what was known stays known.
package struct LessonRows: BatchSource {
  private let lessons: [MarkedTokens]
  private let fingerprint: String
  private let replayShare: Double
  private var replay: RandomWindows
  private var generator: Generator

  /// Rows of lessons and of text.
  ///
  /// - Parameters:
  ///   - lessons: At least one, none longer than a row.
  ///   - fingerprint: Of what they were made from.
  ///   - replay: Gives the rows of text.
  ///   - replayShare: With which probability a row is one of text, 0...1.
  ///   - seed: Decides the order.
  package init(
    _ lessons: [MarkedTokens],
    fingerprint: String,
    replay: RandomWindows,
    replayShare: Double,
    seed: UInt64
  ) {
    precondition(!lessons.isEmpty, "no lessons")
    self.lessons = lessons
    self.fingerprint = fingerprint
    self.replay = replay
    self.replayShare = replayShare
    generator = Generator(seed: seed, stream: 0x4C45_5353)
  }

  /// The next batch; a row of lessons begins with one and has as many as fit whole.
  package mutating func next(rows: Int, length: Int) -> Batch {
    var tokens: [Int32] = []
    var targets: [Int32] = []
    for _ in 0..<rows {
      let row =
        generator.uniform() < replayShare
        ? replay.next(rows: 1, length: length) : Batch([packed(length)], length: length)
      tokens += row.tokens
      targets += row.targets
    }
    return Batch(rows: rows, length: length, tokens: tokens, targets: targets)
  }

  private mutating func packed(_ length: Int) -> MarkedTokens {
    var row = lessons[generator.below(lessons.count)]
    while true {
      let next = lessons[generator.below(lessons.count)]
      guard row.tokens.count + next.tokens.count <= length else { return row }
      row.append(next)
    }
  }

  package var state: JSON {
    [
      "lessons": .string(fingerprint), "replay": replay.state,
      "generator": .array(generator.state.map { .integer(Int64(bitPattern: $0)) }),
    ]
  }

  package mutating func restore(_ state: JSON) throws {
    guard state["lessons"]?.asString == fingerprint else {
      throw DataError.badState("it belongs to other lessons")
    }
    let words = state["generator"]?.asArray?.compactMap(\.asInteger) ?? []
    guard let generator = Generator(state: words.map { UInt64(bitPattern: $0) }) else {
      throw DataError.badState("`generator` is not four words, one of them other than 0")
    }
    try replay.restore(state["replay"] ?? .null)
    self.generator = generator
  }
}
