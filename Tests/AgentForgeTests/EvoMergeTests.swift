import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("EvoMerge")
struct EvoMergeTests {
  /// Two models a few steps from the same start, and one from another.
  private static let models: [(id: String, model: LanguageModel)] = {
    [(1, 30), (1, 60), (2, 30)].enumerated().compactMap { index, pair in
      let model = randomModel(seed: UInt64(pair.0))
      guard
        let data = try? Dataset(
          documents: [text],
          tokenizer: .bytes,
          validationFraction: 0.1,
          seed: 1,
          context: 32
        )
      else { return nil }
      var settings = TrainSettings(steps: 60, batchSize: 2, length: 32, shards: 1)
      (settings.rate, settings.warmup) = (0.01, 5)
      let trainer = Trainer(model.parameters, settings, .serial, nil)
      var source = RandomWindows(data, seed: UInt64(index))
      for _ in 0..<pair.1 { _ = try? trainer.step(source.next(rows: 2, length: 32)) }
      return (id: "parent-\(index)", model: model)
    }
  }()

  private static let text = Document.plain(
    Array(
      String(
        repeating: "What is 2 plus 3? It is 5. Copy: ab gives ab, and abc gives abc. ",
        count: 30
      )
      .utf8
    )
  )

  private let small: JSON = [
    "population": 5, "generations": 3, "tasks": 6, "validation_fraction": 0.2,
  ]

  private func context() -> FakeContext { FakeContext(texts: [Self.text], models: Self.models) }

  @Test("the winner is at least as good as every parent on what selects, and the lineage is whole")
  func theWinnerIsNoWorse() throws {
    let context = context()
    let report = try phase(EvoMerge.self, steps: 1000, small).run(context)
    let lineage = try #require(report["lineage"]?.asArray)
    #expect(lineage.count == 5 + 3 * 3)
    // A child differs from every one it was bred from.
    #expect(Set(lineage.compactMap { $0["fitness"]?.asNumber }).count > 8)
    let fitness = lineage.compactMap { $0["fitness"]?.asNumber }
    #expect(report["winner"]?["selection"]?["fitness"]?.asNumber == fitness.max())
    #expect(lineage.prefix(3).allSatisfy { $0["operator"] == "parent" })
    for (number, one) in lineage.enumerated() {
      #expect(one["number"]?.asInteger == Int64(number))
      let generation = try #require(one["generation"]?.asInteger)
      let bred = (one["parents"]?.asArray ?? []).compactMap(\.asInteger)
      #expect((generation == 0) == bred.isEmpty)
      #expect(bred.allSatisfy { $0 < number })
    }
    let stored = try #require(context.stored.first)
    #expect(context.stored.count == 1)
    #expect(stored.parents == ["parent-0", "parent-1", "parent-2"])
    #expect(
      stored.metrics["fitness"]?.asNumber == report["winner"]?["held_out"]?["fitness"]?.asNumber
    )
    #expect(context.points.count == lineage.count)
  }

  @Test("the verdict follows what was measured on the other part")
  func theVerdictFollows() throws {
    let report = try phase(EvoMerge.self, steps: 1000, small).run(context())
    let own = try #require(report["winner"]?["held_out"]?["fitness"]?.asNumber)
    let parents = (report["parents"]?.asArray ?? []).compactMap {
      $0["held_out"]?["fitness"]?.asNumber
    }
    #expect(parents.count == 3)
    #expect(report["is_no_worse_than_parents"] == .bool(parents.allSatisfy { $0 <= own }))
  }

  @Test(
    "a run stopped at any individual and continued ends with the same bits",
    arguments: [0, 1, 4, 7, 13, 15]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let whole = context()
    let report = try phase(EvoMerge.self, steps: 1000, small).run(whole)
    let stopped = context()
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) {
      try phase(EvoMerge.self, steps: 1000, small).run(stopped)
    }
    let resumed = stopped.resumed()
    #expect(try phase(EvoMerge.self, steps: 1000, small).run(resumed) == report)
    #expect(
      resumed.stored[0].model.parameters.values.array
        == whole.stored[0].model.parameters.values.array
    )
  }

  @Test(
    "the same seed finds the same winner however the threads run, another one searches elsewhere"
  )
  func theSeedDecides() throws {
    let contexts = [context(), context()]
    for context in contexts { context.shards = 2 }
    contexts[1].parallel = .reversed
    let reports = try contexts.map { try phase(EvoMerge.self, steps: 1000, small).run($0) }
    #expect(reports[0] == reports[1])
    let other = try phase(EvoMerge.self, steps: 1000, seed: 2, small).run(context())
    #expect(other["lineage"] != reports[0]["lineage"])
  }

  @Test("max_steps bounds the individuals, and must be enough for the parents")
  func maxStepsBounds() throws {
    let report = try phase(EvoMerge.self, steps: 3, small).run(context())
    #expect(report["evaluations"] == 3)
    #expect(report["winner"]?["number"]?.asInteger ?? 9 < 3)
    let error = #expect(throws: RunFailure.self) {
      try phase(EvoMerge.self, steps: 2, small).run(context())
    }
    #expect(error?.description.contains("max_steps") == true)
  }

  @Test("the base must be one of the models; layers may have weights of their own")
  func theBaseMustBeAModel() throws {
    let named = with(["base": "parent-1", "per_layer": true, "operators": ["ties", "dare"]])
    let report = try phase(EvoMerge.self, steps: 9, named).run(context())
    #expect(report["base"] == "parent-1")
    #expect(report["winner"]?["recipe"]?["weights"]?.asArray?.count == 3)
    let methods = Set((report["lineage"]?.asArray ?? []).compactMap { $0["operator"]?.asString })
    #expect(methods.isSubset(of: ["parent", "ties", "dare"]))
    let error = #expect(throws: RunFailure.self) {
      try phase(EvoMerge.self, steps: 9, with(["base": "nobody"])).run(context())
    }
    #expect(error?.description.contains("nobody") == true)
  }

  private func with(_ more: JSON) -> JSON {
    .object((small.asMembers ?? []) + (more.asMembers ?? []))
  }

  @Test("a damaged merge never wins, and damaged parents end the run")
  func aDamagedModelNeverWins() throws {
    let broken = randomModel(seed: 7)
    for index in 0..<broken.parameters.layout.count { broken.parameters.values[index] = .nan }
    let context = FakeContext(texts: [Self.text], models: Self.models + [("broken", broken)])
    let report = try phase(EvoMerge.self, steps: 20, small).run(context)
    #expect(report["winner"]?["held_out"]?["loss"]?.asNumber?.isFinite == true)
    let stopped = FakeContext(texts: context.texts, models: context.given)
    stopped.stopAfter = 6
    #expect(throws: RunStopped.self) { try phase(EvoMerge.self, steps: 20, small).run(stopped) }
    let again = try phase(EvoMerge.self, steps: 20, small).run(stopped.resumed())
    #expect("\(again)" == "\(report)")
    let alone = FakeContext(texts: [Self.text], models: [("a", broken), ("b", broken)])
    #expect(throws: RunFailure.self) { try phase(EvoMerge.self, steps: 20, small).run(alone) }
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() throws {
    let error = #expect(throws: Failure.self) {
      try phase(
        EvoMerge.self,
        steps: 1,
        [
          "population": 1, "generations": 101, "elites": 0, "mutation": 1.1, "operators": ["glue"],
          "loss_weight": -1, "tasks": 513, "task_difficulty": 11, "wings": 2,
        ]
      )
    }
    let text = "\(String(describing: error))"
    for field in [
      "population", "generations", "elites", "mutation", "operators", "loss_weight", "tasks",
      "task_difficulty", "wings",
    ] { #expect(text.contains(field), "\(field)") }
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = context()
    let phase = try phase(EvoMerge.self, steps: 6, small)
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
    #expect(plan.steps == 6)
    #expect(plan.seconds > 0)
  }
}
