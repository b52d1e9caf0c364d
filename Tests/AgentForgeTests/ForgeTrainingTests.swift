import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Forge training")
struct ForgeTrainingTests {
  private let text = Document.plain(
    Array(
      String(
        repeating: "The keeper of the lighthouse at Ormsund is called Brunhild Vask. ",
        count: 40
      ).utf8
    )
  )
  private let small: JSON = [
    "families": ["addition"], "length": 32, "text_share": 0.25, "window": 8, "measure_every": 2,
    "measure_tasks": 4, "evaluation_tasks": 4, "dream_every": 4, "dream_samples": 6,
    "dream_steps": 2, "learning_rate": 0.003, "validation_fraction": 0.1,
  ]

  private func with(_ more: JSON) -> JSON {
    .object((small.asMembers ?? []).filter { more[$0.name] == nil } + (more.asMembers ?? []))
  }

  private func context(length: Int = 40) -> FakeContext {
    let shape = ModelShape(
      vocabulary: 272,
      width: 16,
      layers: 2,
      heads: 2,
      hidden: 32,
      context: length
    )
    let parameters = Parameters(shape)
    var generator = Generator(seed: 3)
    parameters.initialize(&generator)
    let model = LanguageModel(parameters: parameters, tokenizer: .bytes, template: .plain)
    return FakeContext(texts: [text], models: [("parent", model)])
  }

  @Test("tasks are learnt of which an untrained model answers none")
  func theEasiestTasksAreLearnt() throws {
    let context = context()
    let parameters = with([
      "families": ["counting_letters"], "learning_rate": 0.01, "window": 40, "measure_tasks": 8,
      "measure_every": 5, "dream_every": 0,
    ])
    let report = try phase(ForgeTraining.self, steps: 150, batchSize: 8, parameters).run(context)
    let curve = try #require(report["curriculum"]?["curve"]?.asArray)
    let success = curve.compactMap { $0.asArray?[2].asNumber }
    #expect(success.first == 0)
    let best = try #require(success.max())
    #expect(best > 0.25)
    let model = try #require(report["models"]?.asArray?.first)
    let before = try #require(model["before"]?["self_model_relative_loss"]?.asNumber)
    let after = try #require(model["after"]?["self_model_relative_loss"]?.asNumber)
    #expect(before == 1 && after < 0.8)
    #expect(context.stored[0].model.template == .dialogue)
    #expect(context.stored[0].model.extras[ForgeTraining.headName]?.count == 16 * 17)
  }

  @Test("a model that can do no task practises some until the band is reached, and stays near it")
  func aBeginnerComesIntoTheBand() throws {
    let context = context()
    let parameters = with([
      "families": ["copying", "addition"], "learning_rate": 0.01, "window": 24,
      "measure_tasks": 8, "measure_every": 3, "dream_every": 0,
    ])
    let report = try phase(ForgeTraining.self, steps: 300, batchSize: 8, parameters).run(context)
    let curriculum = try #require(report["curriculum"])
    let windows = try #require(curriculum["windows"]?.asInteger)
    let before = try #require(curriculum["windows_before_band"]?.asInteger)
    let share = try #require(curriculum["share_of_windows_in_band"]?.asNumber)
    #expect(before < windows)
    #expect(share * Double(windows) > 0.4 * Double(windows - before))
    let lowest = curriculum["curve"]?.asArray?.compactMap { $0.asArray?[1].asNumber }.min()
    #expect(lowest ?? 1 < 0.5)
  }

  @Test(
    "a run stopped at a step and continued ends with the same bits",
    arguments: [0, 2, 5, 6, 11]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let parameters = with(["grokfast": [:]])
    let parent = context()
    // A model that has learnt something has right dreams.
    _ = try phase(ForgeTraining.self, steps: 60, batchSize: 4, with(["learning_rate": 0.02]))
      .run(parent)
    let models = [("learnt", parent.stored[0].model)]
    let whole = FakeContext(texts: [text], models: models)
    (whole.shards, whole.checkpointEvery) = (2, 3)
    let report = try phase(ForgeTraining.self, steps: 10, batchSize: 3, parameters).run(whole)
    let stopped = FakeContext(texts: [text], models: models)
    (stopped.shards, stopped.parallel, stopped.stopAfter) = (2, .reversed, stop)
    #expect(throws: RunStopped.self) {
      try phase(ForgeTraining.self, steps: 10, batchSize: 3, parameters).run(stopped)
    }
    let resumed = stopped.resumed()
    #expect(
      try phase(ForgeTraining.self, steps: 10, batchSize: 3, parameters).run(resumed) == report
    )
    let made = [whole, resumed].map(\.stored[0].model)
    #expect(made[0].parameters.values.array == made[1].parameters.values.array)
    let heads = made.map { $0.extras[ForgeTraining.headName]?.array }
    #expect(heads[0] == heads[1])
    #expect(report["dreams"]?["cycles"]?.asInteger == 2)
  }

  @Test("dreams that were right are trained on, and their effect on held-out text is told")
  func dreamsAreTrainedOn() throws {
    let context = context()
    let parameters = with([
      "families": ["counting_letters"], "learning_rate": 0.02, "dream_every": 40,
      "dream_samples": 32, "dream_temperature": 0.7,
    ])
    let report = try phase(ForgeTraining.self, steps: 90, batchSize: 4, parameters).run(context)
    let cycles = try #require(report["dreams"]?["last_cycles"]?.asArray)
    #expect(cycles.count == 2)
    let trained = try #require(cycles.last { ($0["trained_on"]?.asInteger ?? 0) > 0 })
    #expect((trained["right"]?.asInteger ?? 0) >= (trained["kept"]?.asInteger ?? 0))
    #expect(trained["samples"] == 32)
    let before = try #require(trained["validation_loss_before"]?.asNumber)
    let after = try #require(trained["validation_loss_after"]?.asNumber)
    #expect(before != after)
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = context()
    context.shards = 2
    let phase = try phase(ForgeTraining.self, steps: 3, batchSize: 3, with(["grokfast": [:]]))
    let plan = try phase.plan(context.resumed())
    _ = try phase.run(context)
    #expect(plan.steps == 3 && plan.seconds > 0)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
  }

  @Test("a weight of 0 for the self-model leaves the body and the extras alone")
  func aWeightOfZeroLeavesTheBodyAlone() throws {
    let context = context()
    let report = try phase(ForgeTraining.self, steps: 2, with(["self_model_weight": 0])).run(
      context
    )
    #expect(context.stored[0].model.extras.isEmpty)
    let after = report["models"]?.asArray?.first?["after"]?["self_model_relative_loss"]?.asNumber
    #expect(after == 1)
  }

  @Test("a batch of one sequence trains on tasks and text in turn")
  func aBatchOfOneTrains() throws {
    let context = context()
    let parameters = with(["text_share": 0.5])
    _ = try phase(ForgeTraining.self, steps: 12, batchSize: 1, parameters).run(context)
    #expect(context.stored.count == 1)
    var first: Set<String> = []
    for seed in 1...8 as ClosedRange<UInt64> {
      let one = self.context()
      _ = try phase(ForgeTraining.self, steps: 1, batchSize: 1, seed: seed, parameters).run(one)
      let details = try #require(one.points.first?.details)
      for name in ["task_loss", "text_loss"] where details[name]?.asNumber != nil {
        first.insert(name)
      }
    }
    #expect(first == ["task_loss", "text_loss"])
  }

  @Test("models that cannot be trained so are refused with what is wrong")
  func modelsAreRefused() throws {
    let none = FakeContext(texts: [text])
    #expect(throws: RunFailure.self) { try phase(ForgeTraining.self, steps: 1, small).run(none) }
    let packed = context()
    packed.given[0].model.form = .compressed
    let error = #expect(throws: RunFailure.self) {
      try phase(ForgeTraining.self, steps: 1, small).run(packed)
    }
    #expect(error?.description.contains("compressed") == true)
    let short = context(length: 31)
    let other = #expect(throws: RunFailure.self) {
      try phase(ForgeTraining.self, steps: 1, small).run(short)
    }
    #expect(other?.description.contains("length") == true)
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() throws {
    let error = #expect(throws: Failure.self) {
      try phase(
        ForgeTraining.self,
        steps: 1,
        [
          "families": ["addition", "poetry"], "success_low": 0.8, "window": 7, "momentum": 1,
          "pace": 0, "measure_every": 0, "measure_tasks": 513, "text_share": 0.96, "length": 23,
          "evaluation_tasks": 0, "self_model_weight": -1, "dream_every": -1, "dream_samples": 0,
          "dream_steps": 1001, "dream_buffer": 2049, "dream_temperature": 0,
          "grokfast": ["alpha": 1], "wings": 2,
        ]
      )
    }
    let text = "\(String(describing: error))"
    let names = [
      "families[1]", "success_low", "window", "momentum", "pace", "measure_every", "measure_tasks",
      "text_share", "length", "evaluation_tasks", "self_model_weight", "dream_every",
      "dream_samples", "dream_steps", "dream_buffer", "dream_temperature", "grokfast.alpha",
      "wings",
    ]
    for field in names { #expect(text.contains(field), "\(field)") }
  }
}
