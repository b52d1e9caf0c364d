/// Tasks that models are compared by: fixed ones, of which every model gets the same.
package struct TaskSet: Sendable {
  /// In a fixed order.
  package let tasks: [Task]

  /// Tasks of all families in turn.
  ///
  /// - Parameters:
  ///   - count: How many, 0 or more.
  ///   - difficulty: 1...10.
  ///   - generator: Decides which.
  package init(_ count: Int, difficulty: Int, _ generator: inout Generator) {
    let families = TaskFamilies.all
    tasks = (0..<count).map {
      families[$0 % families.count].make(difficulty: difficulty, using: &generator)
    }
  }

  /// These tasks.
  package init(_ tasks: [Task]) { self.tasks = tasks }

  /// The tasks as rows of a batch whose only targets are the answers, and the end of the turn after them.
  ///
  /// - Parameters:
  ///   - model: Its tokenizer and template write the tasks; a task longer than `length` is left out.
  ///   - rows: Of one batch; the last may have fewer.
  ///   - length: Tokens a row.
  /// - Returns: The batches; none when no task fits.
  package func batches(_ model: LanguageModel, rows: Int, length: Int) -> [Batch] {
    let fitting = tasks.map { Self.marked($0, model) }.filter { $0.tokens.count <= length }
    return stride(from: 0, to: fitting.count, by: rows).map { first in
      Batch(fitting[first..<min(first + rows, fitting.count)].map(\.self), length: length)
    }
  }

  private static func marked(_ task: Task, _ model: LanguageModel) -> MarkedTokens {
    switch model.template {
    case .dialogue:
      return Dialogue.render(
        [Turn(.user, task.prompt), Turn(.assistant, task.answer)],
        model.tokenizer
      )
    case .plain:
      var marked = MarkedTokens()
      marked.append(model.tokenizer.encode(task.prompt), isTarget: false)
      marked.append(model.tokenizer.encode(" " + task.answer), isTarget: true)
      return marked
    }
  }
}

extension Batch {
  /// One sequence a row, filled up with `endOfText` that counts for nothing.
  ///
  /// - Parameters:
  ///   - sequences: At least one, none longer than `length`; the marked tokens are the targets.
  ///   - length: Tokens a row.
  package init(_ sequences: [MarkedTokens], length: Int) {
    var tokens: [Int32] = []
    var targets: [Int32] = []
    for sequence in sequences {
      precondition(sequence.tokens.count <= length, "\(sequence.tokens.count) of \(length) tokens")
      let padding = length - sequence.tokens.count
      tokens += sequence.tokens + Array(repeating: Special.endOfText.id, count: padding)
      targets += sequence.targets + Array(repeating: -1, count: padding)
    }
    self.init(rows: sequences.count, length: length, tokens: tokens, targets: targets)
  }
}
