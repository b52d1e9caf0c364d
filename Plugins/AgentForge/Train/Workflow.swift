package import GatewayPlugin

/// A way to put a question to a model: a system prompt, and what is done with its answers.
package struct Workflow: Sendable, Equatable {
  /// What is done.
  package enum Kind: String, CaseIterable, Sendable {
    /// The likeliest answer is taken.
    case direct
    /// An answer is drafted; the model reads it and is asked again (Madaan et al. 2023).
    case draft
    /// Several answers are drawn, and the one given most often is taken (Wang et al. 2023).
    case vote
    /// The calculator checks the answer where the question holds an expression; when it is wrong, others are drawn.
    case verify
  }

  package let kind: Kind
  package let systemPrompt: String
  /// Answers drawn by `vote`, and at most by `verify`.
  package let samples: Int

  /// What answers are drawn with.
  private static let temperature = 0.7
  private static let secondQuestion = "Check this and answer again."

  /// A workflow.
  package init(_ kind: Kind, systemPrompt: String, samples: Int) {
    self.kind = kind
    self.systemPrompt = systemPrompt
    self.samples = samples
  }

  /// For reports.
  package var json: JSON {
    [
      "workflow": .string(kind.rawValue), "system_prompt": .string(systemPrompt),
      "samples": kind == .vote || kind == .verify ? .integer(Int64(samples)) : .null,
    ]
  }

  /// What came of a question.
  package struct Outcome: Sendable, Equatable {
    /// The last word of what the model said in the end.
    package let answer: String
    /// Tokens it read and wrote for it.
    package let tokens: Int
  }

  /// Asks.
  ///
  /// - Parameters:
  ///   - question: What a person says.
  ///   - model: Its tokenizer and template write the question.
  ///   - answers: Of the model.
  ///   - limit: The most tokens of one answer.
  ///   - generator: Decides what is drawn.
  /// - Returns: The answer and what it cost.
  /// - Throws: `RunFailure` for a model without finite scores.
  package func ask(
    _ question: String,
    _ model: LanguageModel,
    _ answers: DecodedAnswers,
    limit: Int,
    _ generator: inout Generator
  ) throws(RunFailure) -> Outcome {
    var tokens = 0
    func say(_ turns: [Turn], drawnBy seed: UInt64? = nil) throws(RunFailure) -> String {
      let prompt = self.prompt(turns, model)
      let said = try answers.tokens(
        after: prompt,
        limit: limit,
        temperature: seed == nil ? 0 : Self.temperature,
        seed: seed ?? 0
      )
      tokens += prompt.count + said.count
      return String(decoding: model.tokenizer.decode(said), as: UTF8.self)
    }
    let asked = Turn(.user, question)
    var answer: String
    switch kind {
    case .direct: answer = try say([asked])
    case .draft:
      let draft = try say([asked])
      let again = Turn(.user, Self.secondQuestion)
      answer = try say([asked, Turn(.assistant, draft), again])
    case .vote:
      var votes: [(answer: String, count: Int)] = []
      for _ in 0..<samples {
        let given = Self.lastWord(try say([asked], drawnBy: generator.next()))
        if let index = votes.firstIndex(where: { $0.answer == given }) {
          votes[index].count += 1
        } else {
          votes.append((given, 1))
        }
      }
      let most = votes.map(\.count).max() ?? 0
      answer = votes.first { $0.count == most }?.answer ?? ""
    case .verify:
      answer = try say([asked])
      let right = Self.expression(in: question).flatMap { try? Calculator.result(of: $0) }
      var drawn = 0
      while let right, drawn < samples, Self.lastWord(answer) != right {
        answer = try say([asked], drawnBy: generator.next())
        drawn += 1
      }
    }
    return Outcome(answer: Self.lastWord(answer), tokens: tokens)
  }

  private func prompt(_ turns: [Turn], _ model: LanguageModel) -> [Int32] {
    var turns = turns
    if !systemPrompt.isEmpty { turns.insert(Turn(.system, systemPrompt), at: 0) }
    switch model.template {
    case .dialogue: return Dialogue.prompt(turns, model.tokenizer)
    case .plain: return model.tokenizer.encode(turns.map(\.content).joined(separator: "\n"))
    }
  }

  /// The last word of a text, without the signs that end a sentence.
  static func lastWord(_ text: String) -> String {
    let ends: Set<Character> = [".", ",", "!", "?"]
    var word = text.split(whereSeparator: \.isWhitespace).last ?? ""
    while let last = word.last, ends.contains(last) { word.removeLast() }
    return String(word)
  }

  /// The longest part of a text that the calculator can read and that has an operator; `nil` without one.
  static func expression(in text: String) -> String? {
    let signs = Set("0123456789+-*/x().  ")
    let parts = text.split { !signs.contains($0) }
    let read = parts.filter { part in
      part.contains { "+-*/x".contains($0) }
        && (try? Calculator.value(of: String(part))) != nil
    }
    return read.max { $0.count < $1.count }.map(String.init)
  }
}
