/// A task as tokens.
package struct EncodedTask: Sendable, Equatable {
  /// The family's name.
  package let family: String
  /// 1...10.
  package let level: Int
  /// The task.
  package let task: Task
  /// What the model reads before it answers.
  package let prompt: [Int32]
  /// Question, answer and the end of the document, the answer being what is learnt.
  package let dialogue: MarkedTokens

  init(_ task: Task, family: String, level: Int, _ tokenizer: Tokenizer) {
    self.task = task
    self.family = family
    self.level = level
    prompt = Dialogue.prompt([Turn(.user, task.prompt)], tokenizer)
    var dialogue = task.dialogue.marked(tokenizer)
    dialogue.append(.endOfText, isTarget: false)
    self.dialogue = dialogue
  }
}

/// Where tasks come from: some families, without those tasks that are kept for evaluation.
package struct TaskDeck: Sendable {
  private let families: [any TaskFamily]
  private let tokenizer: Tokenizer
  private let length: Int
  /// Tasks that are only measured with: of each family some of every level that fits.
  package private(set) var evaluation: [EncodedTask] = []
  private var excluded: Set<Task> = []
  /// Of each family two of the easiest tasks: those of the level of practice.
  private var practised: [EncodedTask] = []

  /// Tasks drawn in vain before a level counts as one that does not fit.
  private static let attempts = 64

  /// A deck.
  ///
  /// - Parameters:
  ///   - families: At least one.
  ///   - tokenizer: Encodes the tasks.
  ///   - length: Tokens that a whole dialogue may have.
  ///   - evaluationTasks: For each family, over all levels.
  ///   - seed: Decides them.
  package init(
    _ families: [any TaskFamily],
    _ tokenizer: Tokenizer,
    length: Int,
    evaluationTasks: Int,
    seed: UInt64
  ) {
    precondition(!families.isEmpty)
    self.families = families
    self.tokenizer = tokenizer
    self.length = length
    var generator = Generator(seed: seed, stream: 0x4556_414C)
    let levels = EdgeOfChaos.levels
    for family in families {
      for index in 0..<evaluationTasks {
        let level = levels.lowerBound + index % levels.count
        guard let task = draw(family, level, &generator) else { continue }
        evaluation.append(task)
        excluded.insert(task.task)
      }
    }
    for family in families + families {
      if let task = draw(family, levels.lowerBound, &generator) { practised.append(task) }
    }
  }

  private func draw(_ family: any TaskFamily, _ level: Int, _ generator: inout Generator)
    -> EncodedTask?
  {
    for _ in 0..<Self.attempts {
      let task = family.make(difficulty: level, using: &generator)
      guard !excluded.contains(task) else { continue }
      let encoded = EncodedTask(task, family: family.name, level: level, tokenizer)
      if encoded.dialogue.tokens.count <= length { return encoded }
    }
    return nil
  }

  /// A task that is not kept for evaluation, of any family.
  ///
  /// - Parameters:
  ///   - level: 0...10; at 0 it is one of a few that are always the same.
  ///   - generator: Decides it.
  /// - Returns: The task.
  /// - Throws: `RunFailure` when in no family a task of that level fits.
  package func draw(level: Int, _ generator: inout Generator) throws(RunFailure) -> EncodedTask {
    if level == EdgeOfChaos.practice, !practised.isEmpty {
      return practised[generator.below(practised.count)]
    }
    let level = max(level, EdgeOfChaos.levels.lowerBound)
    let first = generator.below(families.count)
    for index in families.indices {
      let family = families[(first + index) % families.count]
      if let task = draw(family, level, &generator) { return task }
    }
    throw RunFailure(
      "No task of difficulty \(level) fits \(length) tokens: use other families, or a model with a larger context."
    )
  }
}
