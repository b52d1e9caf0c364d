/// Where the sentences of a passage end.
package enum Sentences {
  /// The sentences of `text`, trimmed, in order; line ends always divide.
  package static func split(_ text: String) -> [String] {
    var sentences: [String] = []
    for line in text.split(separator: "\n") {
      let bytes = Array(line.utf8)
      var start = 0
      for end in ends(of: bytes) {
        let sentence = PlainWords.collapsed(String(decoding: bytes[start..<end], as: UTF8.self))
        if !sentence.isEmpty { sentences.append(sentence) }
        start = end
      }
    }
    return sentences
  }

  /// Offsets behind each sentence of one line; the last is the line's length.
  package static func ends(of bytes: [UInt8]) -> [Int] {
    var ends: [Int] = []
    var at = 0
    while at < bytes.count {
      let byte = bytes[at]
      guard byte == UInt8(ascii: ".") || byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?")
      else {
        at += 1
        continue
      }
      var end = at + 1
      while end < bytes.count, closers.contains(bytes[end]) { end += 1 }
      // A closing typographic quote, U+2019 or U+201D, belongs to the sentence.
      if end + 2 < bytes.count, bytes[end] == 0xE2, bytes[end + 1] == 0x80,
        bytes[end + 2] == 0x99 || bytes[end + 2] == 0x9D
      {
        end += 3
      }
      if end < bytes.count, ASCIIClass.isSpace(bytes[end]), isEnd(bytes, mark: at, behind: end) {
        ends.append(end)
      }
      at = end
    }
    if ends.last != bytes.count, !bytes.isEmpty { ends.append(bytes.count) }
    return ends
  }

  private static let closers = Array("\"')].!?".utf8)

  private static let abbreviations: Set<String> = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "eg", "ie", "fig", "no",
    "vol", "approx", "dept", "est", "inc", "ltd", "jr", "sr", "cf", "al", "min", "max", "ca", "pp",
    "ed", "art", "sec", "ch", "ref", "z.b", "bzw", "nr", "usw",
  ]

  private static func isEnd(_ bytes: [UInt8], mark: Int, behind: Int) -> Bool {
    var next = behind
    while next < bytes.count, ASCIIClass.isSpace(bytes[next]) { next += 1 }
    // A sentence does not begin with a small letter.
    if next < bytes.count, ASCIIClass.isLower(bytes[next]) { return false }
    guard bytes[mark] == UInt8(ascii: ".") else { return true }
    var start = mark
    while start > 0, !ASCIIClass.isSpace(bytes[start - 1]), bytes[start - 1] != UInt8(ascii: "(") {
      start -= 1
    }
    let word = String(decoding: bytes[start..<mark], as: UTF8.self).lowercased()
    // "J. Smith" and "e.g. Berlin" go on; "in 1998. Then" does not.
    let isInitial = mark - start == 1 && ASCIIClass.isLetter(bytes[start])
    return !isInitial && !abbreviations.contains(word)
  }
}
