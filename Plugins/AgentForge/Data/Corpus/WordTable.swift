/// A table written as text: a line a row, columns apart by `|`.
enum WordTable {
  /// The rows of `text`.
  ///
  /// - Parameters:
  ///   - text: Lines of `columns` words or phrases.
  ///   - columns: How many each line has; anything else is a slip in our own table.
  /// - Returns: One array of `columns` texts a line.
  static func rows(_ text: String, columns: Int) -> [[String]] {
    text.split(separator: "\n").map { line in
      let row = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      precondition(row.count == columns, "not \(columns) columns: \(line)")
      return row
    }
  }
}

/// English word forms, as far as the tables need them.
enum English {
  /// The word with `a` or `an`.
  static func a(_ word: String) -> String {
    let startsWithVowel = word.first.map { "aeiou".contains($0) } ?? false
    // A unicycle and a uniform begin with a consonant to the ear.
    return startsWithVowel && !word.hasPrefix("uni") ? "an \(word)" : "a \(word)"
  }

  /// The plural of a regular noun.
  static func plural(_ noun: String) -> String {
    if let known = irregular[noun] { return known }
    if noun.hasSuffix("y"), let before = noun.dropLast().last, !"aeiou".contains(before) {
      return noun.dropLast() + "ies"
    }
    let isHissing = ["s", "x", "z", "ch", "sh"].contains { noun.hasSuffix($0) }
    return isHissing ? noun + "es" : noun + "s"
  }

  /// `count` of a noun in digits, as `1 apple` and `3 apples`.
  static func count(_ count: Int, _ noun: String) -> String {
    "\(count) \(count == 1 ? noun : plural(noun))"
  }

  /// `one, two and three`.
  static func list(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  /// The text with a capital letter first.
  static func sentence(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  /// 0...20 as a word.
  static func number(_ value: Int) -> String { numbers[value] }

  private static let numbers = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
  ]

  private static let irregular = [
    "mouse": "mice", "goose": "geese", "sheep": "sheep", "fish": "fish", "wolf": "wolves",
    "knife": "knives", "scarf": "scarves", "leaf": "leaves", "loaf": "loaves", "potato": "potatoes",
    "tomato": "tomatoes", "peach": "peaches", "shelf": "shelves", "child": "children",
    "deer": "deer",
  ]
}
