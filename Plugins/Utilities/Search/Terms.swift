/// Words of text as the index sees them.
package enum Terms {
  /// One word: as it is written, and its stem.
  package struct Term: Sendable, Hashable {
    /// Lower case, without accents.
    package var word: String
    /// Of the word, or of the base form of an irregular one.
    package var stem: String
  }

  /// The words of `text`, in order: runs of letters and digits.
  package static func all(in text: String) -> [Term] {
    var terms: [Term] = []
    var word: [UInt8] = []
    func finish() {
      guard !word.isEmpty else { return }
      let text = String(decoding: word, as: UTF8.self)
      let stem = Inflections.base(of: text).map { Porter.stem(Array($0.utf8)) } ?? Porter.stem(word)
      terms.append(Term(word: text, stem: String(decoding: stem, as: UTF8.self)))
      word.removeAll(keepingCapacity: true)
    }
    for scalar in text.unicodeScalars {
      if scalar.isASCII {
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        if ASCIIClass.isAlphanumeric(byte) { word.append(ASCIIClass.lower(byte)) } else { finish() }
      } else if isPartOfWord(scalar) {
        fold(scalar, into: &word)
      } else {
        finish()
      }
    }
    finish()
    return terms
  }

  /// The stems of `text`, in order.
  package static func stems(in text: String) -> [String] { all(in: text).map(\.stem) }

  private static func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .privateUse:
      true
    default: false
    }
  }

  private static func fold(_ scalar: Unicode.Scalar, into word: inout [UInt8]) {
    if (0x300..<0x370).contains(scalar.value) { return }  // a combining accent
    for lower in scalar.properties.lowercaseMapping.unicodeScalars {
      if lower == "\u{B5}" {  // the micro sign is the letter mu
        word.append(contentsOf: "\u{3BC}".utf8)
        continue
      }
      if let letter = plain(lower) {
        word.append(letter)
        continue
      }
      if !(0x300..<0x370).contains(lower.value) {
        word.append(contentsOf: String(Character(lower)).utf8)
      }
    }
  }

  /// The letter without its accent; `nil` where SQLite's tokenizer leaves it as it is.
  private static func plain(_ scalar: Unicode.Scalar) -> UInt8? {
    let letter: UInt8
    switch scalar.value {
    case 0xE0..<0x250: letter = latin[Int(scalar.value) - 0xE0]
    case 0x1E00..<0x1F00: letter = latinAdditional[Int(scalar.value) - 0x1E00]
    default: return nil
    }
    return letter == UInt8(ascii: "?") ? nil : letter
  }

  /// U+00E0…U+024F; `?` has no plain letter.
  private static let latin = Array(
    ("aaaaaa?ceeeeiiii?nooooo??uuuuy?y"
      + "aaaaaaccccccccdd??eeeeeeeeeegggg"
      + "gggghh??iiiiiiiii???jjkk?llllll?"
      + "???nnnnnn???oooooo??rrrrrrssssss"
      + "sstttt??uuuuuuuuuuuuwwyyyzzzzzzs"
      + "????????????????????????????????"
      + "oo?????????????uu???????????????"
      + "?????????????aaiioouuuuuuuuuu?aa"
      + "??????ggkkoooo??j???gg??nnaa????"
      + "aaaaeeeeiiiioooorrrruuuusstt??hh"
      + "??????aaeeooooooooyy????????????"
      + "????????????????").utf8
  )

  /// U+1E00…U+1EFF.
  private static let latinAdditional = Array(
    ("aabbbbbbccddddddddddeeeeeeeeeeff"
      + "gghhhhhhhhhhiiiikkkkkkllllllllmm"
      + "mmmmnnnnnnnnoooooooopppprrrrrrrr"
      + "ssssssssssttttttttuuuuuuuuuuvvvv"
      + "wwwwwwwwwwxxxxyyzzzzzzhtwy?s????"
      + "aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
      + "eeeeeeeeiiiioooooooooooooooooooo"
      + "oooouuuuuuuuuuuuuuyyyyyyyy??????").utf8
  )

  /// What `how` asks for.
  static let measures: Set<String> = [
    "big", "deep", "far", "fast", "heavy", "high", "large", "long", "old", "often", "soon", "tall",
    "wide",
  ]

  /// Words that a question is put with and that say nothing of its subject.
  package static let stopWords: Set<String> = Set(
    """
    a about above after again all also am an and any are as at be because been before being below \
    between both but by can could d did do does doing down during each few for from further get \
    give had has have having he her here hers him his how i if in into is it its itself just ll \
    many may me might more most much must my no nor not of off on once only or other our ours out \
    over own please re s same shall she should so some such t tell than that the their theirs them \
    then there these they this those through to too under until up us very was we were what when \
    where which while who whom whose why will with would you your yours
    """.split(separator: " ").map(String.init)
  )
}
