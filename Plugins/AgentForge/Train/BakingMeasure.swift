package import GatewayPlugin

/// How well a model calls tools and keeps to a persona, by what it really answers to questions it never saw.
package struct BakingMeasure: Sendable, Equatable {
  /// Of tool questions: the share of answers with a call that reads, that names the right tool, and that also has the
  /// right arguments; and the share of answers that pass on the tool's result once it is given.
  package var parses, rightTool, rightArguments, passesResult: Double
  /// Of persona questions: the share of answers with the persona's facts.
  package var persona: Double

  /// For reports.
  package var json: JSON {
    [
      "tool_call_parses": .number(parses), "tool_call_right_tool": .number(rightTool),
      "tool_call_right_arguments": .number(rightArguments),
      "answer_has_tool_result": .number(passesResult), "persona_consistency": .number(persona),
    ]
  }
}

/// The questions that `BakingMeasure` is taken on.
package struct BakingExam: Sendable {
  /// Held out from training.
  package let dialogues: [ToolDialogue]
  /// Held out from training.
  package let questions: [PersonaQuestion]
  /// Writes them.
  package let lessons: Lessons
  package let tokenizer: Tokenizer

  /// An exam of these questions.
  package init(
    _ dialogues: [ToolDialogue],
    _ questions: [PersonaQuestion],
    _ lessons: Lessons,
    _ tokenizer: Tokenizer
  ) {
    self.dialogues = dialogues
    self.questions = questions
    self.lessons = lessons
    self.tokenizer = tokenizer
  }

  /// What one answer was worth: the five numbers of `BakingMeasure`, each 0 or 1.
  private struct Marks: Sendable {
    var parses = 0.0
    var rightTool = 0.0
    var rightArguments = 0.0
    var passesResult = 0.0
    var persona = 0.0
  }

  /// Asks the model everything, greedily, some questions side by side.
  ///
  /// - Parameters:
  ///   - answers: Of the model.
  ///   - parallel: The threads; as many questions are put side by side.
  ///   - checkStop: Asked before each group of questions.
  /// - Returns: The shares; 0 where there are no questions.
  /// - Throws: What `checkStop` throws; `RunFailure` for a model without finite scores.
  package func measure(
    _ answers: DecodedAnswers,
    _ parallel: Parallel,
    checkStop: () throws -> Void
  ) throws -> BakingMeasure {
    let count = dialogues.count + questions.count
    let marks = Slots<Marks>(count, Marks())
    for start in stride(from: 0, to: count, by: parallel.width) {
      try checkStop()
      try parallel(min(parallel.width, count - start)) { worker in
        let index = start + worker
        marks[index] =
          index < dialogues.count
          ? try mark(dialogues[index], answers)
          : try mark(questions[index - dialogues.count], answers)
      }
    }
    let all = marks.all
    func share(_ of: Int, _ value: KeyPath<Marks, Double>) -> Double {
      all.reduce(0) { $0 + $1[keyPath: value] } / Double(max(of, 1))
    }
    return BakingMeasure(
      parses: share(dialogues.count, \.parses),
      rightTool: share(dialogues.count, \.rightTool),
      rightArguments: share(dialogues.count, \.rightArguments),
      passesResult: share(dialogues.count, \.passesResult),
      persona: share(questions.count, \.persona)
    )
  }

  private func mark(_ dialogue: ToolDialogue, _ answers: DecodedAnswers) throws(RunFailure) -> Marks
  {
    var marks = Marks()
    let said = try answers.tokens(
      after: lessons.prompt(dialogue.question),
      limit: tokenizer.encode(dialogue.call.bytes).count + 16
    )
    if let call = ToolCall(in: said, tokenizer) {
      marks.parses = 1
      marks.rightTool = call.name == dialogue.call.name ? 1 : 0
      marks.rightArguments = marks.rightTool > 0 && call.hasArguments(of: dialogue.call) ? 1 : 0
    }
    let answer = try answers.tokens(
      after: lessons.promptAfterResult(dialogue),
      limit: tokenizer.encode(dialogue.answer).count + 16
    )
    let text = String(decoding: tokenizer.decode(answer), as: UTF8.self)
    marks.passesResult = dialogue.passesResult(text) ? 1 : 0
    return marks
  }

  private func mark(
    _ question: PersonaQuestion,
    _ answers: DecodedAnswers
  ) throws(RunFailure) -> Marks {
    let said = try answers.tokens(
      after: lessons.prompt(question.question),
      limit: tokenizer.encode(question.answer).count + 16
    )
    let text = String(decoding: tokenizer.decode(said), as: UTF8.self)
    return Marks(persona: question.isConsistent(text) ? 1 : 0)
  }
}
