import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Successive halving")
struct HalvingTests {
  @Test("half goes on, rounded up, until one is left")
  func halfGoesOn() {
    #expect(Halving(8).sizes == [8, 4, 2])
    #expect(Halving(5).sizes == [5, 3, 2])
    #expect(Halving(2).sizes == [2])
    #expect(Halving(8).least == 24)
  }

  @Test("rungs cost the same, and no candidate gets nothing")
  func rungsCostTheSame() {
    let halving = Halving(8)
    #expect((0..<3).map { halving.share($0, budget: 240) } == [10, 20, 40])
    #expect((0..<3).map { halving.share($0, budget: 24) } == [1, 2, 4])
    #expect(halving.share(0, budget: 1) == 1)
  }

  @Test("the lower scores go on; of equals the earlier candidate")
  func lowerScoresGoOn() {
    let halving = Halving(4)
    #expect(halving.alive(0, [[], [], [], []]) == [0, 1, 2, 3])
    #expect(halving.alive(1, [[3], [1], [1], [2]]) == [1, 2])
    #expect(halving.alive(2, [[3], [1, 5], [1, 4], [2]]) == [2])
    #expect(halving.alive(2, [[3], [1], [1], [2]]).isEmpty)
    #expect(halving.alive(1, [[.nan], [1], [.infinity], [2]]).contains(1))
  }

  @Test("the front has what nothing beats in both")
  func theFront() {
    #expect(Halving.paretoFront([3, 1, 2, 2], [1, 5, 2, 3]) == [0, 2, 1])
    #expect(Halving.paretoFront([1, 1], [1, 1]) == [0, 1])
  }
}

@Suite("Workflows")
struct WorkflowTests {
  private func ask(
    _ kind: Workflow.Kind,
    _ model: LanguageModel,
    _ question: String = "3 + 4 ="
  ) throws -> Workflow.Outcome {
    var generator = Generator(seed: 3)
    return try Workflow(kind, systemPrompt: "", samples: 4).ask(
      question,
      model,
      DecodedAnswers(model),
      limit: 3,
      &generator
    )
  }

  @Test("what is counted are the tokens that were read and written")
  func tokensAreCounted() throws {
    let model = randomModel(seed: 1, layers: 1, context: 80)
    let prompt = Dialogue.prompt([Turn(.user, "3 + 4 =")], .bytes).count
    let direct = try ask(.direct, model).tokens
    #expect((prompt...prompt + 3).contains(direct))
    // An untrained model is wrong every time, and verify asks again each time.
    #expect(try ask(.verify, model).tokens > 4 * prompt)
    #expect(try ask(.verify, model, "Copy: ab").tokens < 2 * prompt + 10)
    #expect(try (4 * prompt...4 * prompt + 12).contains(ask(.vote, model).tokens))
    #expect(try ask(.draft, model).tokens > 2 * prompt)
  }

  @Test("the last word is the answer")
  func theLastWordIsTheAnswer() {
    #expect(Workflow.lastWord("3 + 4 = 7") == "7")
    #expect(Workflow.lastWord("It is seven.\n") == "seven")
    #expect(Workflow.lastWord("...") == "")
    #expect(Workflow.lastWord("") == "")
  }

  @Test("an expression is found in a question")
  func anExpressionIsFound() throws {
    func value(_ text: String) throws -> String? {
      try Workflow.expression(in: text).map { try Calculator.result(of: $0) }
    }
    #expect(try value("3 + 4 =") == "7")
    #expect(try value("What is 12 x 3?") == "36")
    #expect(try value("Copy: extra") == nil)
    #expect(try value("Continue: 3, 5, 7,") == nil)
    #expect(try value("Is 1 / 0 a number?") == nil)
  }

  @Test("answers end at a full context, and a long prompt is read from its end")
  func answersAreBounded() throws {
    let model = randomModel(seed: 1, layers: 1, context: 16)
    let answers = DecodedAnswers(model)
    let long = (0..<40).map { Int32($0) }
    let end = Array(long.suffix(15))
    #expect(try answers.tokens(after: long, limit: 9) == answers.tokens(after: end, limit: 9))
    #expect(try answers.tokens(after: long, limit: 9).count <= 2)
    #expect(try answers.tokens(after: [65, 66], limit: 5).count <= 5)
    let drawn = try answers.tokens(after: [65], limit: 9, temperature: 1, seed: 1)
    #expect(try answers.tokens(after: [65], limit: 9, temperature: 1, seed: 1) == drawn)
    #expect(try answers.tokens(after: [65], limit: 9, temperature: 1, seed: 2) != drawn)
  }

  @Test("a model without finite scores is refused")
  func aDamagedModelIsRefused() {
    let model = randomModel(seed: 1, layers: 1)
    model.parameters.values[model.parameters.layout.finalNorm] = .nan
    #expect(throws: RunFailure.self) { try DecodedAnswers(model).tokens(after: [65], limit: 1) }
  }
}

@Suite("ADAS")
struct ADASTests {
  private let text = Document.plain(
    Array(
      String(repeating: "What is 2 plus 3? It is 5. The sea is wide and deep. ", count: 40).utf8
    )
  )
  private let small: JSON = [
    "population": 3, "parameter_budget": 20_000, "context": 16, "vocabulary": 272,
    "budget_steps": 12, "learning_rate": 0.01, "validation_fraction": 0.1, "warmup_steps": 2,
  ]

  private func with(_ more: JSON) -> JSON {
    .object((small.asMembers ?? []).filter { more[$0.name] == nil } + (more.asMembers ?? []))
  }

  @Test("the best size is found and trained on; the archive has every candidate within the budget")
  func theBestSizeIsFound() throws {
    let context = FakeContext(texts: [text])
    let report = try phase(ADAS.self, steps: 40, with(["search": "architecture"])).run(context)
    let archive = try #require(report["architecture"]?["archive"]?.asArray)
    #expect(archive.count == 3)
    #expect(archive.allSatisfy { $0["parameters"]?.asInteger ?? .max <= 20_000 })
    let winner = try #require(report["architecture"]?["winner"]?.asInteger)
    let rungs = archive.map { $0["rungs"]?.asArray ?? [] }
    #expect(rungs.map(\.count).sorted() == [1, 2, 2])
    let last = rungs.map { $0.count > 1 ? $0[1]["loss"]?.asNumber ?? .infinity : .infinity }
    #expect(last[Int(winner)] == last.min())
    let final = try #require(context.stored.first?.metrics["validation_loss"]?.asNumber)
    #expect(final < last[Int(winner)])
    #expect(
      context.stored[0].model.shape.width == Int(archive[Int(winner)]["width"]?.asInteger ?? 0)
    )
    #expect(context.points.last?.step == context.points.last?.steps)
    let front = (report["architecture"]?["pareto_front"]?.asArray ?? []).compactMap(\.asInteger)
    let losses = rungs.map { $0[0]["loss"]?.asNumber ?? .infinity }
    let best = try #require(losses.indices.min { losses[$0] < losses[$1] })
    #expect(front.contains(Int64(best)))
  }

  @Test("a workflow search asks the model and keeps the prompt in a copy of it")
  func aWorkflowIsFound() throws {
    let model = randomModel(seed: 1, layers: 1, context: 96)
    let context = FakeContext(texts: [text], models: [("input", model)])
    let parameters: JSON = ["search": "workflow", "population": 4, "questions": 16, "samples": 2]
    let report = try phase(ADAS.self, steps: 16, parameters).run(context)
    let archive = try #require(report["workflow"]?["archive"]?.asArray)
    #expect(archive.count == 4)
    #expect(archive[0]["workflow"] == "direct")
    #expect(archive[0]["system_prompt"] == "")
    #expect(archive.map { $0["asked"]?.asInteger ?? 0 }.sorted() == [2, 2, 6, 6])
    let stored = try #require(context.stored.first)
    #expect(stored.parents == ["input"])
    #expect(.string(stored.model.systemPrompt) == report["workflow"]?["best"]?["system_prompt"])
    #expect(stored.model.parameters.values.array == model.parameters.values.array)
    #expect(report["workflow"]?["held_out"]?["plain"]?["asked"]?.asInteger == 4)
    #expect(context.points.last?.step == context.points.last?.steps)
  }

  @Test(
    "a run stopped anywhere and continued ends with the same bits",
    arguments: [0, 1, 3, 6, 9, 11, 14, 18, 20, 22]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let both = with(["search": "both", "questions": 6, "samples": 1])
    let whole = FakeContext(texts: [text])
    let report = try phase(ADAS.self, steps: 18, both).run(whole)
    let stopped = FakeContext(texts: [text])
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) { try phase(ADAS.self, steps: 18, both).run(stopped) }
    let resumed = stopped.resumed()
    #expect(try phase(ADAS.self, steps: 18, both).run(resumed) == report)
    #expect(resumed.stored.count == 1)
    #expect(
      resumed.stored[0].model.parameters.values.array
        == whole.stored[0].model.parameters.values.array
    )
  }

  @Test("an input model is among the candidates, and its tokenizer is everyone's")
  func theInputIsACandidate() throws {
    let words = try Tokenizer(merges: [Merge(97, 98)])
    let model = randomModel(seed: 1, layers: 1, tokenizer: words)
    let context = FakeContext(texts: [text], models: [("input", model)])
    let report = try phase(ADAS.self, steps: 12, with(["search": "architecture"])).run(context)
    let first = try #require(report["architecture"]?["archive"]?.asArray?.first)
    #expect(first["width"] == 16)
    #expect(first["hidden"] == 24)
    #expect(context.stored[0].model.tokenizer == words)
    #expect(context.stored[0].parents == ["input"])
  }

  @Test("a given model is kept when no new size is better on held-out text")
  func aBetterInputIsKept() throws {
    let architecture = with(["search": "architecture"])
    let long = FakeContext(texts: [text])
    _ = try phase(ADAS.self, steps: 60, architecture).run(long)
    let good = long.stored[0].model
    let context = FakeContext(texts: [text], models: [("good", good)])
    let short = try phase(ADAS.self, steps: 12, architecture)
    let plan = try short.plan(context)
    let report = try short.run(context)
    #expect(report["input"]?["is_kept"] == true)
    let own = try #require(report["input"]?["validation_loss"]?.asNumber)
    let found = try #require(report["input"]?["found_validation_loss"]?.asNumber)
    #expect(own <= found)
    let stored = context.stored[0].model
    #expect(stored.parameters.values.array == good.parameters.values.array)
    #expect(context.stored[0].metrics["validation_loss"] == .number(own))
    #expect(context.account.peak <= plan.memoryBytes)
    // A random one is not.
    let poor = randomModel(seed: 1, layers: 1, context: 16, tokenizer: good.tokenizer)
    let other = FakeContext(texts: [text], models: [("poor", poor)])
    #expect(try phase(ADAS.self, steps: 60, architecture).run(other)["input"]?["is_kept"] == false)
  }

  @Test("the comparison of workflows has tasks that the search did not see")
  func theComparisonHasOtherTasks() {
    for seed in 1...20 as ClosedRange<UInt64> {
      let search = WorkflowSearch(
        8,
        .dialogue,
        samples: 1,
        budget: 320,
        difficulty: 1,
        seed: seed
      )
      let seen = Set((0..<search.halving.sizes.count).flatMap(search.tasks))
      let others = search.unseenTasks
      #expect(others.count == search.finalTasks)
      #expect(others.allSatisfy { !seen.contains($0) })
    }
  }

  @Test("workflows need a model; sizes need a budget that some fit in")
  func whatIsMissingIsNamed() throws {
    let alone = FakeContext(texts: [text])
    let error = #expect(throws: RunFailure.self) {
      try phase(ADAS.self, steps: 100, ["search": "workflow"]).run(alone)
    }
    #expect(error?.description.contains("needs a model") == true)
    // 1568 tokens of the smallest width, 8, are more than 10,000 numbers.
    let merges = (0..<36).flatMap { (one: Int32) in
      (0..<36).map { (other: Int32) in Merge(97 + one, 97 + other) }
    }
    let large = randomModel(seed: 1, layers: 1, tokenizer: try Tokenizer(merges: merges))
    let context = FakeContext(texts: [text], models: [("input", large)])
    let tight = with(["search": "architecture", "parameter_budget": 10_000])
    let other = #expect(throws: RunFailure.self) {
      try phase(ADAS.self, steps: 100, tight).run(context)
    }
    #expect(other?.description.contains("parameter_budget") == true)
  }

  @Test(
    "every bad field is named",
    arguments: [
      (#"{"search": "luck"}"#, "search"), (#"{"population": 1}"#, "population"),
      (#"{"population": 8, "budget_steps": 23}"#, "budget_steps"),
      (#"{"budget_steps": 101}"#, "budget_steps"),
      (#"{"population": 4, "questions": 7}"#, "questions"),
      (#"{"search": "workflow", "questions": 101}"#, "questions"),
      (#"{"samples": 10}"#, "samples"), (#"{"parameter_budget": 9999}"#, "parameter_budget"),
      (#"{"context": 7}"#, "context"), (#"{"task_difficulty": 0}"#, "task_difficulty"),
      (#"{"wings": 2}"#, "wings"),
    ]
  )
  func everyBadFieldIsNamed(parameters: String, field: String) throws {
    let json = try JSON.parse(parameters)
    let error = #expect(throws: Failure.self) { try phase(ADAS.self, steps: 100, json) }
    #expect("\(String(describing: error))".contains("\"\(field)\""))
  }

  @Test("what it holds is within what the plan said")
  func whatItHoldsIsWithinThePlan() throws {
    let context = FakeContext(texts: [text])
    let phase = try phase(ADAS.self, steps: 20, with(["search": "architecture"]))
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 7)
    #expect(plan.steps == 20)
    #expect(plan.seconds > 0)
  }
}
