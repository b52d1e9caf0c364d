import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Training steps")
struct TrainerTests {
  private static func shape(halts: Bool = false) -> ModelShape {
    var shape = ModelShape(vocabulary: 272, width: 16, layers: 2, heads: 2, hidden: 24, context: 8)
    shape.halts = halts
    return shape
  }

  private static func trainer(
    _ settings: TrainSettings,
    halts: Bool = false,
    _ parallel: Parallel = .serial,
    _ account: MemoryAccount? = nil,
    isTernary: Bool = false
  ) -> Trainer {
    let parameters = Parameters(shape(halts: halts))
    var generator = Generator(seed: 4)
    parameters.initialize(&generator)
    let round: @Sendable (Parameters, Parameters, Int, Int) -> Void = {
      TernaryWeights.round($0, $1, part: $2, parts: $3)
    }
    let makeEffective = isTernary ? round : nil
    return Trainer(parameters, settings, parallel, account, makeEffective: makeEffective)
  }

  private static func settings(rows: Int, shards: Int, accumulation: Int = 1) -> TrainSettings {
    var settings = TrainSettings(steps: 100, batchSize: rows, length: 5, shards: shards)
    settings.accumulation = accumulation
    settings.warmup = 0
    return settings
  }

  /// Rows of random tokens; the second row, and here and there a token, has no target.
  private static func batch(rows: Int, seed: UInt64 = 1) -> Batch {
    var generator = Generator(seed: seed)
    let tokens = (0..<rows * 5).map { _ in Int32(generator.below(272)) }
    let targets = (0..<rows * 5).map { index in
      index / 5 == 1 || index % 7 == 3 ? -1 : Int32(generator.below(272))
    }
    return Batch(rows: rows, length: 5, tokens: tokens, targets: targets)
  }

  @Test(
    "a step is the same however a batch is split, evenly or not",
    arguments: [
      (2, 1), (3, 1), (4, 1), (6, 1), (7, 1), (1, 2), (1, 7), (2, 2), (3, 2), (4, 3), (7, 7),
    ]
  )
  func aStepIsTheSameHoweverItIsSplit(shards: Int, accumulation: Int) throws {
    for halts in [false, true] {
      let whole = Self.trainer(Self.settings(rows: 7, shards: 1), halts: halts)
      let split = Self.trainer(
        Self.settings(rows: 7, shards: shards, accumulation: accumulation),
        halts: halts
      )
      for step in 0..<3 {
        let batch = Self.batch(rows: 7, seed: UInt64(step))
        let (one, other) = (try whole.step(batch), try split.step(batch))
        #expect(abs(one.loss - other.loss) < 1e-4)
        #expect(abs(one.gradientNorm - other.gradientNorm) < 1e-3 * one.gradientNorm)
        #expect(one.tokens == 35 && other.tokens == 35)
        #expect(abs((one.haltingLayers ?? 0) - (other.haltingLayers ?? 0)) < 1e-9)
        #expect((one.haltingLayers != nil) == halts)
      }
    }
  }

  @Test("the time of halting weighs as a mean over tokens, whether or not they have targets")
  func haltingTimeIsAMean() throws {
    func norm(rows: Int, target: Int32) throws -> Double {
      var settings = Self.settings(rows: rows, shards: 1)
      settings.ponderCost = 1
      let tokens = (0..<rows).flatMap { _ in [1, 2, 3, 4, 5] as [Int32] }
      let targets = [Int32](repeating: target, count: tokens.count)
      return try Self.trainer(settings, halts: true)
        .step(Batch(rows: rows, length: 5, tokens: tokens, targets: targets)).gradientNorm
    }
    let once = try norm(rows: 1, target: -1)
    #expect(once > 1e-3)
    let more = try norm(rows: 4, target: -1)
    #expect(abs(more - once) < 1e-4 * once)
    // Equal rows with targets give equal means too.
    let learnt = try norm(rows: 1, target: 7)
    let learntMore = try norm(rows: 4, target: 7)
    #expect(abs(learntMore - learnt) < 1e-4 * learnt)
  }

  @Test("the bytes of a trainer are known before it is made", arguments: [false, true])
  func theBytesAreKnown(hasMore: Bool) {
    var settings = Self.settings(rows: 7, shards: 3, accumulation: 2)
    if hasMore { settings.grokfast = .init() }
    let account = MemoryAccount()
    let trainer = Self.trainer(settings, halts: hasMore, .serial, account, isTernary: hasMore)
    let expected = Trainer.bytes(Self.shape(halts: hasMore), settings, hasEffective: hasMore)
    #expect(account.current == expected)
    withExtendedLifetime(trainer) {}
  }

  @Test("where threads are refused the forward pass still reads what belongs to the parameters")
  func refusedThreadsLeaveNothingStale() {
    let refusing = Parallel(width: 2) { _, _ in throw RunStopped() }
    let trainer = Self.trainer(Self.settings(rows: 2, shards: 2), refusing, isTernary: true)
    let expected = Parameters(trainer.parameters.shape)
    TernaryWeights.round(trainer.parameters, expected)
    #expect(trainer.forwardParameters.values.array == expected.values.array)
  }

  @Test("after an early stop the forward pass reads the parameters that were taken back")
  func whatIsTakenBackIsRead() throws {
    var settings = Self.settings(rows: 4, shards: 2)
    settings.rate = 0.3
    let trainer = Self.trainer(settings, isTernary: true)
    let text = (0..<400).map { UInt8(97 + $0 * $0 % 7) }
    let data = try DatasetTests.dataset([.plain(text)], context: 5)
    let validation = data.validationBatches(rows: 4, length: 5, limit: 4)
    var loop = TrainingLoop(
      trainer,
      RandomWindows(data, seed: 1),
      validation: validation,
      patience: 3,
      nil
    )
    loop.validateEvery = 1
    try loop.run(FakeContext()) { $0 }
    let best = try #require(loop.best)
    #expect(trainer.step < settings.steps && best.step == trainer.step - 3)
    #expect(try trainer.validate(validation) == best.loss)
  }
}
