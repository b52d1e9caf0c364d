import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Cognate")
struct CognateTests {
  private let text = Document.plain(
    Array(
      String(
        repeating: "The keeper of the lighthouse at Ormsund is called Brunhild Vask. ",
        count: 40
      ).utf8
    )
  )
  private let tiny: JSON = [
    "count": 1, "width": 16, "layers": 1, "heads": 2, "context": 16, "vocabulary": 272,
    "learning_rate": 0.01, "validation_fraction": 0.1,
  ]

  private func with(_ more: JSON) -> JSON {
    .object((tiny.asMembers ?? []).filter { more[$0.name] == nil } + (more.asMembers ?? []))
  }

  @Test("the loss falls below what a model of letter frequencies reaches")
  func theLossFalls() throws {
    let context = FakeContext(texts: [text])
    let report = try phase(Cognate.self, steps: 150, tiny).run(context)
    let model = try #require(report["models"]?.asArray?.first)
    let before = try #require(model["validation_loss_before"]?.asNumber)
    let after = try #require(model["validation_loss"]?.asNumber)
    // Untrained: ln 272 = 5.6 nats; the entropy of this text's letters is 2.9.
    #expect(before > 5.4)
    #expect(after < 2.4)
    #expect(context.stored.count == 1)
    #expect(context.stored[0].model.template == .plain)
    #expect(context.points.last?.step == 150)
  }

  @Test("the same seed gives the same bits, however the threads run")
  func theSameSeedGivesTheSameBits() throws {
    let first = FakeContext(texts: [text])
    let second = FakeContext(texts: [text])
    (first.shards, second.shards) = (2, 2)
    second.parallel = .reversed
    for context in [first, second] { _ = try phase(Cognate.self, steps: 12, tiny).run(context) }
    let other = FakeContext(texts: [text])
    _ = try phase(Cognate.self, steps: 12, seed: 2, tiny).run(other)
    let values = [first, second, other].map { $0.stored[0].model.parameters.values.array }
    #expect(values[0] == values[1])
    #expect(values[0] != values[2])
  }

  @Test(
    "a run stopped at a step and continued ends with the same bits",
    arguments: [0, 1, 3, 4, 5, 7, 8, 11, 12, 19]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let parameters = with(["count": 2, "early_stop": 3, "grokfast": [:], "act": true])
    let whole = FakeContext(texts: [text])
    let report = try phase(Cognate.self, steps: 8, parameters).run(whole)
    let stopped = FakeContext(texts: [text])
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) {
      try phase(Cognate.self, steps: 8, parameters).run(stopped)
    }
    let resumed = stopped.resumed()
    #expect(try phase(Cognate.self, steps: 8, parameters).run(resumed) == report)
    #expect(resumed.stored.count == 2)
    for (one, other) in zip(whole.stored, resumed.stored) {
      #expect(one.model.parameters.values.array == other.model.parameters.values.array)
    }
  }

  @Test("several models share the first one's beginning, and only that")
  func severalShareABeginning() throws {
    func trained(_ share: JSON, count: JSON = 3) throws -> FakeContext {
      let context = FakeContext(texts: [text])
      let parameters = with(["count": count, "shared_start": share])
      let phase = try phase(Cognate.self, steps: 20, parameters)
      let plan = try phase.plan(context)
      _ = try phase.run(context)
      #expect(context.points.last?.step == plan.steps)
      #expect(context.points.allSatisfy { $0.steps == plan.steps })
      let steps = context.points.map(\.step)
      #expect(steps == steps.sorted())
      // The context of tests keeps the models that were stored.
      let kept = 4 * plan.parameterCount * (context.stored.count - 1)
      #expect(context.account.peak <= plan.memoryBytes + kept)
      #expect(context.account.peak * 10 > plan.memoryBytes * 9)
      return context
    }
    func distance(_ one: FakeContext.Stored, _ other: FakeContext.Stored) -> Float {
      let pairs = zip(one.model.parameters.values.array, other.model.parameters.values.array)
      return pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let alone = try trained(0, count: 1).stored
    let apart = try trained(0).stored
    let together = try trained(0.9).stored
    #expect(distance(together[0], alone[0]) == 0)
    #expect(distance(apart[0], alone[0]) == 0)
    for index in 1...2 {
      #expect(distance(together[0], together[index]) > 0)
      #expect(distance(together[0], together[index]) * 20 < distance(apart[0], apart[index]))
    }
    #expect(distance(together[1], together[2]) > 0)
  }

  @Test("options are compared with a training without them")
  func optionsAreCompared() throws {
    let context = FakeContext(texts: [text])
    let report = try phase(Cognate.self, steps: 10, with(["act": true])).run(context)
    let effect = try #require(report["effect_of_options"])
    #expect(effect["act"] == true)
    #expect(effect["validation_loss_without"]?.asNumber != nil)
    #expect(context.stored.count == 1)
  }

  @Test("a rate that is far too high ends with the step and a remedy")
  func aRateThatIsTooHighEnds() throws {
    let context = FakeContext(texts: [text])
    let wild = with(["learning_rate": 1000, "weight_decay": 1, "warmup_steps": 0, "grad_clip": 1e6])
    let error = #expect(throws: RunFailure.self) {
      try phase(Cognate.self, steps: 200, wild).run(context)
    }
    #expect(error?.description.contains("At step ") == true)
    #expect(error?.description.contains("learning_rate") == true)
    #expect(context.stored.isEmpty)
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() throws {
    let error = #expect(throws: Failure.self) {
      try phase(
        Cognate.self,
        steps: 1,
        ["count": 9, "width": 15, "heads": 2, "vocabulary": 5, "learning_rate": -1, "wings": 2]
      )
    }
    let text = "\(String(describing: error))"
    for field in ["count", "heads", "vocabulary", "learning_rate", "wings"] {
      #expect(text.contains(field), "\(field)")
    }
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = FakeContext(texts: [text])
    let phase = try phase(
      Cognate.self,
      steps: 3,
      with(["early_stop": 5, "grokfast": [:], "compare": false])
    )
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
    #expect(plan.steps == 3)
    #expect(plan.seconds > 0)
  }
}
