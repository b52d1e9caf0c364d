import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Baking of tools and a persona")
struct ToolPersonaBakingTests {
  private let text = Document.plain(
    Array(String(repeating: "The river runs to the sea, and the sea is wide. ", count: 30).utf8)
  )
  private let parameters: JSON = [
    "tools": [["name": "now", "description": "tells the time"]],
    "persona": ["name": "Bo", "traits": ["shy"]],
    "dialogues": 16, "evaluation": 2, "learning_rate": 0.01, "validation_fraction": 0.2,
  ]

  private func context(_ model: LanguageModel? = nil) -> FakeContext {
    let model = model ?? randomModel(seed: 1, layers: 1, context: 64)
    return FakeContext(texts: [text], models: [("parent", model)])
  }

  private func with(_ more: JSON) -> JSON {
    .object(
      (parameters.asMembers ?? []).filter { more[$0.name] == nil } + (more.asMembers ?? [])
    )
  }

  @Test("a model learns to call a tool and who it is, which it did not know")
  func aModelLearns() throws {
    let context = context(randomModel(seed: 1, width: 32, layers: 2, context: 64))
    let settings = with(["dialogues": 40, "persona_share": 0.4, "replay": 0.1])
    let report = try phase(ToolPersonaBaking.self, steps: 250, batchSize: 4, settings).run(context)
    let model = try #require(report["models"]?.asArray?.first)
    for name in ["tool_call_parses", "tool_call_right_arguments", "persona_consistency"] {
      #expect(model["before"]?[name]?.asNumber == 0, "\(name)")
    }
    #expect(model["before"]?["dialogue_loss"]?.asNumber ?? 0 > 5)
    #expect(model["after"]?["dialogue_loss"]?.asNumber ?? 9 < 1.5)
    // So few steps are enough for what it was taught, and not for other words.
    let tools = [Tool("now", "tells the time", [])]
    var source = ToolDialogues(tools, seed: 1, isHeldOut: false)
    let exam = BakingExam(
      (0..<4).map { _ in source.next() },
      PersonaQuestion.all(Persona(name: "Bo", text: "", traits: ["shy"]), tools, isHeldOut: false),
      Lessons(.bytes, systemPrompt: ""),
      .bytes
    )
    let answers = DecodedAnswers(context.stored[0].model)
    let taught = try exam.measure(answers, .serial, checkStop: {})
    #expect(taught.rightArguments >= 0.5)
    #expect(taught.persona >= 0.4)
    let before = try #require(model["before"]?["text_loss"]?.asNumber)
    let after = try #require(model["after"]?["text_loss"]?.asNumber)
    #expect(before > 5)
    #expect(after < before)
    let stored = try #require(context.stored.first)
    #expect(stored.parents == ["parent"])
    #expect(stored.model.template == .dialogue)
    #expect(stored.model.systemPrompt.isEmpty)
    // The longest dialogue needs more than the 64 tokens that the parent read.
    #expect(stored.model.shape.context > 64)
  }

  @Test(
    "a run stopped at a step and continued ends with the same bits",
    arguments: [0, 3, 12, 15, 19, 26]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let settings = with(["early_stop": 5])
    let whole = context()
    let report = try phase(ToolPersonaBaking.self, steps: 6, settings).run(whole)
    let stopped = context()
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) {
      try phase(ToolPersonaBaking.self, steps: 6, settings).run(stopped)
    }
    let resumed = stopped.resumed()
    #expect(try phase(ToolPersonaBaking.self, steps: 6, settings).run(resumed) == report)
    #expect(
      resumed.stored[0].model.parameters.values.array
        == whole.stored[0].model.parameters.values.array
    )
  }

  @Test("with a system prompt it is trained on and kept with the model")
  func theSystemPromptIsKept() throws {
    let context = context()
    _ = try phase(ToolPersonaBaking.self, steps: 1, with(["system_prompt": true])).run(context)
    #expect(context.stored[0].model.systemPrompt == "I am Bo. I am shy.\nnow(): tells the time")
  }

  @Test("the parent's numbers are not touched")
  func theParentIsNotTouched() throws {
    let context = context()
    let before = context.given[0].model.parameters.values.array
    _ = try phase(ToolPersonaBaking.self, steps: 2, parameters).run(context)
    #expect(context.given[0].model.parameters.values.array == before)
  }

  @Test("a compressed model is refused, and none or two")
  func wrongModelsAreRefused() throws {
    var compressed = randomModel(seed: 1)
    compressed.form = .compressed
    let phase = try phase(ToolPersonaBaking.self, steps: 1, parameters)
    let wrong: [[(id: String, model: LanguageModel)]] = [
      [], [("a", compressed)], [("a", randomModel(seed: 1)), ("b", randomModel(seed: 2))],
    ]
    for models in wrong {
      let context = FakeContext(texts: [text], models: models)
      #expect(throws: RunFailure.self) { try phase.run(context) }
    }
  }

  @Test(
    "every bad field is named",
    arguments: [
      (#"{"tools": []}"#, "tools"), (#"{"tools": [{"name": "A b"}]}"#, "tools[0].name"),
      (#"{"tools": [{"name": "a"}, {"name": "a"}]}"#, "tools"),
      (
        #"{"tools": [{"name": "a", "parameters": {"x": {"type": "list"}}}]}"#,
        "tools[0].parameters.x.type"
      ),
      (
        #"{"tools": [{"name": "a", "parameters": {"x": {"type": "integer", "values": ["b"]}}}]}"#,
        "tools[0].parameters.x.values"
      ),
      (#"{"tools": [{"name": "a", "parameters": {"x": {}}}]}"#, "tools[0].parameters.x.type"),
      (#"{"persona": {"traits": ["a"]}}"#, "persona.name"),
      (#"{"persona": {"name": "a", "age": 3}}"#, "persona.age"),
      (#"{"dialogues": 15}"#, "dialogues"), (#"{"evaluation": 501}"#, "evaluation"),
      (#"{"replay": 0.95}"#, "replay"), (#"{"persona_share": -0.1}"#, "persona_share"),
      (#"{"wings": 2}"#, "wings"),
    ]
  )
  func everyBadFieldIsNamed(parameters: String, field: String) throws {
    let json = try JSON.parse(parameters)
    let error = #expect(throws: Failure.self) {
      try phase(ToolPersonaBaking.self, steps: 1, json)
    }
    #expect("\(String(describing: error))".contains("\"\(field)\""))
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = context()
    let phase = try phase(ToolPersonaBaking.self, steps: 3, with(["early_stop": 5]))
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
    #expect(plan.steps == 3)
    #expect(plan.seconds > 0)
  }
}
