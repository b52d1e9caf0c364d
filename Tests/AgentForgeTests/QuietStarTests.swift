import Testing

@testable import AgentForge
@testable import GatewayPlugin

/// Compares gradients with the slopes of the loss along them.
struct GradientCheck {
  /// The loss with the numbers as they stand.
  let loss: () -> Double

  /// Whether the slope of the loss along `gradient` is its norm, to a part of 2 %.
  func agrees(_ gradient: [Float], _ values: Floats, _ range: Range<Int>) -> (Double, Double)? {
    let part = gradient[range]
    let norm = part.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard norm > 1e-4 else { return nil }
    let kept = range.map { values[$0] }
    func moved(_ distance: Double) -> Double {
      for (index, value) in zip(range, kept) {
        values[index] = value + Float(distance * Double(gradient[index]) / norm)
      }
      return loss()
    }
    let step = 4e-3
    let slope = (moved(step) - moved(-step)) / (2 * step)
    for (index, value) in zip(range, kept) { values[index] = value }
    return abs(slope - norm) < 0.02 * norm + 2e-4 ? nil : (slope, norm)
  }
}

/// A small model with numbers everywhere, its head, a batch and thoughts.
private struct SmallThinker {
  let shape = ThoughtShape(prefix: 5, thoughts: 2, length: 3, ahead: 2)
  let parameters: Parameters
  let head: Floats
  let batch: Batch
  let thoughts: [[Int32]]
  let space: ThoughtSpace
  let mixture: ThoughtMixture

  init() {
    let model = ModelShape(vocabulary: 272, width: 8, layers: 2, heads: 2, hidden: 12, context: 16)
    parameters = Parameters(model)
    var generator = Generator(seed: 5)
    for index in 0..<parameters.layout.count {
      parameters.values[index] = Float(generator.normal() * 0.3)
    }
    mixture = ThoughtMixture(Transformer(model), shape)
    head = Floats(mixture.head.count)
    for index in 0..<head.count { head[index] = Float(generator.normal() * 0.4) }
    let count = 3 * shape.baseLength
    let tokens = (0...count).map { _ in Int32(generator.below(256)) }
    var targets = Array(tokens.dropFirst())
    // The last token of the second position does not count.
    targets[2 * shape.baseLength - 1] = -1
    batch = Batch(
      rows: 3,
      length: shape.baseLength,
      tokens: Array(tokens.dropLast()),
      targets: targets
    )
    thoughts = (0..<6).map { _ in (0..<3).map { _ in Int32(generator.below(256)) } }
    space = ThoughtSpace(
      shape,
      rows: 3,
      thought: Workspace(model, rows: 6, length: shape.rowLength),
      nil
    )
  }

  func losses() -> ThoughtLosses { mixture.measure(batch, thoughts, parameters, head, space) }

  func gradients(policy: Float, thought: Float = 0) -> (model: [Float], head: [Float]) {
    let gradients = Floats(parameters.layout.count)
    let headGradients = Floats(head.count)
    _ = mixture.learn(
      batch,
      thoughts,
      parameters,
      head,
      space,
      ThoughtMixture.Shares(token: 1 / 10, thought: thought, policy: policy),
      gradients,
      headGradients
    )
    return (gradients.array, headGradients.array)
  }
}

@Suite("The mixture of thoughts")
struct ThoughtMixtureTests {
  @Test("its gradients agree with finite differences, in the model and in the head")
  func gradientsAgreeWithFiniteDifferences() {
    let thinker = SmallThinker()
    let (model, head) = thinker.gradients(policy: 0, thought: 0.05)
    let check = GradientCheck {
      let losses = thinker.losses()
      return losses.mixture.reduce(0, +) / 10 + losses.thought.reduce(0, +) * 0.05
    }
    for tensor in thinker.parameters.layout.tensors {
      let fault = check.agrees(model, thinker.parameters.values, tensor.range)
      #expect(fault == nil, "\(tensor.name)")
    }
    #expect(check.agrees(head, thinker.head, 0..<head.count) == nil)
    let bias = head.count - 1
    #expect(abs(head[bias]) > 1e-5)
    #expect(check.agrees(head, thinker.head, bias..<head.count) == nil)
    let inner = 4 * 8 * 8
    #expect(check.agrees(head, thinker.head, 0..<inner) == nil)
  }

  @Test("REINFORCE is the gradient of the rewarded thoughts' log-probabilities")
  func reinforceIsTheGradientOfTheRewardedThoughts() {
    let thinker = SmallThinker()
    let without = thinker.gradients(policy: 0).model
    let with = thinker.gradients(policy: 1).model
    let policy = zip(with, without).map { $0 - $1 }
    let rewards = thinker.mixture.rewards(thinker.losses())
    let shape = thinker.shape
    // The rewards do not depend on the numbers here: they are what was given, as in the paper.
    let check = GradientCheck {
      _ = thinker.losses()
      var targets = [Int32](repeating: -1, count: 6 * shape.rowLength)
      for (index, thought) in thinker.thoughts.enumerated() {
        for (t, token) in thought.enumerated() {
          targets[index * shape.rowLength + shape.prefix + t] = token
        }
      }
      let losses = thinker.mixture.transformer.losses(
        targets,
        thinker.parameters,
        thinker.space.thought
      )
      return losses.enumerated()
        .reduce(0.0) { $0 + rewards[$1.offset / shape.rowLength] * Double($1.element) }
    }
    let fault = check.agrees(policy, thinker.parameters.values, 0..<policy.count)
    #expect(fault == nil)
    #expect(policy.contains { abs($0) > 1e-3 })
  }

  @Test("a thought is rewarded for what it is better than its position's mean, and never below 0")
  func rewardsAreWhatIsBetterThanTheMean() {
    let thinker = SmallThinker()
    var losses = ThoughtLosses()
    losses.counts = [true, true, true, true, true, false, true, false]
    losses.mixture = [1, 2, 2, 3, 4, 0, 1, 0]
    #expect(thinker.mixture.rewards(losses) == [0.5, 0, 0, 1.5])
  }

  @Test("with the gate shut the mixture is the base, with the gate open the thought's prediction")
  func theGateDecides() {
    let thinker = SmallThinker()
    let bias = thinker.head.count - 1
    thinker.head[bias] = -60
    let shut = thinker.losses()
    thinker.head[bias] = 60
    let open = thinker.losses()
    #expect(shut.counted == 10)
    for index in shut.counts.indices where shut.counts[index] {
      #expect(abs(shut.mixture[index] - shut.base[index]) < 1e-9)
      #expect(abs(open.mixture[index] - open.thought[index]) < 1e-9)
      #expect(abs(open.thought[index] - open.base[index]) > 1e-4)
    }
  }

  @Test("the base's losses are those of the text alone, as any model has them")
  func theBaseIsTheTextAlone() {
    let thinker = SmallThinker()
    let losses = thinker.losses()
    let space = Workspace(thinker.parameters.shape, rows: 3, length: thinker.shape.baseLength)
    let transformer = Transformer(thinker.parameters.shape)
    let batch = thinker.batch
    transformer.forward(
      batch.tokens,
      rows: 3,
      length: batch.length,
      thinker.parameters,
      space
    )
    let plain = transformer.losses(batch.targets, thinker.parameters, space)
    for row in 0..<3 {
      for k in 0..<2 {
        let expected = Double(plain[row * batch.length + 4 + k])
        #expect(losses.base[row * 4 + k] == expected)
        #expect(losses.base[row * 4 + 2 + k] == expected)
      }
    }
  }
}

@Suite("Quiet-STaR")
struct QuietStarTests {
  private let text = Document.plain(
    Array(
      String(
        repeating: "The keeper of the lighthouse at Ormsund is called Brunhild Vask. ",
        count: 40
      ).utf8
    )
  )
  private let small: JSON = [
    "thoughts": 2, "thought_length": 3, "ahead": 2, "prefix": 8, "learning_rate": 0.003,
    "validation_fraction": 0.1,
  ]

  private func context(_ context: Int = 16) -> FakeContext {
    let shape = ModelShape(
      vocabulary: 272,
      width: 16,
      layers: 1,
      heads: 2,
      hidden: 24,
      context: context
    )
    let parameters = Parameters(shape)
    var generator = Generator(seed: 3)
    parameters.initialize(&generator)
    let model = LanguageModel(parameters: parameters, tokenizer: .bytes, template: .plain)
    return FakeContext(texts: [text], models: [("parent", model)])
  }

  @Test("it trains the model and its head, and says what thoughts gain before and after")
  func itTrains() throws {
    let context = context()
    let parent = context.given[0].model.parameters.values.array
    let report = try phase(QuietStar.self, steps: 80, batchSize: 4, small).run(context)
    let model = try #require(report["models"]?.asArray?.first)
    for moment in ["before", "after"] {
      let facts = try #require(model[moment])
      let base = try #require(facts["base_loss"]?.asNumber)
      let mixture = try #require(facts["mixture_loss"]?.asNumber)
      let gain = try #require(facts["gain"]?.asNumber)
      #expect(gain == base - mixture)
      #expect((facts["positions"]?.asInteger ?? 0) > 20)
      let helped = try #require(facts["share_helped"]?.asNumber)
      #expect((0...1).contains(helped))
    }
    let before = try #require(model["before"]?["mixture_loss"]?.asNumber)
    let after = try #require(model["after"]?["mixture_loss"]?.asNumber)
    #expect(before > 5.4 && after < 3.5)
    #expect(context.given[0].model.parameters.values.array == parent)
    #expect(context.stored.count == 1 && context.stored[0].parents == ["parent"])
    let head = try #require(context.stored[0].model.extras[QuietStar.headName])
    #expect(head.count == MixingHead(width: 16).count)
    #expect(head[head.count - 1] != MixingHead.initialBias)
  }

  @Test("a run stopped at a step and continued ends with the same bits", arguments: [0, 3, 5, 9])
  func aStoppedRunContinues(stop: Int) throws {
    let whole = context()
    (whole.shards, whole.checkpointEvery) = (2, 3)
    let report = try phase(QuietStar.self, steps: 6, batchSize: 3, small).run(whole)
    let stopped = context()
    (stopped.shards, stopped.parallel, stopped.stopAfter) = (2, .reversed, stop)
    #expect(throws: RunStopped.self) {
      try phase(QuietStar.self, steps: 6, batchSize: 3, small).run(stopped)
    }
    let resumed = stopped.resumed()
    #expect(try phase(QuietStar.self, steps: 6, batchSize: 3, small).run(resumed) == report)
    let models = [whole, resumed].map(\.stored[0].model)
    #expect(models[0].parameters.values.array == models[1].parameters.values.array)
    #expect(
      models[0].extras[QuietStar.headName]?.array == models[1].extras[QuietStar.headName]?.array
    )
  }

  @Test("parts of a batch one after another give nearly the same step")
  func accumulationGivesNearlyTheSame() throws {
    let one = context()
    _ = try phase(QuietStar.self, steps: 1, batchSize: 4, small).run(one)
    let two = context()
    let parameters = JSON.object(
      (small.asMembers ?? []) + [.init(name: "grad_accumulation", value: 2)]
    )
    _ = try phase(QuietStar.self, steps: 1, batchSize: 4, parameters).run(two)
    #expect(one.points.count == 1 && two.points.count == 1)
    let bases = try [one, two].map { try #require($0.points[0].details["base_loss"]?.asNumber) }
    #expect(abs(bases[0] - bases[1]) < 1e-5)
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = context()
    context.shards = 2
    let phase = try phase(QuietStar.self, steps: 3, batchSize: 3, small)
    let plan = try phase.plan(context.resumed())
    _ = try phase.run(context)
    #expect(plan.steps == 3 && plan.seconds > 0)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
  }

  @Test("a row that does not fit the model is refused with the fields to lower")
  func aRowThatDoesNotFitIsRefused() throws {
    // 8 + 3 + 2 + 2 - 1 tokens.
    _ = try phase(QuietStar.self, steps: 1, small).run(context(14))
    let error = #expect(throws: RunFailure.self) {
      try phase(QuietStar.self, steps: 1, small).run(context(13))
    }
    #expect(error?.description.contains("thought_length") == true)
  }

  @Test("compressed models and none are refused")
  func otherModelsAreRefused() throws {
    let none = FakeContext(texts: [text])
    #expect(throws: RunFailure.self) { try phase(QuietStar.self, steps: 1, small).run(none) }
    let packed = context()
    packed.given[0].model.form = .compressed
    let error = #expect(throws: RunFailure.self) {
      try phase(QuietStar.self, steps: 1, small).run(packed)
    }
    #expect(error?.description.contains("compressed") == true)
    #expect(error?.description.contains("parameters.models") == true)
  }

  @Test("a ternary model is gone on with as a dense one, and the log says so")
  func aTernaryModelIsUnpacked() throws {
    let context = context()
    var shape = context.given[0].model.shape
    shape.quantizesActivations = true
    let parameters = Parameters(shape)
    TernaryWeights.round(context.given[0].model.parameters, parameters)
    context.given[0].model.parameters = parameters
    context.given[0].model.form = .ternary
    context.given[0].model.payload = TernaryWeights.pack(parameters).payload
    _ = try phase(QuietStar.self, steps: 1, small).run(context)
    let made = try #require(context.stored.first?.model)
    #expect(made.form == .dense && made.payload.isEmpty && !made.shape.quantizesActivations)
    #expect(context.lines.contains { $0.contains("ternary") && $0.contains("float32") })
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() throws {
    let error = #expect(throws: Failure.self) {
      try phase(
        QuietStar.self,
        steps: 1,
        [
          "thoughts": 1, "thought_length": 129, "ahead": 0, "prefix": 0, "policy_weight": -1,
          "head_rate": 11, "head_delay": 1.1, "thought_weight": -1, "wings": 2,
        ]
      )
    }
    let text = "\(String(describing: error))"
    let names = ["thoughts", "thought_length", "ahead", "prefix", "policy_weight", "head_rate"]
    for field in names + ["head_delay", "thought_weight", "wings"] {
      #expect(text.contains(field), "\(field)")
    }
  }
}
