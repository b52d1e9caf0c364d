/// `347 + 58 =`: the larger number has as many digits as half the difficulty, rounded up.
package struct Addition: TaskFamily {
  package static let name = "addition"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    let (one, other) = operands(difficulty, &generator)
    return Task(prompt: "\(one) + \(other) =", answer: "\(one + other)")
  }
}

/// `347 - 58 =`, never below zero; digits as in `Addition`.
package struct Subtraction: TaskFamily {
  package static let name = "subtraction"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    let (one, other) = operands(difficulty, &generator)
    return Task(prompt: "\(max(one, other)) - \(min(one, other)) =", answer: "\(abs(one - other))")
  }
}

/// `47 x 8 =`: one digit times one at first, five times five at last.
package struct Multiplication: TaskFamily {
  package static let name = "multiplication"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    let (one, other) = operands(difficulty, &generator)
    return Task(prompt: "\(one) x \(other) =", answer: "\(one * other)")
  }
}

/// Two numbers: at an odd difficulty the second has a digit less than the first, at an even one as many.
private func operands(_ difficulty: Int, _ generator: inout Generator) -> (Int, Int) {
  checkDifficulty(difficulty)
  let digits = (difficulty + 1) / 2
  let fewer = difficulty % 2 == 1 ? digits - 1 : digits
  // Difficulty 1 is about the digits up to 4.
  if difficulty == 1 { return (generator.below(5), generator.below(5)) }
  return (generator.number(digits: digits), generator.number(digits: fewer))
}

/// `Continue: 3, 5, 7,`: an arithmetic sequence, of which the next number is asked.
///
/// Steps and numbers grow with the difficulty; from 6 on it may fall.
package struct Continuing: TaskFamily {
  package static let name = "continuing"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let step = 1 + generator.below(2 * difficulty)
    let start = generator.below(10 * difficulty)
    var numbers = (0..<4).map { start + $0 * step }
    if difficulty >= 6, generator.below(2) == 0 { numbers.reverse() }
    return Task(
      prompt: "Continue: \(numbers.dropLast().map(String.init).joined(separator: ", ")),",
      answer: "\(numbers[3])"
    )
  }
}

/// A family asked for what is none of `TaskFamilies.difficulties` is a programmer's error.
func checkDifficulty(_ difficulty: Int) {
  precondition(TaskFamilies.difficulties.contains(difficulty), "difficulty \(difficulty)")
}
