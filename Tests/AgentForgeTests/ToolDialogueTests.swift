import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Dialogues with tools")
struct ToolDialogueTests {
  private let switches = Tool(
    "lamp",
    "switches a lamp",
    [
      Tool.Parameter("on", .boolean), Tool.Parameter("room", .string, values: ["hall", "attic"]),
    ]
  )
  private let search = Tool(
    "search",
    "",
    [
      Tool.Parameter("text", .string), Tool.Parameter("limit", .integer),
      Tool.Parameter("x", .number),
    ]
  )

  private func dialogues(_ tools: [Tool], _ count: Int, isHeldOut: Bool, seed: UInt64 = 1)
    -> [ToolDialogue]
  {
    var source = ToolDialogues(tools, seed: seed, isHeldOut: isHeldOut)
    return (0..<count).map { _ in source.next() }
  }

  @Test("every call is one that its tool allows")
  func everyCallIsAllowed() throws {
    let tools = Tool.usual + [switches, search, Tool("now", "", [])]
    for dialogue in dialogues(tools, 400, isHeldOut: false) + dialogues(tools, 100, isHeldOut: true)
    {
      let tool = try #require(tools.first { $0.name == dialogue.call.name })
      let arguments = try #require(dialogue.call.arguments.asMembers)
      #expect(arguments.map(\.name) == tool.parameters.map(\.name))
      for (argument, parameter) in zip(arguments, tool.parameters) {
        #expect(parameter.allows(argument.value))
        // A model can only copy what was said.
        if parameter.kind == .string, let text = argument.value.asString {
          #expect(dialogue.question.contains(text), "\(dialogue.question)")
        }
      }
      #expect(!dialogue.question.contains("{"))
      #expect(dialogue.passesResult(dialogue.answer), "\(dialogue)")
    }
  }

  @Test("a result counts as passed on when it stands in the answer and did not in the question")
  func aResultIsPassedOn() {
    let dialogue = ToolDialogue(
      question: "What is 7 * 1?",
      call: ToolCall(name: "calculator", arguments: ["expression": "7 * 1"]),
      result: "7",
      answer: "7 * 1 is 7."
    )
    #expect(dialogue.passesResult("7 * 1 is 7."))
    #expect(dialogue.passesResult("It is 7: 7"))
    #expect(!dialogue.passesResult("7 * 1 is 8."))
    #expect(!dialogue.passesResult("It is 77."))
    #expect(!dialogue.passesResult(""))
  }

  @Test("no question to train on is among those held out, and all held-out values are new")
  func heldOutIsNew() {
    let tools = Tool.usual + [switches, search]
    let trained = dialogues(tools, 3000, isHeldOut: false)
    let held = dialogues(tools, 600, isHeldOut: true)
    let questions = Set(trained.map(\.question))
    #expect(held.allSatisfy { !questions.contains($0.question) })
    let cities = Set(trained.compactMap { $0.call.arguments["city"]?.asString })
    let others = Set(held.compactMap { $0.call.arguments["city"]?.asString })
    #expect(cities.count == 18)
    #expect(others.count == 6)
    #expect(cities.isDisjoint(with: others))
  }

  @Test("the calculator's results are those of the expression")
  func resultsAreComputed() throws {
    for dialogue in dialogues([Tool.usual[0]], 200, isHeldOut: false) {
      let expression = try #require(dialogue.call.arguments["expression"]?.asString)
      #expect(try Calculator.result(of: expression) == dialogue.result)
    }
    let miles = dialogues([Tool.usual[1]], 200, isHeldOut: false).first {
      $0.call.arguments["from"] == "km" && $0.call.arguments["value"] == 42
    }
    if let miles { #expect(miles.result == "26.1") }
  }

  @Test("the same seed makes the same dialogues")
  func theSameSeedMakesTheSame() {
    let one = dialogues(Tool.usual, 50, isHeldOut: false)
    #expect(one == dialogues(Tool.usual, 50, isHeldOut: false))
    #expect(one != dialogues(Tool.usual, 50, isHeldOut: false, seed: 2))
  }

  @Test("only what the assistant says is a target, its call among it")
  func onlyTheAssistantIsATarget() throws {
    let dialogue = ToolDialogue(
      question: "q",
      call: ToolCall(name: "t", arguments: ["a": 1]),
      result: "r",
      answer: "s"
    )
    let marked = Lessons(.bytes, systemPrompt: "p").marked(dialogue)
    let said = zip(marked.tokens, marked.isTarget).filter(\.1).map(\.0)
    var call: [Int32] = [Special.toolCall.id]
    call += Array(#"{"name":"t","arguments":{"a":1}}"#.utf8).map { Int32($0) }
    call.append(Special.endOfToolCall.id)
    let ending: [Int32] = [260, 115, 260]
    #expect(said == call + ending)
    var all: [Int32] = [257, 112, 260, 258, 113, 260, 259]
    all += call
    let rest: [Int32] = [260, 266, 114, 267, 259, 115, 260]
    all += rest
    #expect(marked.tokens == all)
    let lessons = Lessons(.bytes, systemPrompt: "")
    #expect(lessons.prompt("q") == [258, 113, 260, 259])
    #expect(lessons.promptAfterResult(dialogue) == Array(all[3..<(all.count - 2)]))
  }

  @Test("a call cut at any byte is none")
  func cutCallsAreNone() throws {
    let call = ToolCall(name: "weather", arguments: ["city": "Oslo"])
    let bytes = call.bytes
    for length in 0..<bytes.count { #expect(ToolCall(Array(bytes[..<length])) == nil) }
    #expect(ToolCall(bytes) == call)
    let inside = bytes.map { Int32($0) }
    let open = Special.toolCall.id
    let close = Special.endOfToolCall.id
    let whole: [Int32] = [open] + inside
    #expect(ToolCall(in: [65] + whole + [close], .bytes) == call)
    #expect(ToolCall(in: whole, .bytes) == nil)
    #expect(ToolCall(in: inside + [close], .bytes) == nil)
    #expect(ToolCall(in: [close] + whole, .bytes) == nil)
  }

  @Test(
    "what is no call",
    arguments: [
      "[]", "{}", #"{"name":1,"arguments":{}}"#, #"{"name":"a","arguments":[]}"#, #"{"name":"a"}"#,
      #"{"name":"a","arguments":{},"x":1}"#, #"{"name":"a","arguments":{}} "# + "x",
      #"{"name":"a","arguments":{"a":[[[[[[[[[1]]]]]]]]]}}"#,
    ]
  )
  func whatIsNoCall(text: String) { #expect(ToolCall(Array(text.utf8)) == nil) }

  @Test("arguments are right in any order, and not when one differs, lacks or is too many")
  func argumentsAreCompared() {
    func call(_ arguments: JSON) -> ToolCall { ToolCall(name: "t", arguments: arguments) }
    let wanted = call(["a": 1, "b": "x"])
    #expect(call(["b": "x", "a": 1]).hasArguments(of: wanted))
    let others: [JSON] = [
      ["a": 1], ["a": 1, "b": "y"], ["a": 1, "b": "x", "c": 1], ["a": "1", "b": "x"],
      ["a": 1, "a": 1],
    ]
    for other in others { #expect(!call(other).hasArguments(of: wanted)) }
  }

  @Test("an answer is consistent when it has all facts")
  func consistency() {
    let question = PersonaQuestion(question: "", answer: "", facts: ["Ember", "kind"])
    #expect(question.isConsistent("i am EMBER and Kind."))
    #expect(!question.isConsistent("I am Ember."))
    let trained = Set(PersonaQuestion.all(.usual, Tool.usual, isHeldOut: false).map(\.question))
    let held = PersonaQuestion.all(.usual, Tool.usual, isHeldOut: true)
    #expect(held.allSatisfy { !trained.contains($0.question) && $0.isConsistent($0.answer) })
    let plain = Persona(name: "Bo", text: "", traits: [])
    #expect(plain.introduction == "I am Bo.")
    #expect(plain.character == nil)
    #expect(Persona(name: "Bo", text: "", traits: ["shy"]).character == "I am shy.")
  }

  @Test("rows begin with a lesson, have only whole ones, and go on from a state")
  func rowsOfLessons() throws {
    let data = try DatasetTests.dataset(DatasetTests.lettered(30))
    let lessons = dialogues(Tool.usual, 20, isHeldOut: false)
      .map(Lessons(.bytes, systemPrompt: "").marked)
    func rows(_ share: Double, seed: UInt64) -> LessonRows {
      LessonRows(
        lessons,
        fingerprint: "f",
        replay: RandomWindows(data, seed: seed),
        replayShare: share,
        seed: seed
      )
    }
    var source = rows(0, seed: 3)
    let batch = source.next(rows: 8, length: 600)
    for row in 0..<8 {
      let tokens = Array(batch.tokens[row * 600..<(row + 1) * 600])
      #expect(tokens[0] == Special.user.id)
      let count = tokens.count { $0 == Special.user.id }
      #expect(count >= 2)
      #expect(tokens.count { $0 == Special.endOfToolResult.id } == count)
    }
    var mixed = rows(0.5, seed: 4)
    _ = mixed.next(rows: 3, length: 200)
    let state = try JSON.parse(mixed.state.bytes)
    var other = rows(0.5, seed: 9)
    try other.restore(state)
    #expect(mixed.next(rows: 6, length: 200) == other.next(rows: 6, length: 200))
    #expect(throws: DataError.self) { try other.restore(["lessons": "g"]) }
  }
}
