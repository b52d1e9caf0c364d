import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Final compression")
struct FinalCompressionTests {
  private func settings(_ more: JSON = [:]) -> JSON {
    .object(
      [.init(name: "seed_bits", value: 6), .init(name: "validation_fraction", value: 0.1)]
        + (more.asMembers ?? [])
    )
  }

  private func metrics(_ report: JSON) throws -> JSON {
    try #require(report["models"]?.asArray?.first?["metrics"])
  }

  @Test(
    "a compressed model is smaller and predicts nearly as well",
    arguments: ["auto", "seedlm", "vptq"]
  )
  func aCompressedModelPredicts(method: String) throws {
    let context = LearntModel.context()
    let report = try phase(
      FinalCompression.self,
      steps: 1,
      settings(["method": .string(method), "bits": 6, "embedding_bits": 8])
    ).run(context)
    let metrics = try metrics(report)
    let before = try #require(metrics["validation_loss_before"]?.asNumber)
    let after = try #require(metrics["validation_loss"]?.asNumber)
    #expect(after != before)
    #expect(after < before * 1.15 + 0.05)
    #expect(try #require(metrics["ratio_to_float32"]?.asNumber) > 1.5)
    let tensors = try #require(report["tensors"]?.asArray)
    #expect(tensors.count == 8)
    let methods = Set(tensors.compactMap { $0["method"]?.asString })
    #expect(method == "auto" || methods == [method])
    #expect(context.points.map(\.step) == Array(1...8))
    let stored = try #require(context.stored.first)
    #expect(stored.model.form == .compressed && stored.parents == ["parent-1"])
  }

  @Test("what is read back is what was measured, in as many bytes as the report says")
  func whatIsReadBackIsWhatWasMeasured() throws {
    let context = LearntModel.context()
    let report = try phase(FinalCompression.self, steps: 1, settings()).run(context)
    let model = try #require(context.stored.first).model
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(model, ModelStoreTests.facts())
    let back = try #require(try store.load(record.id, owner: "ada"))
    #expect(back.parameters.values.array == model.parameters.values.array)
    #expect(back.form == .compressed)
    let file = try #require(folder.files.first { $0.hasSuffix("model.safetensors") })
    #expect(
      try metrics(report)["weights_file_bytes"] == .integer(Int64(folder.read(file).count))
    )
  }

  @Test("a ternary model's matrices lose nothing")
  func aTernaryModelLosesNothing() throws {
    let ternary = LearntModel.context()
    _ = try phase(BitNet.self, steps: 5, settings2).run(ternary)
    let parent = ternary.stored[0].model
    let context = LearntModel.context(parent)
    let report = try phase(FinalCompression.self, steps: 1, settings()).run(context)
    let made = context.stored[0].model
    for tensor in made.parameters.layout.tensors where tensor.role != .embedding {
      #expect(
        tensor.range.allSatisfy { made.parameters.values[$0] == parent.parameters.values[$0] }
      )
    }
    for entry in try #require(report["tensors"]?.asArray).dropFirst() {
      #expect(entry["method"] == "trits" && entry["relative_error"]?.asNumber == 0)
    }
  }

  private let settings2: JSON = ["validation_fraction": 0.1]

  @Test(
    "a run stopped anywhere and continued ends with the same bytes",
    arguments: [0, 3, 9, 15, 30]
  )
  func aStoppedRunContinues(stop: Int) throws {
    let settings = settings(["method": "vptq"])
    let whole = LearntModel.context()
    _ = try phase(FinalCompression.self, steps: 1, settings).run(whole)
    let stopped = LearntModel.context()
    stopped.stopAfter = stop
    #expect(throws: RunStopped.self) {
      try phase(FinalCompression.self, steps: 1, settings).run(stopped)
    }
    #expect(stopped.saved.count == 1)
    let resumed = stopped.resumed()
    _ = try phase(FinalCompression.self, steps: 1, settings).run(resumed)
    #expect(resumed.stored[0].model.payload == whole.stored[0].model.payload)
  }

  @Test("what a checkpoint keeps comes back, and another model's is refused")
  func checkpointsComeBack() throws {
    let tensors = Compressor.tensors(LearntModel.model)
    let done = tensors.prefix(3).enumerated().map { index, tensor in
      CompressedTensor(
        name: tensor.name,
        count: tensor.count,
        matrix: .init(.vptq, (0..<(7 + index)).map { UInt8((250 + $0) % 256) }),
        relativeError: 0.25,
        weightedError: 0.125
      )
    }
    let checkpoint = CompressedTensor.checkpoint(done)
    #expect(try CompressedTensor.restore(checkpoint, tensors) == done)
    #expect(throws: RunFailure.self) {
      try CompressedTensor.restore(checkpoint, Array(tensors.dropFirst()))
    }
    #expect(try CompressedTensor.restore(nil, tensors).isEmpty)
  }

  @Test("a compressed model is not compressed again")
  func aCompressedModelIsRefused() throws {
    var model = LearntModel.model
    model.form = .compressed
    let error = #expect(throws: RunFailure.self) {
      try phase(FinalCompression.self, steps: 1, settings()).run(LearntModel.context(model))
    }
    #expect(error?.description.contains("parent-1") == true)
  }

  @Test("every bad field is named")
  func everyBadFieldIsNamed() {
    let error = #expect(throws: Failure.self) {
      try phase(
        FinalCompression.self,
        steps: 1,
        ["method": "zip", "bits": 9, "embedding_bits": 1, "seed_bits": 17, "wings": 2]
      )
    }
    let text = "\(String(describing: error))"
    for field in ["method", "bits", "embedding_bits", "seed_bits", "wings"] {
      #expect(text.contains(field), "\(field)")
    }
  }

  @Test("what it holds is what the plan said")
  func whatItHoldsIsWhatThePlanSaid() throws {
    let context = LearntModel.context()
    let phase = try phase(FinalCompression.self, steps: 3, settings())
    let plan = try phase.plan(context)
    _ = try phase.run(context)
    #expect(context.account.peak <= plan.memoryBytes)
    #expect(context.account.peak * 10 > plan.memoryBytes * 8)
    #expect(plan.steps == 8 && plan.seconds > 0)
  }
}
