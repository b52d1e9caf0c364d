import GatewayPlugin

/// The steps of forge_training: batches of tasks and text, measured answers that move the difficulty, and dreams.
struct CurriculumLoop {
  /// How it goes.
  struct Settings: Sendable, Equatable {
    var edge = EdgeOfChaos.Settings()
    /// What text weighs beside tasks, in rows and in the loss.
    var textShare = 0.5
    /// Steps between two measurements, and tasks that each asks.
    var measureEvery = 5
    var measureTasks = 8
    var dreams = Dreams()

    /// How it dreams.
    struct Dreams: Sendable, Equatable {
      /// Steps between two cycles; 0 for none.
      var every = 100
      /// Answers that are dreamt in a cycle, and the most that are trained on.
      var samples = 32
      /// Steps that train on them.
      var steps = 4
      /// Dreams that are kept.
      var buffer = 256
      var temperature = 1.2
    }
  }

  /// A dream cycle that is going on.
  private struct Cycle {
    var facts: [JSON.Member]
    var dialogues: [MarkedTokens]
    var stepsLeft: Int
    var lossBefore: Double
  }

  let curriculum: CurriculumTrainer
  let deck: TaskDeck
  let tokenizer: Tokenizer
  let settings: Settings
  let validation: [Batch]
  /// The seed of sampled answers.
  let seed: UInt64
  private var text: RandomWindows
  private var generator: Generator
  private var cycle: Cycle?
  private var nextDream: Int
  private var dreams: DreamBuffer
  private(set) var edge: EdgeOfChaos
  /// The cycles that ended, the last 200.
  private(set) var cycles: [JSON] = []
  private(set) var cycleCount = 0
  /// Step, difficulty and success at measurements, thinned to at most 400.
  private(set) var curve: [JSON] = []
  private var curveStride = 1
  private var measurements = 0

  init(
    _ curriculum: CurriculumTrainer,
    _ deck: TaskDeck,
    _ tokenizer: Tokenizer,
    _ text: RandomWindows,
    validation: [Batch],
    _ settings: Settings,
    seed: UInt64
  ) {
    self.curriculum = curriculum
    self.deck = deck
    self.tokenizer = tokenizer
    self.text = text
    self.validation = validation
    self.settings = settings
    self.seed = seed
    generator = Generator(seed: seed, stream: 0x5441_534B)
    edge = EdgeOfChaos(settings.edge)
    dreams = DreamBuffer(capacity: settings.dreams.buffer)
    nextDream = settings.dreams.every
  }

  private var trainer: Trainer { curriculum.trainer }

  /// Does one step, and what is due after it.
  ///
  /// - Parameter log: Takes a line about a dream cycle.
  /// - Returns: What the step measured.
  /// - Throws: `RunFailure`, and what the threads throw.
  mutating func step(_ log: (String) -> Void) throws -> CurriculumTrainer.Result {
    if settings.dreams.every > 0, cycle == nil, trainer.step >= nextDream { try fallAsleep(log) }
    let result = try curriculum.step(try batch())
    if cycle != nil {
      cycle?.stepsLeft -= 1
      if let cycle, cycle.stepsLeft == 0 { try wakeUp(log) }
    }
    if trainer.step % settings.measureEvery == 0 { try measure() }
    return result
  }

  /// The next rows: tasks of the present difficulty, or dreams; and text.
  private mutating func batch() throws -> MixedBatch {
    let (rows, length) = (trainer.settings.batchSize, trainer.settings.length)
    let exact = Double(rows) * settings.textShare
    let isMore = generator.uniform() < exact - exact.rounded(.down)
    var textRows = Int(exact) + (isMore ? 1 : 0)
    var dreamt = (cycle?.dialogues ?? []).makeIterator()
    let isDreaming = cycle != nil
    // Dreams have at least one row, or a batch of one would never train on them.
    if isDreaming { textRows = min(textRows, rows - 1) }
    let (edge, deck) = (edge, deck)
    var random = generator
    let tasks = try MixedBatch.pack(rows - textRows, length: length) {
      if isDreaming { return dreamt.next() }
      return try deck.draw(level: edge.level(&random), &random).dialogue
    }
    generator = random
    // A different dream begins the rows of each step.
    if var turned = cycle?.dialogues, let first = turned.first {
      turned.removeFirst()
      cycle?.dialogues = turned + [first]
    }
    let windows = textRows == 0 ? nil : text.next(rows: textRows, length: length)
    return MixedBatch(tasks: tasks, text: windows, length: length, textShare: settings.textShare)
  }

  /// Asks new tasks of the present difficulty, and moves it.
  private mutating func measure() throws {
    var tasks: [EncodedTask] = []
    for _ in 0..<settings.measureTasks {
      tasks.append(try deck.draw(level: edge.level(&generator), &generator))
    }
    let answers = try TaskAnswers.answer(tasks, .greedy, seed: seed, tokenizer, trainer)
    for answer in answers { edge.record(isCorrect: answer.isCorrect) }
    edge.move()
    measurements += 1
    guard measurements % curveStride == 0, let success = edge.success else { return }
    curve.append([.integer(Int64(trainer.step)), .number(edge.value), .number(success)])
    guard curve.count == 400 else { return }
    curve = curve.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    curveStride *= 2
  }

  /// Dreams: answers tasks at a high temperature, keeps what is right and diverse, and takes the best to train on.
  private mutating func fallAsleep(_ log: (String) -> Void) throws {
    nextDream = trainer.step + settings.dreams.every
    var tasks: [EncodedTask] = []
    for _ in 0..<settings.dreams.samples {
      tasks.append(try deck.draw(level: edge.level(&generator), &generator))
    }
    let choice = Continuation.Choice.sampled(temperature: Float(settings.dreams.temperature))
    let answers = try TaskAnswers.answer(
      tasks,
      choice,
      seed: generator.next(),
      tokenizer,
      trainer
    )
    let right = zip(tasks, answers).filter(\.1.isCorrect)
    let scores = right.compactMap { task, answer in
      dreams.add(Self.dialogue(task, answer))
    }
    let best = dreams.takeBest(settings.dreams.samples)
    var facts: [JSON.Member] = [
      .init(name: "step", value: .integer(Int64(trainer.step))),
      .init(name: "samples", value: .integer(Int64(tasks.count))),
      .init(name: "right", value: .integer(Int64(right.count))),
      .init(name: "kept", value: .integer(Int64(scores.count))),
      .init(name: "trained_on", value: .integer(Int64(best.count))),
    ]
    if !scores.isEmpty {
      let mean = scores.reduce(0, +) / Double(scores.count)
      facts.append(.init(name: "diversity", value: .number(mean)))
    }
    guard !best.isEmpty else {
      end(facts)
      log("Dreamt at step \(trainer.step): none of \(tasks.count) answers was right.")
      return
    }
    cycle = Cycle(
      facts: facts,
      dialogues: best,
      stepsLeft: settings.dreams.steps,
      lossBefore: try trainer.validate(validation)
    )
  }

  /// The question as asked and the answer as dreamt.
  private static func dialogue(_ task: EncodedTask, _ answer: TaskAnswers.Answer) -> MarkedTokens {
    var dialogue = MarkedTokens()
    dialogue.append(task.prompt, isTarget: false)
    dialogue.append(answer.tokens, isTarget: true)
    dialogue.append(.endOfTurn, isTarget: true)
    dialogue.append(.endOfText, isTarget: false)
    return dialogue
  }

  /// Ends a dream cycle that the last step cut short.
  ///
  /// - Parameter log: Takes a line about it.
  /// - Throws: What the threads throw.
  mutating func finish(_ log: (String) -> Void) throws { try wakeUp(log) }

  private mutating func wakeUp(_ log: (String) -> Void) throws {
    guard let cycle else { return }
    let after = try trainer.validate(validation)
    end(
      cycle.facts + [
        .init(name: "validation_loss_before", value: .number(cycle.lossBefore)),
        .init(name: "validation_loss_after", value: .number(after)),
      ]
    )
    self.cycle = nil
    log(
      "Dreamt until step \(trainer.step): held-out loss \(cycle.lossBefore) before, \(after) after."
    )
  }

  private mutating func end(_ facts: [JSON.Member]) {
    cycles.append(.object(facts))
    if cycles.count > 200 { cycles.removeFirst() }
    cycleCount += 1
  }
}

extension CurriculumLoop {
  /// What a checkpoint keeps beside the trainer's own.
  var state: JSON {
    [
      "text": text.state, "edge": edge.state, "dreams": dreams.state,
      "generator": .array(generator.state.map { .integer(Int64(bitPattern: $0)) }),
      "next_dream": .integer(Int64(nextDream)), "cycles": .array(cycles),
      "cycle_count": .integer(Int64(cycleCount)), "curve": .array(curve),
      "curve_stride": .integer(Int64(curveStride)), "measurements": .integer(Int64(measurements)),
      "cycle": cycle.map { cycle in
        [
          "facts": .object(cycle.facts), "dialogues": .array(cycle.dialogues.map(\.state)),
          "steps_left": .integer(Int64(cycle.stepsLeft)), "loss_before": .number(cycle.lossBefore),
        ]
      } ?? .null,
    ]
  }

  /// Goes on from a state.
  ///
  /// - Parameter state: As `state` gave it.
  /// - Throws: `RunFailure`, `DataError` when it is none of this run.
  mutating func restore(_ state: JSON) throws {
    let words = state["generator"]?.asArray?.compactMap(\.asInteger) ?? []
    guard let generator = Generator(state: words.map { UInt64(bitPattern: $0) }),
      let nextDream = state["next_dream"]?.asInteger, let cycles = state["cycles"]?.asArray,
      let cycleCount = state["cycle_count"]?.asInteger, let curve = state["curve"]?.asArray,
      let curveStride = state["curve_stride"]?.asInteger, curveStride > 0,
      let measurements = state["measurements"]?.asInteger
    else { throw RunFailure("The checkpoint cannot be read; start the run anew.") }
    try text.restore(state["text"] ?? .null)
    try edge.restore(state["edge"])
    try dreams.restore(state["dreams"])
    self.generator = generator
    self.nextDream = Int(nextDream)
    self.cycles = cycles
    self.cycleCount = Int(cycleCount)
    self.curve = curve
    self.curveStride = Int(curveStride)
    self.measurements = Int(measurements)
    guard let part = state["cycle"], let facts = part["facts"]?.asMembers,
      let left = part["steps_left"]?.asInteger, let loss = part["loss_before"]?.asNumber
    else {
      cycle = nil
      return
    }
    cycle = Cycle(
      facts: facts,
      dialogues: try (part["dialogues"]?.asArray ?? []).map { try MarkedTokens(state: $0) },
      stepsLeft: Int(left),
      lossBefore: loss
    )
  }
}
