/// Text made fit for passages: no control characters, white space collapsed.
package enum PlainWords {
  /// `text` with every run of white space and control characters as one space, and none at its ends.
  package static func collapsed(_ text: String) -> String {
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count)
    var gap = false
    var held: UInt8?
    func add(_ byte: UInt8) {
      if gap, !output.isEmpty { output.append(0x20) }
      gap = false
      output.append(byte)
    }
    for byte in text.utf8 {
      if let first = held {
        held = nil
        if byte == 0xA0 {  // U+00A0, the no-break space
          gap = true
          continue
        }
        add(first)
        output.append(byte)
      } else if byte == 0xC2 {
        held = byte
      } else if byte <= 0x20 || byte == 0x7F {
        gap = true
      } else {
        add(byte)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Words as a reader counts them: runs without white space that hold a letter or a digit.
  package static func count(_ text: String) -> Int {
    var words = 0
    var counted = false
    for byte in text.utf8 {
      if byte <= 0x20 {
        counted = false
      } else if !counted, byte >= 0x80 || ASCIIClass.isAlphanumeric(byte) {
        words += 1
        counted = true
      }
    }
    return words
  }

  /// At most `limit` bytes of `text`, whole characters only.
  package static func prefix(_ text: String, bytes limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: limit)
    while end > text.startIndex, String.Index(end, within: text) == nil {
      end = text.utf8.index(before: end)
    }
    return String(text[..<end])
  }
}

/// Bytes of ASCII as documents classify them.
enum ASCIIClass {
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
  static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
  static func isUpper(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }
  static func isLower(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 }
  static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }
  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 0x09 < 5 }
  static func lower(_ byte: UInt8) -> UInt8 { isUpper(byte) ? byte | 0x20 : byte }
}
