/// Where text is cut into words, which no merge crosses.
///
/// The pattern of GPT-2 (Radford et al. 2019), written out by hand:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
/// On ASCII text it cuts exactly as that pattern does. Every byte of a character beyond ASCII counts as a letter, so
/// typographic punctuation, digits and spaces beyond ASCII may be cut otherwise than there.
enum WordSplit {
  private enum Kind { case letter, digit, space, other }

  private static func kind(_ byte: UInt8) -> Kind {
    switch byte {
    case 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: .letter
    case 0x30...0x39: .digit
    case 0x09...0x0D, 0x20: .space
    default: .other
    }
  }

  /// Where the word that begins at `start` ends.
  ///
  /// - Parameters:
  ///   - start: Before the end of `bytes`.
  ///   - bytes: The whole text.
  ///   - limit: The most bytes of the word that are read, at least 3; a longer word is cut there.
  /// - Returns: The offset after the word, more than `start` and at most `limit` more.
  static func end(from start: Int, in bytes: Span<UInt8>, limit: Int) -> Int {
    if let end = contraction(at: start, in: bytes) { return end }
    let bound = min(bytes.count, start + limit)
    var first = start
    if bytes[start] == 0x20, start + 1 < bytes.count, kind(bytes[start + 1]) != .space {
      first += 1
    }
    let kind = kind(bytes[first])
    var end = first + 1
    while end < bound, Self.kind(bytes[end]) == kind { end += 1 }
    // The last space before a word goes with the word.
    if kind == .space, end < bytes.count, end - start > 1, Self.kind(bytes[end]) != .space {
      end -= 1
    }
    return end
  }

  private static func contraction(at start: Int, in bytes: Span<UInt8>) -> Int? {
    guard bytes[start] == UInt8(ascii: "'"), start + 1 < bytes.count else { return nil }
    switch bytes[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      guard start + 2 < bytes.count, bytes[start + 2] == UInt8(ascii: "e") else { return nil }
      return start + 3
    case UInt8(ascii: "l"):
      guard start + 2 < bytes.count, bytes[start + 2] == UInt8(ascii: "l") else { return nil }
      return start + 3
    default: return nil
    }
  }
}
