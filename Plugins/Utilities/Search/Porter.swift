/// Porter's stemming of 1980, as SQLite's `porter` tokenizer does it.
///
/// Ranking and quoting look at the same stems as the index, so a match there is a match here.
package enum Porter {
  /// The stem of a folded word; words under 3 or over 64 bytes stay as they are.
  package static func stem(_ word: [UInt8]) -> [UInt8] {
    guard (3...64).contains(word.count) else { return word }
    var stem = Stem(bytes: word)
    stem.plurals()
    stem.pastAndPresent()
    if stem.ends("y"), stem.hasVowel(before: 1) { stem.bytes[stem.bytes.count - 1] = 0x69 }
    stem.replace(Stem.second, whenMeasureAbove: 0)
    stem.replace(Stem.third, whenMeasureAbove: 0)
    stem.fourth()
    stem.fifth()
    return stem.bytes
  }
}

private struct Stem {
  var bytes: [UInt8]

  typealias Rule = (suffix: StaticString, to: StaticString)
  static let second: [Rule] = [
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"),
    ("logi", "log"), ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"),
    ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"),
    ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"),
    ("biliti", "ble"),
  ]
  static let third: [Rule] = [
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""),
    ("ness", ""),
  ]
  static let fourthSuffixes: [StaticString] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
  ]

  func ends(_ suffix: StaticString) -> Bool {
    let count = suffix.utf8CodeUnitCount
    guard bytes.count >= count else { return false }
    return suffix.withUTF8Buffer { wanted in
      (0..<count).allSatisfy { unsafe wanted[$0] == bytes[bytes.count - count + $0] }
    }
  }

  private func isVowel(_ index: Int) -> Bool {
    switch bytes[index] {
    case UInt8(ascii: "a"), UInt8(ascii: "e"), UInt8(ascii: "i"), UInt8(ascii: "o"),
      UInt8(ascii: "u"):
      true
    case UInt8(ascii: "y"): index > 0 && !isVowel(index - 1)
    default: false
    }
  }

  func hasVowel(before suffix: Int) -> Bool {
    (0..<(bytes.count - suffix)).contains(where: isVowel)
  }

  /// Porter's m: how often a vowel is followed by a consonant in what stands before the suffix.
  private func measure(before suffix: Int) -> Int {
    var measure = 0
    var wasVowel = false
    for index in 0..<(bytes.count - suffix) {
      let vowel = isVowel(index)
      if wasVowel, !vowel { measure += 1 }
      wasVowel = vowel
    }
    return measure
  }

  private var endsInDoubleConsonant: Bool {
    let count = bytes.count
    return count >= 2 && bytes[count - 1] == bytes[count - 2] && !isVowel(count - 1)
  }

  /// Consonant, vowel, consonant other than w, x, y, at the end of what stands before the suffix.
  private func endsShort(before suffix: Int) -> Bool {
    let count = bytes.count - suffix
    guard count >= 3, !isVowel(count - 1), isVowel(count - 2), !isVowel(count - 3) else {
      return false
    }
    return ![UInt8(ascii: "w"), UInt8(ascii: "x"), UInt8(ascii: "y")].contains(bytes[count - 1])
  }

  private mutating func cut(_ count: Int, adding suffix: StaticString = "") {
    bytes.removeLast(count)
    suffix.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func plurals() {
    if ends("sses") || ends("ies") {
      cut(2)
    } else if ends("s"), !ends("ss") {
      cut(1)
    }
  }

  mutating func pastAndPresent() {
    if ends("eed") {
      if measure(before: 3) > 0 { cut(1) }
      return
    }
    let suffix = ends("ed") ? 2 : ends("ing") ? 3 : 0
    guard suffix > 0, hasVowel(before: suffix) else { return }
    cut(suffix)
    if ends("at") || ends("bl") || ends("iz") {
      cut(0, adding: "e")
    } else if endsInDoubleConsonant, !ends("l"), !ends("s"), !ends("z") {
      cut(1)
    } else if measure(before: 0) == 1, endsShort(before: 0) {
      cut(0, adding: "e")
    }
  }

  /// Only the first suffix that stands there is looked at, whether or not its condition holds.
  mutating func replace(_ rules: [Rule], whenMeasureAbove least: Int) {
    guard let rule = rules.first(where: { ends($0.suffix) }) else { return }
    let count = rule.suffix.utf8CodeUnitCount
    if measure(before: count) > least { cut(count, adding: rule.to) }
  }

  mutating func fourth() {
    let found = Self.fourthSuffixes.filter(ends).max { $0.utf8CodeUnitCount < $1.utf8CodeUnitCount }
    guard let suffix = found else { return }
    let count = suffix.utf8CodeUnitCount
    guard measure(before: count) > 1 else { return }
    if ends("ion") {
      let before = bytes.count - 4
      guard before >= 0, bytes[before] == UInt8(ascii: "s") || bytes[before] == UInt8(ascii: "t")
      else { return }
    }
    cut(count)
  }

  mutating func fifth() {
    if ends("e") {
      let measure = measure(before: 1)
      if measure > 1 || (measure == 1 && !endsShort(before: 1)) { cut(1) }
    }
    if measure(before: 0) > 1, endsInDoubleConsonant, ends("l") { cut(1) }
  }
}
