/// Bytes of ASCII as protocols classify them.
package enum ASCII {
  package static let carriageReturn = UInt8(ascii: "\r")
  package static let lineFeed = UInt8(ascii: "\n")

  // Classes are four 64-bit masks, one bit per byte value, written as literals: a static array would
  // cost a check for lazy initialisation on every byte.

  /// Whether `byte` may stand in a token, such as a method or a field name (RFC 9110 §5.6.2).
  @inline(__always)
  package static func isToken(_ byte: UInt8) -> Bool {
    // ! # $ % & ' * + - . 0-9 | A-Z ^ _ ` a-z | ~
    isIn(byte, 0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE)
  }

  /// Whether `byte` may stand in a field value: HTAB, SP, visible ASCII or obs-text
  /// (RFC 9110 §5.5).
  @inline(__always)
  package static func isFieldContent(_ byte: UInt8) -> Bool {
    byte >= 0x20 ? byte != 0x7F : byte == 0x09
  }

  /// Whether `byte` may stand in a request target: visible ASCII without `#`, which starts a
  /// fragment and is never sent (RFC 9112 §3.2).
  @inline(__always)
  package static func isTarget(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
  }

  /// Whether `byte` may stand in the name of a host (RFC 3986 §3.2.2).
  @inline(__always)
  package static func isHostName(_ byte: UInt8) -> Bool {
    // unreserved, sub-delims and "%"
    isIn(byte, 0x2BFF_7FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE)
  }

  @inline(__always)
  package static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// Whether `byte` needs no escape anywhere in a URI (RFC 3986 §2.3).
  @inline(__always)
  package static func isUnreserved(_ byte: UInt8) -> Bool {
    isIn(byte, 0x03FF_6000_0000_0000, 0x47FF_FFFE_87FF_FFFE)
  }

  /// The value of a hexadecimal digit, or `nil` when `byte` is none.
  @inline(__always)
  package static func hexValue(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- 0x30 }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter + 10 : nil
  }

  /// `byte` with `A`-`Z` made small; every other byte is left alone.
  @inline(__always)
  package static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  @inline(__always)
  private static func isIn(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
    guard byte < 0x80 else { return false }
    let mask = byte < 0x40 ? low : high
    return mask &>> UInt64(byte & 0x3F) & 1 != 0
  }

  /// Whether `bytes[range]` is `text`, which is given in small letters, in any case of letters.
  package static func isEqual(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>,
    _ text: StaticString
  ) -> Bool {
    let count = text.utf8CodeUnitCount
    guard range.count == count else { return false }
    var index = 0
    while index < count {
      // A literal's bytes are constants of the program, and `index` stays below their count. A
      // `String` would cost 40 instructions per letter here.
      let letter = unsafe text.utf8Start[index]
      guard lowercased(bytes[range.lowerBound &+ index]) == letter else { return false }
      index &+= 1
    }
    return true
  }

  /// `range` without spaces and tabs at its ends.
  @inline(__always)
  package static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
    while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
    return start..<end
  }

  /// The text of `bytes[range]`, or `nil` when it is not UTF-8.
  package static func string(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
    do throws(UTF8.ValidationError) {
      return String(copying: try UTF8Span(validating: bytes.extracting(range)))
    } catch {
      return nil
    }
  }

  /// Appends `value` in decimal digits.
  package static func writeDecimal(_ value: UInt64, to output: inout [UInt8]) {
    guard value >= 10 else { return output.append(0x30 &+ UInt8(truncatingIfNeeded: value)) }
    var divisor: UInt64 = 10
    while value / divisor >= 10 { divisor &*= 10 }
    var rest = value
    while divisor > 0 {
      output.append(0x30 &+ UInt8(truncatingIfNeeded: rest / divisor))
      rest %= divisor
      divisor /= 10
    }
  }

  /// Appends `value` as exactly `width` decimal digits, with leading zeros.
  package static func writeDecimal(_ value: Int, width: Int, to output: inout [UInt8]) {
    var divisor = 1
    for _ in 1..<width { divisor *= 10 }
    while divisor > 0 {
      output.append(0x30 &+ UInt8(truncatingIfNeeded: value / divisor % 10))
      divisor /= 10
    }
  }

  /// Reads `count` decimal digits at `offset`; `nil` when one is missing or is no digit.
  static func readDecimal(_ bytes: Span<UInt8>, at offset: Int, count: Int) -> Int? {
    guard offset >= 0, offset + count <= bytes.count else { return nil }
    var value = 0
    for index in offset..<(offset + count) {
      guard isDigit(bytes[index]) else { return nil }
      value = value * 10 + Int(bytes[index] &- 0x30)
    }
    return value
  }
}
