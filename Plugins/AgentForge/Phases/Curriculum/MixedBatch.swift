/// Rows of tasks and rows of text, with what each target weighs in the loss.
package struct MixedBatch: Sendable, Equatable {
  /// Rows of tasks first.
  package let batch: Batch
  /// Rows of tasks.
  package let taskRows: Int
  /// One for each target; they sum to 1 when anything counts.
  package let weights: [Float]

  /// A batch whose text weighs `textShare`, and whose tasks weigh the rest, however many targets each has.
  ///
  /// - Parameters:
  ///   - tasks: Rows of tasks, of `length` tokens and targets each; may be empty when `text` is not.
  ///   - text: Rows of text; may be missing when `tasks` are not.
  ///   - length: Tokens a row.
  ///   - textShare: What text weighs, 0...1; where one kind is missing the other weighs 1.
  package init(
    tasks: [(tokens: [Int32], targets: [Int32])],
    text: Batch?,
    length: Int,
    textShare: Double
  ) {
    taskRows = tasks.count
    batch = Batch(
      rows: tasks.count + (text?.rows ?? 0),
      length: length,
      tokens: tasks.flatMap(\.tokens) + (text?.tokens ?? []),
      targets: tasks.flatMap(\.targets) + (text?.targets ?? [])
    )
    let border = tasks.count * length
    let taskTargets = batch.targets[..<border].count { $0 >= 0 }
    let textTargets = batch.targets[border...].count { $0 >= 0 }
    let share = taskTargets == 0 ? 1 : textTargets == 0 ? 0 : textShare
    let taskWeight = Float(1 - share) / Float(max(taskTargets, 1))
    let textWeight = Float(share) / Float(max(textTargets, 1))
    weights =
      [Float](repeating: taskWeight, count: border)
      + [Float](repeating: textWeight, count: batch.targets.count - border)
  }

  /// Dialogues one after another in rows, as many whole ones as fit each; what is left is padded and does not count.
  ///
  /// - Parameters:
  ///   - count: The most rows.
  ///   - length: Tokens a row.
  ///   - next: The next dialogue, of at most `length` tokens; `nil` for no more.
  /// - Returns: The rows that have a dialogue.
  package static func pack(_ count: Int, length: Int, _ next: () throws -> MarkedTokens?) rethrows
    -> [(tokens: [Int32], targets: [Int32])]
  {
    var rows: [(tokens: [Int32], targets: [Int32])] = []
    var left: MarkedTokens?
    while rows.count < count {
      var row = MarkedTokens()
      while let dialogue = try left ?? next() {
        left = dialogue
        guard row.tokens.count + dialogue.tokens.count <= length else { break }
        row.append(dialogue)
        left = nil
      }
      guard !row.tokens.isEmpty else { break }
      let missing = length - row.tokens.count
      rows.append(
        (
          row.tokens + repeatElement(Special.endOfText.id, count: missing),
          row.targets + repeatElement(-1, count: missing)
        )
      )
    }
    return rows
  }
}
