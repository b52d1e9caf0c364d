/// Base64 with `+`, `/` and padding (RFC 4648 §4).
package enum Base64 {
  /// The text of `bytes`, padded.
  package static func encode(_ bytes: [UInt8]) -> String {
    var output: [UInt8] = []
    output.reserveCapacity((bytes.count + 2) / 3 * 4)
    write(bytes.span, alphabet: .standard, to: &output)
    while output.count % 4 != 0 { output.append(UInt8(ascii: "=")) }
    return String(decoding: output, as: UTF8.self)
  }

  /// The bytes that `text` stands for, or `nil` when it is not exactly what `encode` writes.
  package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var count = text.count
    while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
    return read(text.extracting(first: count), alphabet: .standard)
  }

  /// The two digits that the alphabets do not share.
  struct Alphabet {
    let digit62: UInt8
    let digit63: UInt8

    static var standard: Alphabet { Alphabet(digit62: 0x2B, digit63: 0x2F) }
    static var url: Alphabet { Alphabet(digit62: 0x2D, digit63: 0x5F) }

    func digit(_ value: UInt8) -> UInt8 {
      switch value {
      case 0..<26: 0x41 + value
      case 26..<52: 0x61 + value - 26
      case 52..<62: 0x30 + value - 52
      case 62: digit62
      default: digit63
      }
    }

    func value(_ digit: UInt8) -> UInt8? {
      switch digit {
      case 0x41...0x5A: digit - 0x41
      case 0x61...0x7A: digit - 0x61 + 26
      case 0x30...0x39: digit - 0x30 + 52
      case digit62: 62
      case digit63: 63
      default: nil
      }
    }
  }

  static func write(_ bytes: Span<UInt8>, alphabet: Alphabet, to output: inout [UInt8]) {
    var bits: UInt32 = 0
    var count = 0
    for index in bytes.indices {
      bits = bits << 8 | UInt32(bytes[index])
      count += 8
      while count >= 6 {
        count -= 6
        output.append(alphabet.digit(UInt8(truncatingIfNeeded: bits >> UInt32(count)) & 0x3F))
      }
    }
    if count > 0 {
      output.append(alphabet.digit(UInt8(truncatingIfNeeded: bits << UInt32(6 - count)) & 0x3F))
    }
  }

  /// Reads digits without padding; `nil` when a byte is no digit, when a digit is left over, or
  /// when the unused bits of the last digit are not zero, which would give one value two texts.
  static func read(_ text: Span<UInt8>, alphabet: Alphabet) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(text.count / 4 * 3 + 2)
    var bits: UInt32 = 0
    var count = 0
    for index in text.indices {
      guard let value = alphabet.value(text[index]) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    guard bits & (1 << UInt32(count) - 1) == 0 else { return nil }
    return output
  }
}
