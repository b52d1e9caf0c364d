/// Questions of arithmetic and their answers.
enum Sums {
  /// One question and its answer.
  static func exchange(_ speech: inout Speech) -> (question: String, answer: String) {
    switch speech.generator.below(10) {
    case 0, 1, 2: sum(&speech)
    case 3, 4: difference(&speech)
    case 5: product(&speech)
    case 6: story(&speech)
    case 7: comparison(&speech)
    case 8: counting(&speech)
    default: neighbour(&speech)
    }
  }

  private static func asked(_ speech: inout Speech, _ words: String, _ signs: String, _ result: Int)
    -> (String, String)
  {
    switch speech.generator.below(5) {
    case 0: ("What is \(words)?", "\(English.sentence(words)) is \(result).")
    case 1: ("How much is \(words)?", "\(English.sentence(words)) is \(result).")
    case 2: ("\(signs) = ?", "\(signs) = \(result)")
    case 3: ("Calculate \(signs).", "\(signs) = \(result)")
    default: ("Can you work out \(words)?", "Yes. \(English.sentence(words)) is \(result).")
    }
  }

  private static func sum(_ speech: inout Speech) -> (String, String) {
    let limit = speech.once(in: 3) ? 99 : 20
    let one = speech.number(0...limit)
    let other = speech.number(0...limit)
    return asked(&speech, "\(one) plus \(other)", "\(one) + \(other)", one + other)
  }

  private static func difference(_ speech: inout Speech) -> (String, String) {
    let one = speech.number(0...(speech.once(in: 3) ? 99 : 20))
    let other = speech.number(0...one)
    return asked(&speech, "\(one) minus \(other)", "\(one) - \(other)", one - other)
  }

  private static func product(_ speech: inout Speech) -> (String, String) {
    let one = speech.number(0...10)
    let other = speech.number(0...10)
    return asked(&speech, "\(one) times \(other)", "\(one) x \(other)", one * other)
  }

  private static func story(_ speech: inout Speech) -> (String, String) {
    let person = speech.pick(Person.all)
    let noun = speech.pick([
      "apple", "book", "egg", "cup", "flower", "stone", "ball", "nut", "coin", "pencil",
    ])
    let some = speech.number(2...12)
    let name = person.name
    if speech.once(in: 2) {
      let more = speech.number(1...9)
      let gets = speech.say("finds", "gets", "buys")
      return (
        "\(name) has \(English.count(some, noun)) and \(gets) \(more) more. "
          + "How many \(English.plural(noun)) does \(name) have now?",
        "\(some) + \(more) = \(some + more). \(name) has \(English.count(some + more, noun)) now."
      )
    }
    let less = speech.number(1...some - 1)
    return (
      "\(name) has \(English.count(some, noun)) and gives \(less) to \(person.friend). "
        + "How many \(English.plural(noun)) does \(name) have left?",
      "\(some) - \(less) = \(some - less). \(name) has \(English.count(some - less, noun)) left."
    )
  }

  private static func comparison(_ speech: inout Speech) -> (String, String) {
    let one = speech.number(0...50)
    let other = one + speech.number(1...30)
    let (first, second) = speech.once(in: 2) ? (one, other) : (other, one)
    return speech.once(in: 2)
      ? ("Which is more, \(first) or \(second)?", "\(other) is more than \(one).")
      : ("Which is less, \(first) or \(second)?", "\(one) is less than \(other).")
  }

  private static func counting(_ speech: inout Speech) -> (String, String) {
    let start = speech.number(0...30)
    let step = speech.pick([1, 1, 1, 2, 5, 10])
    let numbers = (0...speech.number(3...7)).map { start + $0 * step }
    let steps = step == 1 ? "" : " in steps of \(step)"
    return (
      "Count from \(start) to \(numbers[numbers.count - 1])\(steps).",
      numbers.map(String.init).joined(separator: ", ")
    )
  }

  private static func neighbour(_ speech: inout Speech) -> (String, String) {
    let number = speech.number(1...98)
    switch speech.generator.below(4) {
    case 0: return ("Which number comes after \(number)?", "After \(number) comes \(number + 1).")
    case 1: return ("Which number comes before \(number)?", "Before \(number) comes \(number - 1).")
    case 2: return ("What is half of \(number * 2)?", "Half of \(number * 2) is \(number).")
    default: return ("What is twice \(number)?", "Twice \(number) is \(number * 2).")
    }
  }
}
