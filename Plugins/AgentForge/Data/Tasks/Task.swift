/// A question whose answer can be checked.
package struct Task: Sendable, Hashable {
  /// What is asked.
  package let prompt: String

  /// The one right answer.
  package let answer: String

  package init(prompt: String, answer: String) {
    self.prompt = prompt
    self.answer = answer
  }

  /// The question and its answer as a dialogue to learn from.
  package var dialogue: Document { .dialogue([Turn(.user, prompt), Turn(.assistant, answer)]) }
}

/// Whether `answer` is right: the task's answer to the letter, but for white space around it.
package func isCorrect(_ answer: String, for task: Task) -> Bool {
  trimmed(answer).elementsEqual(task.answer.utf8)
}

private func trimmed(_ text: String) -> ArraySlice<UInt8> {
  func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
  let bytes = Array(text.utf8)
  guard let first = bytes.firstIndex(where: { !isSpace($0) }),
    let last = bytes.lastIndex(where: { !isSpace($0) })
  else { return [] }
  return bytes[first...last]
}

/// A kind of task that can be made easier and harder.
package protocol TaskFamily: Sendable {
  /// As `addition`; no two families share one.
  static var name: String { get }

  /// A new task.
  ///
  /// - Parameters:
  ///   - difficulty: 1, which a beginner can do, ...10; a harder task is longer or has larger numbers.
  ///   - generator: Decides which one.
  /// - Returns: The task, with its answer.
  func make(difficulty: Int, using generator: inout Generator) -> Task
}

extension TaskFamily {
  /// The family's `name`.
  package var name: String { Self.name }
}

/// All kinds of tasks.
package enum TaskFamilies {
  /// Difficulties that can be asked for, in every family.
  package static let difficulties = 1...10

  /// One of each, always in the same order.
  package static let all: [any TaskFamily] = [
    Addition(), Subtraction(), Multiplication(), Copying(), Reversing(), SortingDigits(),
    CountingLetters(), Continuing(), Recalling(),
  ]

  /// The family of that name, if there is one.
  package static func named(_ name: String) -> (any TaskFamily)? { all.first { $0.name == name } }
}

extension Generator {
  /// `length` characters of `alphabet`, each as likely each time.
  mutating func text(_ length: Int, of alphabet: String) -> String {
    let letters = Array(alphabet)
    return String((0..<length).map { _ in letters[below(letters.count)] })
  }

  /// A whole number of `digits` digits, 1...18; 0 counts as one of one digit.
  mutating func number(digits: Int) -> Int {
    var bound = 1
    for _ in 1..<max(digits, 1) { bound *= 10 }
    return digits <= 1 ? below(10) : bound + below(9 * bound)
  }
}
