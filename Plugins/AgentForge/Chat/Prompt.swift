/// What a model reads before it answers.
package struct Prompt: Sendable, Equatable {
  /// At least one, and fewer than the model's context.
  package let tokens: [Int32]
  /// Whether a part of the system prompt or of the last turn had to be left out.
  package let isTruncated: Bool

  /// Lays out turns as the model is talked to, so that an answer of `maxTokens` fits behind them in the context.
  ///
  /// At most half of the context is kept free for the answer. What does not fit is left out in this order: the oldest
  /// turns, the system prompt, the start of the last turn.
  ///
  /// - Parameters:
  ///   - turns: Oldest first; the last is what is to be answered. Those of the role `system` all count as instructions.
  ///   - model: Who answers; its own system prompt goes first.
  ///   - maxTokens: Of the answer, at least 1.
  package init(_ turns: [Turn], for model: LanguageModel, maxTokens: Int) {
    let context = model.shape.context
    let room = context - min(maxTokens, context / 2)
    switch model.template {
    case .plain: self.init(plain: turns, model.tokenizer, room)
    case .dialogue: self.init(dialogue: turns, model, room)
    }
  }

  private init(_ tokens: [Int32], isTruncated: Bool) {
    self.tokens = tokens
    self.isTruncated = isTruncated
  }

  /// The texts, with line breaks between.
  private init(plain turns: [Turn], _ tokenizer: Tokenizer, _ room: Int) {
    let last = tokenizer.encode(turns.last?.content ?? "")
    guard last.count < room else {
      self.init(Array(last.suffix(room)), isTruncated: last.count > room)
      return
    }
    var tokens = last
    for turn in turns.dropLast().reversed() {
      let more = tokenizer.encode(turn.content + "\n")
      if more.count + tokens.count > room { break }
      tokens = more + tokens
    }
    // The end of a document is what stands before a new one.
    self.init(tokens.isEmpty ? [Special.endOfText.id] : tokens, isTruncated: false)
  }

  /// Turns between special tokens, and the one that lets the assistant speak.
  private init(dialogue turns: [Turn], _ model: LanguageModel, _ room: Int) {
    let tokenizer = model.tokenizer
    let instructions = [model.systemPrompt] + turns.filter { $0.role == .system }.map(\.content)
    let system = instructions.filter { !$0.isEmpty }.joined(separator: "\n")
    var spoken = turns.filter { $0.role != .system }
    let last = spoken.popLast() ?? Turn(.user, "")
    // The token that opens the answer takes one place.
    var left = room - 1
    var isTruncated = false
    var opening: [Int32] = []
    if !system.isEmpty {
      opening = Dialogue.render([Turn(.system, system)], tokenizer).tokens
      if opening.count > left / 2 {
        opening = []
        isTruncated = true
      }
      left -= opening.count
    }
    let content = tokenizer.encode(last.content)
    let kept = content.suffix(max(0, left - 2))
    isTruncated = isTruncated || kept.count < content.count
    var tokens = [last.role.opening.id] + kept + [last.role.closing.id]
    left -= tokens.count
    for turn in spoken.reversed() {
      let more = Dialogue.render([turn], tokenizer).tokens
      if more.count > left { break }
      left -= more.count
      tokens = more + tokens
    }
    self.init(opening + tokens + [Special.assistant.id], isTruncated: isTruncated)
  }
}
