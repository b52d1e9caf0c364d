import GatewayPlugin

/// A question that a tool answers: how it is called, what it gives, and what is then said.
package struct ToolDialogue: Sendable, Equatable {
  package let question: String
  package let call: ToolCall
  package let result: String
  package let answer: String

  /// Whether an answer passes on the result: it holds it as whole words, more often than the question does.
  ///
  /// In "7 * 1 is 8." the 7 comes from the question.
  package func passesResult(_ answer: String) -> Bool {
    let wanted = Self.words(result)
    return Self.count(wanted, in: Self.words(answer)) > Self.count(wanted, in: Self.words(question))
  }

  /// The words of a text, without the signs at their ends.
  private static func words(_ text: String) -> [Substring] {
    text.split(separator: " ").map { word in
      var word = word
      while let last = word.last, ".,:?!".contains(last) { word.removeLast() }
      return word
    }
  }

  private static func count(_ some: [Substring], in words: [Substring]) -> Int {
    guard !some.isEmpty, words.count >= some.count else { return 0 }
    return (0...(words.count - some.count)).count {
      words[$0..<($0 + some.count)].elementsEqual(some)
    }
  }
}

/// Dialogues with tools, made from their declarations.
///
/// Some values and some ways to ask are held out: they stand in no dialogue to train on. Results of the calculator and
/// of conversions are computed; those of other tools are made up, since there is no such tool here, and teach that what
/// a tool gives is passed on.
package struct ToolDialogues: Sendable {
  private let tools: [Tool]
  private var generator: Generator
  private let isHeldOut: Bool
  private var made = 0

  /// Dialogues with `tools`, at least one.
  ///
  /// - Parameters:
  ///   - tools: In turn.
  ///   - seed: Decides them.
  ///   - isHeldOut: Whether they have what no dialogue to train on has. Every other one then also asks in a way that is
  ///     never trained on; each one of a tool whose values cannot be held out.
  package init(_ tools: [Tool], seed: UInt64, isHeldOut: Bool) {
    precondition(!tools.isEmpty, "no tools")
    self.tools = tools
    self.isHeldOut = isHeldOut
    generator = Generator(seed: seed, stream: isHeldOut ? 0x484F : 0x544F)
  }

  /// The next one.
  package mutating func next() -> ToolDialogue {
    let tool = tools[made % tools.count]
    let isEven = made / tools.count % 2 == 0
    made += 1
    let isOpen = tool.parameters.contains { $0.values.isEmpty && $0.kind != .boolean }
    let kind = SpokenTool(tool)
    let phrases = isHeldOut && (isEven || !isOpen) ? kind.heldOut : kind.trained
    var values = ToolValues(generator, isHeldOut: isHeldOut)
    let spoken = kind.speak(&values)
    generator = values.generator
    let phrase = phrases[generator.below(phrases.count)]
    return ToolDialogue(
      question: spoken.fill(phrase),
      call: ToolCall(name: tool.name, arguments: spoken.arguments),
      result: spoken.result,
      answer: spoken.answer
    )
  }
}

/// Draws values of parameters, some of which are kept for held-out dialogues.
struct ToolValues {
  var generator: Generator
  private let isHeldOut: Bool

  init(_ generator: Generator, isHeldOut: Bool) {
    self.generator = generator
    self.isHeldOut = isHeldOut
  }

  /// One of `words`; every fourth is held out.
  mutating func word(_ words: [String]) -> String {
    let some = words.indices.filter { ($0 % 4 == 3) == isHeldOut }
    return words[some[generator.below(some.count)]]
  }

  /// A whole number of 1...`limit`, at least 5; the multiples of 5 are held out.
  mutating func number(_ limit: Int) -> Int {
    while true {
      let number = 1 + generator.below(limit)
      if (number % 5 == 0) == isHeldOut { return number }
    }
  }

  /// A value of a declared parameter.
  mutating func value(of parameter: Tool.Parameter) -> JSON {
    if !parameter.values.isEmpty {
      return parameter.values[generator.below(parameter.values.count)]
    }
    switch parameter.kind {
    case .string: return .string(word(Self.words))
    case .integer: return .integer(Int64(number(99)))
    case .number: return .number(Double(number(99)) + 0.5)
    case .boolean: return .bool(generator.next() & 1 == 1)
    }
  }

  /// For parameters of which only the type is known.
  private static let words = [
    "apple", "river", "garden", "lamp", "stone", "paper", "green", "music", "summer", "window",
    "coffee", "train", "silver", "bread", "forest", "letter", "winter", "bridge", "candle", "ocean",
  ]
}
