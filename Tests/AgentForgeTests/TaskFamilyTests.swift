import Testing

@testable import AgentForge

@Suite("Tasks with checkable answers")
struct TaskFamilyTests {
  typealias Task = AgentForge.Task

  /// The answer found anew from the prompt alone.
  private func solve(_ prompt: String, _ family: String) -> String? {
    let words = prompt.split(separator: " ").map(String.init)
    switch family {
    case "addition", "subtraction", "multiplication":
      guard words.count == 4, let one = Int(words[0]), let other = Int(words[2]) else { return nil }
      switch words[1] {
      case "+": return "\(one + other)"
      case "-": return "\(one - other)"
      case "x": return "\(one * other)"
      default: return nil
      }
    case "copying": return words[1]
    case "reversing": return String(words[1].reversed())
    case "sorting_digits":
      let digits = words[1].compactMap(\.wholeNumberValue)
      return digits.count == words[1].count ? digits.sorted().map(String.init).joined() : nil
    case "counting_letters":
      return
        "\(words[4].dropLast().split(separator: words[2], omittingEmptySubsequences: false).count - 1)"
    case "continuing":
      let numbers = words.dropFirst().compactMap { Int($0.dropLast()) }
      guard numbers.count == 3, numbers[2] - numbers[1] == numbers[1] - numbers[0] else {
        return nil
      }
      return "\(2 * numbers[2] - numbers[1])"
    case "recalling":
      let asked = prompt.dropLast().suffix(1)
      let fact = prompt.split(separator: ". ")[0].split(separator: ", ").first {
        $0.hasPrefix("\(asked)=")
      }
      return fact.map { String($0.dropFirst(2)) }
    default: return nil
    }
  }

  @Test("every answer is right, at every difficulty", arguments: TaskFamilies.all.map(\.name))
  func everyAnswerIsRight(_ name: String) throws {
    let family = try #require(TaskFamilies.named(name))
    var generator = Generator(seed: 12)
    for difficulty in 1...10 {
      for _ in 0..<40 {
        let task = family.make(difficulty: difficulty, using: &generator)
        #expect(task.answer == solve(task.prompt, name), "\(task.prompt)")
        #expect(isCorrect(task.answer, for: task))
      }
    }
  }

  @Test(
    "harder tasks are longer or larger, and tasks differ",
    arguments: TaskFamilies.all.map(\.name)
  )
  func harderTasksAreLonger(_ name: String) throws {
    let family = try #require(TaskFamilies.named(name))
    func tasks(_ difficulty: Int) -> [Task] {
      var generator = Generator(seed: 3)
      return (0..<50).map { _ in family.make(difficulty: difficulty, using: &generator) }
    }
    func length(_ difficulty: Int) -> Int {
      tasks(difficulty).reduce(0) { $0 + $1.prompt.utf8.count }
    }
    #expect(length(1) < length(4))
    #expect(length(4) < length(10))
    #expect(Set(tasks(10)).count > 45)
    #expect(tasks(5) == tasks(5))
  }

  @Test("nine families have nine names")
  func familiesHaveNames() {
    #expect(Set(TaskFamilies.all.map(\.name)).count == TaskFamilies.all.count)
    #expect(TaskFamilies.all.count == 9)
    #expect(TaskFamilies.named("guessing") == nil)
  }

  @Test("an answer is right to the letter, but for white space around it")
  func anAnswerIsRightToTheLetter() {
    let task = Task(prompt: "Copy: ab", answer: "ab")
    for right in ["ab", " ab\n", "\tab\r\n"] { #expect(isCorrect(right, for: task)) }
    for wrong in ["", " ", "a b", "ab.", "AB", "abab", "a", "\u{FEFF}ab"] {
      #expect(!isCorrect(wrong, for: task))
    }
    // Equal to Unicode, other letters all the same.
    #expect(!isCorrect("e\u{301}", for: Task(prompt: "Copy: é", answer: "é")))
    #expect(task.dialogue == .dialogue([Turn(.user, "Copy: ab"), Turn(.assistant, "ab")]))
  }
}
