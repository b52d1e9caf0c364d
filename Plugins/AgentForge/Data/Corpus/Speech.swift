/// Draws words and phrases; the same seed draws the same.
struct Speech {
  var generator: Generator

  /// One of `choices`, which are not empty, each as likely.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
    choices[generator.below(choices.count)]
  }

  /// One of the phrases.
  mutating func say(_ phrases: String...) -> String { pick(phrases) }

  /// `count` different ones of `choices`, or all where they are fewer.
  mutating func several<Choice>(_ count: Int, of choices: [Choice]) -> [Choice] {
    var left = choices
    return (0..<min(count, choices.count)).map { _ in left.remove(at: generator.below(left.count)) }
  }

  /// A whole number of `range`.
  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + generator.below(range.count)
  }

  /// True once in `times`.
  mutating func once(in times: Int) -> Bool { generator.below(times) == 0 }
}
