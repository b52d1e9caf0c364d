/// Tokens to text as they come, never a part of a character.
///
/// All texts given, one after the other, are `String(decoding:as:)` of all the bytes: a character whose bytes are not
/// all there is held back, and bytes that are no UTF-8 become U+FFFD.
package struct TextDecoder: Sendable {
  private let tokenizer: Tokenizer
  private var pending: [UInt8] = []

  package init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  /// The text that `token` completes; often empty.
  package mutating func append(_ token: Int32) -> String {
    pending += tokenizer.bytes(of: token)
    let whole = pending.count - unfinished()
    let text = String(decoding: pending[..<whole], as: UTF8.self)
    pending.removeFirst(whole)
    return text
  }

  /// What was held back, now that nothing follows: U+FFFD, or nothing.
  package mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end begin a character that is not whole yet.
  private func unfinished() -> Int {
    for length in 1...3 where length <= pending.count {
      let lead = pending[pending.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let second = length > 1 ? pending[pending.count - length + 1] : nil
      return Self.begins(lead, second, length) ? length : 0
    }
    return 0
  }

  /// Whether `length` bytes, of which those after the second are continuations, can begin a longer character.
  ///
  /// The table of well-formed sequences in RFC 3629, section 4.
  private static func begins(_ lead: UInt8, _ second: UInt8?, _ length: Int) -> Bool {
    let (size, seconds): (Int, ClosedRange<UInt8>) =
      switch lead {
      case 0xC2...0xDF: (2, 0x80...0xBF)
      case 0xE0: (3, 0xA0...0xBF)
      case 0xED: (3, 0x80...0x9F)
      case 0xE1...0xEF: (3, 0x80...0xBF)
      case 0xF0: (4, 0x90...0xBF)
      case 0xF4: (4, 0x80...0x8F)
      case 0xF1...0xF3: (4, 0x80...0xBF)
      default: (1, 0x80...0xBF)
      }
    return length < size && second.map(seconds.contains) ?? true
  }
}
