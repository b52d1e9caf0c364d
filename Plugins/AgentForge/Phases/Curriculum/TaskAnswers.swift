package import GatewayPlugin

/// Lets a model answer tasks, really generating each answer.
package enum TaskAnswers {
  /// One answer.
  package struct Answer: Sendable, Equatable {
    /// Without the end of the turn.
    package var tokens: [Int32] = []
    /// Whether it ended by itself and is the task's answer.
    package var isCorrect = false
  }

  /// Answers tasks over the shards of a trainer.
  ///
  /// - Parameters:
  ///   - tasks: Each fits the trainer's length.
  ///   - choice: How tokens are taken.
  ///   - seed: Decides sampled ones.
  ///   - tokenizer: Reads the answers.
  ///   - trainer: Its model answers; the scratch of its workspaces is used.
  ///   - checkStop: Asked between parts; what it throws is thrown on.
  /// - Returns: One answer for each task.
  /// - Throws: What `checkStop` and the threads throw.
  package static func answer(
    _ tasks: [EncodedTask],
    _ choice: Continuation.Choice,
    seed: UInt64,
    _ tokenizer: Tokenizer,
    _ trainer: Trainer,
    checkStop: () throws -> Void = {}
  ) throws -> [Answer] {
    let spaces = trainer.spaces
    let shards = spaces.count
    let (rows, length) = (spaces[0].rows, spaces[0].length)
    let layers = DecodingLayers(trainer.transformer, trainer.parameters)
    let account = trainer.account
    var answers: [Answer] = []
    for start in stride(from: 0, to: tasks.count, by: rows * shards) {
      try checkStop()
      let part = Array(tasks[start..<min(start + rows * shards, tasks.count)])
      let perShard = (part.count + shards - 1) / shards
      let found = Slots<[Answer]>(shards, [])
      try trainer.parallel(shards) { shard in
        let first = min(shard * perShard, part.count)
        let own = Array(part[first..<min(first + perShard, part.count)])
        guard !own.isEmpty else { return }
        var generator = Generator(seed: seed, stream: UInt64(start + first))
        let scratch = spaces[shard].scratch
        let decoder = Decoder(layers, capacity: length, scratch: scratch, account)
        found[shard] = answer(own, choice, &generator, tokenizer, decoder)
      }
      answers += found.all.flatMap(\.self)
    }
    return answers
  }

  private static func answer(
    _ tasks: [EncodedTask],
    _ choice: Continuation.Choice,
    _ generator: inout Generator,
    _ tokenizer: Tokenizer,
    _ decoder: Decoder
  ) -> [Answer] {
    // A right answer has no more tokens than bytes and its end; a longer one is wrong whatever follows.
    let limit = (tasks.map(\.task.answer.utf8.count).max() ?? 0) + 1
    return tasks.map { task in
      let answer = Continuation.extend(
        task.prompt,
        by: limit,
        until: Special.endOfTurn.id,
        choice,
        &generator,
        decoder
      )
      let text = String(decoding: tokenizer.decode(answer.tokens), as: UTF8.self)
      let hasSpecial = answer.tokens.contains { Special(rawValue: $0) != nil }
      return Answer(
        tokens: answer.tokens,
        isCorrect: answer.isWhole && !hasSpecial && isCorrect(text, for: task.task)
      )
    }
  }

  /// The shares of right answers, in all and for each family and level.
  ///
  /// - Parameters:
  ///   - tasks: What was asked.
  ///   - answers: One for each.
  /// - Returns: An object for reports.
  package static func report(_ tasks: [EncodedTask], _ answers: [Answer]) -> JSON {
    func share(_ key: (EncodedTask) -> String) -> JSON {
      var names: [String] = []
      var counts: [String: (right: Int, all: Int)] = [:]
      for (task, answer) in zip(tasks, answers) {
        let name = key(task)
        if counts[name] == nil { names.append(name) }
        let old = counts[name] ?? (0, 0)
        counts[name] = (old.right + (answer.isCorrect ? 1 : 0), old.all + 1)
      }
      return .object(
        names.map { name in
          let (right, all) = counts[name] ?? (0, 1)
          return .init(name: name, value: .number(Double(right) / Double(all)))
        }
      )
    }
    let right = answers.count { $0.isCorrect }
    return [
      "success": .number(Double(right) / Double(max(tasks.count, 1))),
      "tasks": .integer(Int64(tasks.count)), "families": share(\.family),
      "levels": share { "\($0.level)" },
    ]
  }
}
