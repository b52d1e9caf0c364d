import Testing

@testable import AgentForge

@Suite("Stop strings")
struct StopStringsTests {
  /// All that is said, when `text` comes cut at the given places.
  static func said(_ text: String, _ stops: [String], pieces: Int) -> (text: String, isEnd: Bool) {
    var stop = StopStrings(stops)
    var all = ""
    let characters = Array(text)
    for start in stride(from: 0, to: characters.count, by: pieces) {
      let piece = String(characters[start..<min(start + pieces, characters.count)])
      let (said, isEnd) = stop.append(piece)
      all += said
      if isEnd { return (all, true) }
    }
    return (all + stop.finish(), false)
  }

  @Test("a text ends before the first of them, cut into pieces of any size", arguments: 1...9)
  func endsBeforeTheFirst(pieces: Int) {
    for (text, stops, expected, isEnd) in [
      ("one two three", ["two"], "one ", true), ("aaab", ["aab"], "a", true),
      ("ab", ["abc"], "ab", false), ("", ["x"], "", false), ("xyz", [], "xyz", false),
      ("abcd", ["cd", "bc"], "a", true), ("é—ü", ["—"], "é", true),
      ("no END yet EN", ["END "], "no ", true),
      ("\n\n\nx", ["\n\n"], "", true), ("abab!", ["abb", "bab!"], "a", true),
    ] as [(String, [String], String, Bool)] {
      #expect(Self.said(text, stops, pieces: pieces) == (expected, isEnd), "\(text)")
    }
  }

  @Test("only what could begin one is held back")
  func littleIsHeldBack() {
    var stop = StopStrings(["END"])
    #expect(stop.append("the E") == ("the ", false))
    #expect(stop.append("N") == ("", false))
    #expect(stop.append("E") == ("EN", false))
    #expect(stop.finish() == "E")
  }
}

@Suite("Answers")
struct GenerationTests {
  static func answer(
    _ model: LanguageModel,
    _ change: (inout GenerationOptions) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> (made: Generation, pieces: [String]) {
    var options = GenerationOptions()
    options.sampling.temperature = 0
    change(&options)
    var pieces: [String] = []
    let prompt = Prompt([Turn(.user, "Q")], for: model, maxTokens: options.maxTokens)
    let made = try Generation(
      answering: prompt,
      with: RunnableModel(model),
      options,
      isCancelled: isCancelled
    ) { pieces.append($0) }
    return (made, pieces)
  }

  @Test("the text is said in whole characters until the turn ends")
  func endsWithTheTurn() throws {
    let (made, pieces) = try Self.answer(TestModel.answering("ab é€!"))
    #expect(made.text == "ab é€!" && made.finish == .stop)
    #expect(pieces == ["a", "b", " ", "é", "€", "!"])
    #expect(made.promptTokens == 4 && made.completionTokens == 10)
    #expect(made.confidence > 0.5 && made.confidence <= 1)
    #expect(made.readTime > 0 && made.drawTime > 0 && made.tokensPerSecond > 0)
  }

  @Test("max_tokens holds at its edge", arguments: [(3, FinishReason.length), (4, .stop)])
  func maxTokensHolds(most: Int, finish: FinishReason) throws {
    let (made, _) = try Self.answer(TestModel.answering("abc")) { $0.maxTokens = most }
    #expect(made.text == "abc" && made.finish == finish && made.completionTokens == most)
  }

  @Test("the speed is that of the tokens after the first")
  func theFirstTokenIsNotDrawn() throws {
    for most in 1...3 {
      let (made, _) = try Self.answer(TestModel.answering("abc")) { $0.maxTokens = most }
      let speed = Double(most - 1) * 1e9 / Double(made.drawTime)
      #expect(made.tokensPerSecond == speed && (most > 1) == (speed > 0))
    }
  }

  @Test("a text goes on to the context's end and no further")
  func contextEnds() throws {
    let model = TestModel.saying([Special.assistant.id, 97], context: 16)
    let (made, _) = try Self.answer(model) { $0.maxTokens = 4096 }
    #expect(made.finish == .length && made.promptTokens + made.completionTokens == 16)
    #expect(made.text == String(repeating: "a", count: 12))
  }

  @Test("a stop string over several tokens never leaks")
  func stopStringsNeverLeak() throws {
    let (made, pieces) = try Self.answer(TestModel.answering("answer")) { $0.stop = ["wer"] }
    #expect(made.text == "ans" && pieces.joined() == "ans" && made.finish == .stop)
  }

  @Test("a character that max_tokens cuts is replaced, not sent in half")
  func cutCharactersAreReplaced() throws {
    let (made, pieces) = try Self.answer(TestModel.answering("a€")) { $0.maxTokens = 3 }
    #expect(made.text == "a\u{FFFD}" && pieces == ["a", "\u{FFFD}"])
  }

  @Test("a cancelled answer ends before the next token", arguments: 0...4)
  func cancelling(after: Int) throws {
    var asked = 0
    let (made, _) = try Self.answer(
      TestModel.answering("abcdef"),
      isCancelled: {
        asked += 1
        return asked > after + 1
      }
    )
    #expect(made.finish == .cancelled && made.completionTokens == after)
  }

  @Test("with a seed an answer is repeatable, and stays within the vocabulary's text")
  func seedsRepeat() throws {
    let model = TestModel.random(context: 64)
    func text(_ seed: UInt64) throws -> String {
      try Self.answer(model) {
        $0.sampling.temperature = 1; $0.sampling.seed = seed
      }.made.text
    }
    #expect(try text(1) == text(1))
    #expect(try text(1) != text(2))
  }

  @Test("damaged weights are an error, not a text")
  func damageIsAnError() {
    let model = TestModel.random()
    model.parameters.values[model.parameters.layout.finalNorm] = .nan
    #expect(throws: SamplerError.self) { try Self.answer(model) }
  }
}
