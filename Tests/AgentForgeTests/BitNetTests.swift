import Testing

@testable import AgentForge
@testable import GatewayPlugin

/// A small model that has learnt one text.
enum LearntModel {
  static let text = Document.plain(
    Array(
      String(
        repeating: "The keeper of the lighthouse at Ormsund is called Brunhild Vask. ",
        count: 40
      ).utf8
    )
  )

  static let model: LanguageModel = {
    let context = FakeContext(texts: [text])
    do {
      _ = try phase(
        Cognate.self,
        steps: 120,
        [
          "count": 1, "width": 16, "layers": 1, "heads": 2, "context": 16, "vocabulary": 272,
          "learning_rate": 0.01, "validation_fraction": 0.1,
        ]
      ).run(context)
    } catch { fatalError("\(error)") }
    return context.stored[0].model
  }()

  /// A run's surroundings with the model as its input.
  static func context(_ model: LanguageModel = model) -> FakeContext {
    FakeContext(texts: [text], models: [("parent-1", model)])
  }
}

@Suite("BitNet")
struct BitNetTests {
  private let settings: JSON = ["learning_rate": 0.01, "validation_fraction": 0.1]

  @Test("training as ternary weights wins back what mere rounding loses")
  func trainingWinsBack() throws {
    let context = LearntModel.context()
    let report = try phase(BitNet.self, steps: 120, settings).run(context)
    let metrics = try #require(report["models"]?.asArray?.first?["metrics"])
    let rounded = try #require(metrics["validation_loss_rounded"]?.asNumber)
    let before = try #require(metrics["validation_loss_before"]?.asNumber)
    let after = try #require(metrics["validation_loss"]?.asNumber)
    #expect(rounded > before)
    // More than half of it.
    #expect(after < (rounded + before) / 2)
    let stored = try #require(context.stored.first)
    #expect(stored.parents == ["parent-1"])
    #expect(stored.model.form == .ternary && stored.model.shape.quantizesActivations)
    #expect(context.points.last?.step == 120)
    let zeros = try #require(metrics["zeros"]?.asNumber)
    #expect(zeros > 0.05 && zeros < 0.8)
    for speed in ["tokens_per_second", "parent_tokens_per_second"] {
      #expect((metrics[speed]?.asNumber ?? 0) > 0)
    }
  }

  @Test("what is stored is read back bit for bit, in as many bytes as the report says")
  func whatIsStoredIsReadBack() throws {
    let context = LearntModel.context()
    let report = try phase(BitNet.self, steps: 3, settings).run(context)
    let model = try #require(context.stored.first).model
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(model, ModelStoreTests.facts())
    let back = try #require(try store.load(record.id, owner: "ada"))
    #expect(back.parameters.values.array == model.parameters.values.array)
    #expect(back.form == .ternary && back.payload == model.payload)
    let file = try #require(folder.files.first { $0.hasSuffix("model.safetensors") })
    let metrics = try #require(report["models"]?.asArray?.first?["metrics"])
    #expect(metrics["weights_file_bytes"] == .integer(Int64(folder.read(file).count)))
    let parent = try store.store(LearntModel.model, ModelStoreTests.facts())
    let other = try #require(
      folder.files.first { $0.hasSuffix("model.safetensors") && $0.contains(parent.id) }
    )
    #expect(metrics["parent_weights_file_bytes"] == .integer(Int64(folder.read(other).count)))
  }

  @Test("a run stopped at a step and continued ends with the same bits", arguments: [0, 1, 5, 9])
  func aStoppedRunContinues(stop: Int) throws {
    let settings: JSON = ["validation_fraction": 0.1, "early_stop": 4, "learning_rate": 0.005]
    let whole = LearntModel.context()
    _ = try phase(BitNet.self, steps: 10, settings).run(whole)
    let stopped = LearntModel.context()
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) { try phase(BitNet.self, steps: 10, settings).run(stopped) }
    #expect(stopped.stored.isEmpty)
    let resumed = stopped.resumed()
    _ = try phase(BitNet.self, steps: 10, settings).run(resumed)
    #expect(resumed.stored[0].model.payload == whole.stored[0].model.payload)
    let values = [whole, resumed].map { $0.stored[0].model.parameters.values.array }
    #expect(values[0] == values[1])
  }

  @Test("only a dense model is taken")
  func onlyADenseModelIsTaken() throws {
    let none = FakeContext(texts: [LearntModel.text])
    let ternary = LearntModel.context(TernaryTests.model())
    for (context, word) in [(none, "parameters.models"), (ternary, "ternary")] {
      let error = #expect(throws: RunFailure.self) {
        try phase(BitNet.self, steps: 1, settings).run(context)
      }
      #expect(error?.description.contains(word) == true)
    }
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() {
    let error = #expect(throws: Failure.self) {
      try phase(
        BitNet.self,
        steps: 1,
        ["context": 7, "early_stop": 0, "validation_fraction": 0.6, "wings": 2]
      )
    }
    let text = "\(String(describing: error))"
    for field in ["context", "early_stop", "validation_fraction", "wings"] {
      #expect(text.contains(field), "\(field)")
    }
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = LearntModel.context()
    let phase = try phase(BitNet.self, steps: 3, settings)
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 9)
    #expect(plan.steps == 3 && plan.seconds > 0)
  }
}
