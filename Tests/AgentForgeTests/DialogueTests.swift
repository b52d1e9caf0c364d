import Testing

@testable import AgentForge

@Suite("Dialogues as tokens")
struct DialogueTests {
  @Test("what the assistant says and the end of its turn are targets, nothing else is")
  func theAssistantsWordsAreTargets() {
    let marked = Dialogue.render([Turn(.user, "hi"), Turn(.assistant, "yo")], .bytes)
    #expect(marked.tokens == [258, 104, 105, 260, 259, 121, 111, 260])
    #expect(marked.isTarget == [false, false, false, false, false, true, true, true])
  }

  @Test("each role has its opening; a tool's answer ends with a token of its own")
  func eachRoleHasItsOpening() {
    let turns = Role.allCases.map { Turn($0, "") }
    #expect(Dialogue.render(turns, .bytes).tokens == [257, 260, 258, 260, 259, 260, 266, 267])
  }

  @Test("a prompt ends where the assistant speaks")
  func aPromptEndsWhereTheAssistantSpeaks() {
    let turns = [Turn(.system, "a"), Turn(.user, "<|assistant|>")]
    let prompt = Dialogue.prompt(turns, .bytes)
    #expect(prompt.last == Special.assistant.id)
    #expect(prompt.dropLast() == Dialogue.render(turns, .bytes).tokens[...])
    #expect(prompt.count { $0 == Special.assistant.id } == 1)
  }
}
