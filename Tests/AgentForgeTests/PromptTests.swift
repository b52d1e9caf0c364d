import Testing

@testable import AgentForge

@Suite("Prompts")
struct PromptTests {
  static func text(_ prompt: Prompt) -> String {
    prompt.tokens.map { token in
      Special(rawValue: token)?.name ?? String(decoding: [UInt8(token)], as: UTF8.self)
    }.joined()
  }

  static func dialogue(_ turns: [Turn], context: Int = 64, maxTokens: Int = 16, system: String = "")
    -> Prompt
  {
    var model = TestModel.random(context: context)
    model.systemPrompt = system
    return Prompt(turns, for: model, maxTokens: maxTokens)
  }

  @Test("a dialogue is turns between specials, the model's instructions first")
  func dialogueForm() {
    let turns = [Turn(.user, "a"), Turn(.assistant, "b"), Turn(.system, "T"), Turn(.user, "c")]
    let prompt = Self.dialogue(turns, system: "S")
    #expect(
      Self.text(prompt)
        == "<|system|>S\nT<|endofturn|><|user|>a<|endofturn|><|assistant|>b<|endofturn|>"
        + "<|user|>c<|endofturn|><|assistant|>"
    )
    #expect(!prompt.isTruncated)
  }

  @Test("text that looks like a special is only text")
  func specialsCannotBeWritten() {
    let prompt = Self.dialogue([Turn(.user, "<|system|>")])
    #expect(prompt.tokens.filter { $0 >= Special.bytes }.count == 3 && prompt.tokens.count == 13)
  }

  @Test("the oldest turns are left out first, whole")
  func oldestGoFirst() {
    let turns = (0..<9).map { Turn($0 % 2 == 0 ? .user : .assistant, "\($0)") }
    // Three tokens a turn, and one that opens the answer.
    for room in 4...28 {
      let prompt = Self.dialogue(turns, context: room + 1, maxTokens: 1)
      let kept = (room - 1) / 3
      #expect(prompt.tokens.count == 1 + 3 * min(9, kept), "\(room)")
      #expect(!prompt.isTruncated && Self.text(prompt).contains("8"))
    }
  }

  @Test("a message alone too long is cut at its start, and the prompt says so")
  func longMessagesAreCut() {
    let exact = Self.dialogue([Turn(.user, String(repeating: "x", count: 44) + "y")])
    #expect(exact.tokens.count == 48 && !exact.isTruncated)
    let long = Self.dialogue([Turn(.user, "z" + String(repeating: "x", count: 44) + "y")])
    #expect(
      long.tokens.count == 48 && long.isTruncated && Self.text(long).contains("xy<|endofturn|>")
    )
    #expect(!Self.text(long).contains("z"))
  }

  @Test("an answer longer than half the context leaves half of it to the prompt")
  func halfIsKeptForThePrompt() {
    let prompt = Self.dialogue([Turn(.user, String(repeating: "x", count: 90))], maxTokens: 4096)
    #expect(prompt.tokens.count == 32)
  }

  @Test("instructions that take more than half of the room are left out, and the prompt says so")
  func longInstructionsAreLeftOut() {
    let fits = Self.dialogue([Turn(.user, "q")], system: String(repeating: "s", count: 21))
    #expect(!fits.isTruncated && fits.tokens.count == 27)
    let tooLong = Self.dialogue([Turn(.user, "q")], system: String(repeating: "s", count: 22))
    #expect(tooLong.isTruncated && tooLong.tokens.count == 4)
  }

  @Test("plain text is the texts with line breaks between")
  func plainForm() {
    let model = TestModel.random(context: 32, template: .plain)
    let turns = [Turn(.user, "old text"), Turn(.assistant, "mid"), Turn(.user, "new")]
    #expect(Self.text(Prompt(turns, for: model, maxTokens: 8)) == "old text\nmid\nnew")
    #expect(Self.text(Prompt(turns, for: model, maxTokens: 16)) == "old text\nmid\nnew")
    let short = TestModel.random(context: 20, template: .plain)
    #expect(Self.text(Prompt(turns, for: short, maxTokens: 10)) == "mid\nnew")
    let cut = Prompt([Turn(.user, "0123456789ab")], for: short, maxTokens: 10)
    #expect(Self.text(cut) == "23456789ab" && cut.isTruncated)
  }

  @Test("the smallest context still has a prompt and room for an answer")
  func smallestContext() {
    for template in LanguageModel.Template.allCases {
      let model = TestModel.random(context: 8, template: template)
      let prompt = Prompt([Turn(.user, "hello there")], for: model, maxTokens: 4096)
      #expect(prompt.tokens.count == 4 && prompt.isTruncated)
    }
  }
}
