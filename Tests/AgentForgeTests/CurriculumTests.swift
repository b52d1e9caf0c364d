import Foundation
import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("The edge of chaos")
struct EdgeOfChaosTests {
  private func edge(_ right: Int, of window: Int, pace: Double = 1) -> EdgeOfChaos {
    var settings = EdgeOfChaos.Settings()
    (settings.window, settings.momentum, settings.pace) = (window, 0, pace)
    var edge = EdgeOfChaos(settings)
    for index in 0..<window { edge.record(isCorrect: index < right) }
    return edge
  }

  @Test("nothing moves until the window is full")
  func nothingMovesUntilTheWindowIsFull() {
    var settings = EdgeOfChaos.Settings()
    settings.window = 20
    var edge = EdgeOfChaos(settings)
    for _ in 0..<19 { edge.record(isCorrect: true) }
    edge.move()
    #expect(edge.success == nil && edge.value == 1 && edge.windows == 0)
    edge.record(isCorrect: true)
    edge.move()
    #expect(edge.success == 1 && edge.value > 1 && edge.windows == 1)
  }

  @Test(
    "inside the band it rests, at the edges too; above it grows harder",
    arguments: [(55, 0.0), (75, 0.0), (76, 0.01), (100, 0.25)]
  )
  func insideTheBandItRests(right: Int, push: Double) {
    var edge = edge(right, of: 100)
    edge.move()
    #expect(abs(edge.value - 1 - push) < 1e-12)
    #expect(edge.windowsInside == (push == 0 ? 1 : 0))
    #expect(edge.windowsBefore == (push == 0 ? 0 : 1))
  }

  @Test("below the band it grows easier, and never leaves 0 to 10")
  func belowTheBandItGrowsEasier() {
    var edge = edge(100, of: 100, pace: 8)
    for _ in 0..<20 { edge.move() }
    #expect(edge.value == 10)
    for _ in 0..<100 { edge.record(isCorrect: false) }
    edge.move()
    #expect(abs(edge.value - (10 - 8 * 0.55)) < 1e-9)
    for _ in 0..<20 { edge.move() }
    #expect(edge.value == 0)
    var generator = Generator(seed: 1)
    #expect((0..<9).allSatisfy { _ in edge.level(&generator) == EdgeOfChaos.practice })
  }

  @Test("a learner whose success falls with the difficulty is held in the band")
  func aLearnerIsHeldInTheBand() {
    var edge = EdgeOfChaos(EdgeOfChaos.Settings())
    var generator = Generator(seed: 4)
    for round in 0..<400 {
      for _ in 0..<8 {
        // Right for sure at 1, hardly at 9; it learns slowly.
        let skill = 1.2 - 0.12 * Double(edge.level(&generator)) + 0.0005 * Double(round)
        edge.record(isCorrect: generator.uniform() < skill)
      }
      edge.move()
    }
    #expect(Double(edge.windowsInside) > 0.7 * Double(edge.windows))
    #expect(edge.value > 4 && edge.value < 9)
  }

  @Test("levels lie beside the difficulty, in proportion")
  func levelsLieBesideTheDifficulty() {
    var edge = edge(100, of: 100, pace: 9)
    edge.move()
    var generator = Generator(seed: 1)
    // 1 + 9 * 0.25
    let levels = (0..<2000).map { _ in edge.level(&generator) }
    #expect(Set(levels) == [3, 4])
    #expect(abs(Double(levels.count { $0 == 4 }) / 2000 - 0.25) < 0.05)
  }

  @Test("a state goes on as if it had not been interrupted, and a broken one is refused")
  func aStateGoesOn() throws {
    var settings = EdgeOfChaos.Settings()
    settings.window = 10
    var edge = EdgeOfChaos(settings)
    for index in 0..<15 {
      edge.record(isCorrect: index % 3 > 0)
      edge.move()
    }
    var other = EdgeOfChaos(settings)
    try other.restore(edge.state)
    #expect(other == edge)
    #expect(throws: RunFailure.self) { try other.restore([:]) }
  }
}

@Suite("Decks of tasks and rows of them")
struct TaskDeckTests {
  private func deck(length: Int = 64, _ count: Int = 20) -> TaskDeck {
    TaskDeck(TaskFamilies.all, .bytes, length: length, evaluationTasks: count, seed: 1)
  }

  @Test("tasks kept for evaluation are of every family and level, and are never drawn")
  func tasksKeptForEvaluationAreNeverDrawn() throws {
    let deck = deck()
    var random = Generator(seed: 3)
    let practised = try Set((0..<400).map { _ in try deck.draw(level: 0, &random).task })
    #expect((TaskFamilies.all.count...2 * TaskFamilies.all.count).contains(practised.count))
    #expect(practised.isDisjoint(with: deck.evaluation.map(\.task)))
    let kept = Set(deck.evaluation.map(\.task))
    #expect(Set(deck.evaluation.map(\.family)).count == TaskFamilies.all.count)
    #expect(Set(deck.evaluation.map(\.level)) == Set(1...10))
    #expect(kept.count == deck.evaluation.count)
    var generator = Generator(seed: 2)
    for level in [1, 1, 1, 2, 5] {
      for _ in 0..<40 {
        let task = try deck.draw(level: level, &generator)
        #expect(!kept.contains(task.task))
        #expect(task.level == level && task.dialogue.tokens.count <= 64)
      }
    }
  }

  @Test("a level at which nothing fits is refused")
  func aLevelAtWhichNothingFitsIsRefused() throws {
    let deck = deck(length: 8)
    var generator = Generator(seed: 2)
    #expect(deck.evaluation.isEmpty)
    #expect(throws: RunFailure.self) { try deck.draw(level: 1, &generator) }
  }

  @Test("dialogues are packed whole, and only answers are targets")
  func dialoguesArePackedWhole() throws {
    let deck = deck()
    var generator = Generator(seed: 2)
    var drawn: [MarkedTokens] = []
    let rows = try MixedBatch.pack(3, length: 48) {
      drawn.append(try deck.draw(level: 1, &generator).dialogue)
      return drawn.last
    }
    #expect(rows.count == 3)
    var left = drawn
    for row in rows {
      #expect(row.tokens.count == 48 && row.targets.count == 48)
      var place = 0
      while let next = left.first, place + next.tokens.count <= 48 {
        #expect(Array(row.tokens[place..<(place + next.tokens.count)]) == next.tokens)
        for (index, isTarget) in next.isTarget.enumerated() where place + index > 0 {
          let expected: Int32 = isTarget ? next.tokens[index] : -1
          #expect(row.targets[place + index - 1] == expected)
        }
        place += next.tokens.count
        left.removeFirst()
      }
      #expect(row.targets[(place - 1)...].allSatisfy { $0 == -1 })
    }
    // The one that did not fit the last row.
    #expect(left.count <= 1)
  }

  @Test("few dialogues make few rows, and none no row")
  func fewDialoguesMakeFewRows() {
    var dialogue = MarkedTokens()
    dialogue.append([1, 2, 3], isTarget: true)
    var left = [dialogue, dialogue]
    let rows = MixedBatch.pack(5, length: 4) { left.popLast() }
    #expect(rows.map(\.tokens) == [[1, 2, 3, 256], [1, 2, 3, 256]])
    #expect(MixedBatch.pack(5, length: 4) { nil }.isEmpty)
  }

  @Test("tasks and text weigh what they should, however many targets they have")
  func tasksAndTextWeighWhatTheyShould() {
    let text = Batch(rows: 2, length: 3, tokens: [1, 2, 3, 4, 5, 6], targets: [2, 3, 4, 5, 6, 7])
    let task: (tokens: [Int32], targets: [Int32]) = ([9, 9, 9], [-1, 9, -1])
    let both = MixedBatch(tasks: [task], text: text, length: 3, textShare: 0.25)
    #expect(both.weights[1] == 0.75)
    #expect(both.weights[3] == Float(0.25) / 6)
    let alone = MixedBatch(tasks: [task], text: nil, length: 3, textShare: 0.25)
    #expect(alone.weights == [1, 1, 1])
    let words = MixedBatch(tasks: [], text: text, length: 3, textShare: 0.25)
    #expect(words.weights == [Float](repeating: 1 / 6, count: 6))
  }
}

@Suite("The self-model")
struct SelfModelTests {
  @Test("its gradients agree with finite differences, in the body and in the head")
  func gradientsAgreeWithFiniteDifferences() {
    let model = SmallModel()
    let selfModel = SelfModel(model.shape)
    #expect(selfModel.layer == 1)
    let head = Floats(selfModel.count)
    var generator = Generator(seed: 8)
    for index in 0..<head.count { head[index] = Float(generator.normal() * 0.3) }
    let space = Workspace(model.shape, rows: 2, length: 9)
    let states = SelfModel.States(width: 8, tokens: 18, nil)
    let transformer = Transformer(model.shape)
    func forward() -> Double {
      transformer.forward(model.tokens, rows: 2, length: 9, model.parameters, space)
      return selfModel.measure(18, head, space, states).error / (18 * 8)
    }
    let gradients = Floats(model.parameters.layout.count)
    let headGradients = Floats(head.count)
    _ = forward()
    space.hiddenGradient.clear()
    selfModel.backward(18, scale: 1 / (18 * 8), head, space, states, headGradients)
    transformer.backward(model.tokens, rows: 2, length: 9, model.parameters, space, gradients) {
      selfModel.addStateGradient($0, $1, 18, states)
    }
    let check = GradientCheck(loss: forward)
    let found = gradients.array
    for tensor in model.parameters.layout.tensors {
      #expect(
        check.agrees(found, model.parameters.values, tensor.range) == nil,
        "\(tensor.name)"
      )
    }
    let own = headGradients.array
    #expect(check.agrees(own, head, 0..<64) == nil)
    #expect(check.agrees(own, head, 64..<72) == nil)
    #expect(own[64...].contains { abs($0) > 1e-3 })
  }
}

@Suite("Dreams")
struct DreamBufferTests {
  private func dream(_ tokens: [Int32]) -> MarkedTokens {
    var dream = MarkedTokens()
    dream.append(tokens, isTarget: false)
    dream.append([7], isTarget: true)
    return dream
  }

  @Test("a dream scores by what is new in it, and is kept once")
  func aDreamScoresByWhatIsNew() {
    var buffer = DreamBuffer(capacity: 3)
    // Of 1-2, 2-4, 4-7 the first is known.
    let scores = [[1, 2, 3], [1, 2, 3], [1, 2, 4]].map { buffer.add(dream($0)) }
    #expect(scores == [1, nil, 2.0 / 3])
    #expect(buffer.count == 2)
  }

  @Test("a full buffer lets the lowest score go, and only for a higher one")
  func aFullBufferLetsTheLowestGo() {
    var buffer = DreamBuffer(capacity: 2)
    buffer.add(dream([1, 2, 3]))
    buffer.add(dream([1, 2, 4]))
    let scores = [[1, 2, 3, 3], [5, 6]].map { buffer.add(dream($0)) }
    #expect(scores == [nil, 1])
    let best = buffer.takeBest(5)
    #expect(best == [dream([1, 2, 3]), dream([5, 6])])
    #expect(buffer.count == 0)
  }

  @Test("a state goes on with the same dreams, and a broken one is refused")
  func aStateGoesOn() throws {
    var buffer = DreamBuffer(capacity: 3)
    buffer.add(dream([0, 2, 3]))
    buffer.add(dream([1, 2, 4]))
    var other = DreamBuffer(capacity: 3)
    try other.restore(buffer.state)
    #expect(other == buffer)
    #expect(throws: RunFailure.self) { try other.restore([["score": 1]]) }
    let wild: JSON = [["score": 1, "dialogue": [70_000_000_000]]]
    #expect(throws: RunFailure.self) { try other.restore(wild) }
  }
}

@Suite("A model goes on")
struct ContinuationTests {
  static func decoder(_ model: SmallModel, _ capacity: Int) -> Decoder {
    Decoder(DecodingLayers(Transformer(model.shape), model.parameters), capacity: capacity)
  }

  @Test("texts of different lengths go on one after another as they would alone")
  func textsGoOnOneAfterAnotherAsAlone() {
    let model = SmallModel()
    var generator = Generator(seed: 1)
    let decoder = Self.decoder(model, 9)
    for prompt in [[1, 2, 3, 4, 5], [9], [7, 8]] as [[Int32]] {
      let found = Continuation.extend(prompt, by: 4, .greedy, &generator, decoder)
      let alone = Continuation.extend(prompt, by: 4, .greedy, &generator, Self.decoder(model, 9))
      #expect(alone.tokens == found.tokens)
      #expect(found.tokens.count == 4 && !found.isWhole)
    }
  }

  @Test("the likeliest token is the one that the transformer says, reading the text anew")
  func theLikeliestToken() {
    let model = SmallModel()
    let transformer = Transformer(model.shape)
    let space = Workspace(model.shape, rows: 1, length: 9)
    var generator = Generator(seed: 1)
    var text: [Int32] = [1, 2, 3]
    let found = Continuation.extend(text, by: 7, .greedy, &generator, Self.decoder(model, 9))
    for token in found.tokens {
      transformer.forward(text, rows: 1, length: text.count, model.parameters, space)
      transformer.logits((text.count - 1)..<text.count, model.parameters, space)
      #expect((0..<260).allSatisfy { space.logits[$0] <= space.logits[Int(token)] + 1e-4 })
      text.append(token)
    }
    #expect(found.tokens.count == 7)
  }

  @Test("a text ends at its stop, at the limit and where the decoder is full")
  func aTextEnds() {
    let model = SmallModel()
    let decoder = Self.decoder(model, 6)
    var generator = Generator(seed: 1)
    let free = Continuation.extend([1, 2], by: 100, .greedy, &generator, decoder)
    // Six are read, and the sixth has one after it.
    #expect(free.tokens.count == 5 && !free.isWhole)
    let stop = free.tokens[2]
    let place = free.tokens.firstIndex(of: stop) ?? 0
    let ended = Continuation.extend([1, 2], by: 100, until: stop, .greedy, &generator, decoder)
    #expect(ended.isWhole && ended.tokens == Array(free.tokens[..<place]))
    let short = Continuation.extend([1, 2], by: 1, .greedy, &generator, decoder)
    #expect(short.tokens == [free.tokens[0]])
    let none = Continuation.extend([1, 2, 3, 4, 5, 6, 7], by: 1, .greedy, &generator, decoder)
    #expect(none.tokens.isEmpty && !none.isWhole)
  }

  @Test("sampled tokens come as often as the model says")
  func sampledTokensComeAsOften() {
    let model = SmallModel()
    let space = Workspace(model.shape, rows: 1, length: 1)
    let transformer = Transformer(model.shape)
    let decoder = Self.decoder(model, 1)
    var generator = Generator(seed: 6)
    var counts = [Int](repeating: 0, count: 260)
    for _ in 0..<3200 {
      let found = Continuation.extend([3], by: 1, .sampled(temperature: 1), &generator, decoder)
      counts[Int(found.tokens[0])] += 1
    }
    transformer.forward([3], rows: 1, length: 1, model.parameters, space)
    let likely = (0..<260).max { counts[$0] < counts[$1] } ?? 0
    let loss = transformer.losses([Int32(likely)], model.parameters, space)[0]
    let expected = 3200 * exp(-Double(loss))
    #expect(abs(Double(counts[likely]) - expected) < 5 * expected.squareRoot())
  }
}
