/// Who speaks in a dialogue.
package enum Role: String, CaseIterable, Sendable {
  case system, user, assistant, tool

  /// The token before what they say.
  package var opening: Special {
    switch self {
    case .system: .system
    case .user: .user
    case .assistant: .assistant
    case .tool: .toolResult
    }
  }

  /// The token after what they say.
  package var closing: Special { self == .tool ? .endOfToolResult : .endOfTurn }
}

/// What one speaker says at once.
package struct Turn: Sendable, Hashable {
  package var role: Role
  package var content: String

  package init(_ role: Role, _ content: String) {
    self.role = role
    self.content = content
  }
}

/// Tokens, and which of them a model is to learn to say.
package struct MarkedTokens: Sendable, Equatable {
  package private(set) var tokens: [Int32] = []

  /// One for each token: whether it is a target.
  package private(set) var isTarget: [Bool] = []

  package init() {}

  /// Adds one special.
  package mutating func append(_ special: Special, isTarget target: Bool) {
    tokens.append(special.id)
    isTarget.append(target)
  }

  /// Adds all of `other`.
  package mutating func append(_ other: MarkedTokens) {
    tokens += other.tokens
    isTarget += other.isTarget
  }

  /// For each token the one after it, or −1 where that one is not to be learned; the last is −1.
  package var targets: [Int32] {
    zip(tokens, isTarget).dropFirst().map { $1 ? $0 : -1 } + (tokens.isEmpty ? [] : [-1])
  }

  /// Adds tokens that are all targets, or none of them.
  package mutating func append(_ added: [Int32], isTarget target: Bool) {
    tokens += added
    isTarget += repeatElement(target, count: added.count)
  }
}

/// Turns as tokens: `<|user|>text<|endofturn|><|assistant|>text<|endofturn|>`.
package enum Dialogue {
  /// The whole dialogue; targets are what the assistant says and the end of its turn.
  package static func render(_ turns: [Turn], _ tokenizer: Tokenizer) -> MarkedTokens {
    var marked = MarkedTokens()
    for turn in turns {
      let target = turn.role == .assistant
      marked.append(turn.role.opening, isTarget: false)
      marked.append(tokenizer.encode(turn.content), isTarget: target)
      marked.append(turn.role.closing, isTarget: target)
    }
    return marked
  }

  /// The dialogue so far and `<|assistant|>`, after which the model speaks.
  package static func prompt(_ turns: [Turn], _ tokenizer: Tokenizer) -> [Int32] {
    render(turns, tokenizer).tokens + [Special.assistant.id]
  }
}
