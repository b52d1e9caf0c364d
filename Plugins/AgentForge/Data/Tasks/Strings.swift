/// `Copy: hqzw`: as many letters as the difficulty and one.
package struct Copying: TaskFamily {
  package static let name = "copying"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let text = generator.text(difficulty + 1, of: "abcdefghijklmnopqrstuvwxyz")
    return Task(prompt: "Copy: \(text)", answer: text)
  }
}

/// `Reverse: hqzw`: as many letters as the difficulty and one.
package struct Reversing: TaskFamily {
  package static let name = "reversing"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let text = generator.text(difficulty + 1, of: "abcdefghijklmnopqrstuvwxyz")
    return Task(prompt: "Reverse: \(text)", answer: String(text.reversed()))
  }
}

/// `Sort: 40719`: as many digits as the difficulty and one, from small to large.
package struct SortingDigits: TaskFamily {
  package static let name = "sorting_digits"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let text = generator.text(difficulty + 1, of: "0123456789")
    return Task(prompt: "Sort: \(text)", answer: String(text.sorted()))
  }
}

/// `How many a in banana?`: words of the letters a to d, twice as long as the difficulty and one.
package struct CountingLetters: TaskFamily {
  package static let name = "counting_letters"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let text = generator.text(2 * difficulty + 1, of: "abcd")
    let letter = Character(generator.text(1, of: "abcd"))
    return Task(prompt: "How many \(letter) in \(text)?", answer: "\(text.count { $0 == letter })")
  }
}

/// `k=4, q=7. q?`: as many facts as the difficulty, and a question on one of them.
package struct Recalling: TaskFamily {
  package static let name = "recalling"

  package init() {}

  package func make(difficulty: Int, using generator: inout Generator) -> Task {
    checkDifficulty(difficulty)
    let keys = Array("abcdefghijklmnopqrstuvwxyz").shuffled(using: &generator).prefix(difficulty)
    let values = keys.map { _ in generator.below(10) }
    let asked = generator.below(difficulty)
    let facts = zip(keys, values).map { "\($0)=\($1)" }.joined(separator: ", ")
    return Task(prompt: "\(facts). \(keys[asked])?", answer: "\(values[asked])")
  }
}
