/// Percent-encoding of URIs (RFC 3986 §2.1).
package enum PercentCoding {
  /// The bytes that `bytes[range]` stands for, or `nil` when a `%` lacks two hexadecimal digits.
  ///
  /// - Parameters:
  ///   - bytes: What holds the text.
  ///   - range: Where the text is.
  ///   - plusIsSpace: Whether `+` stands for a space, as in queries and forms.
  /// - Returns: The decoded bytes; they may be anything, also NUL and invalid UTF-8.
  package static func decode(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>,
    plusIsSpace: Bool = false
  ) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") {
        guard let decoded = decodeOne(bytes, index, end: range.upperBound) else { return nil }
        output.append(decoded)
        index += 3
      } else {
        output.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
        index += 1
      }
    }
    return output
  }

  /// The byte that the three bytes at `index`, of which the first is `%`, stand for.
  static func decodeOne(_ bytes: Span<UInt8>, _ index: Int, end: Int) -> UInt8? {
    guard index + 2 < end, let high = ASCII.hexValue(bytes[index + 1]),
      let low = ASCII.hexValue(bytes[index + 2])
    else { return nil }
    return high << 4 | low
  }

  /// Appends `text` with everything escaped that is not unreserved.
  package static func encode(_ text: String, to output: inout [UInt8]) {
    for byte in text.utf8 {
      if ASCII.isUnreserved(byte) {
        output.append(byte)
      } else {
        output.append(UInt8(ascii: "%"))
        output.append(upperHexDigit(byte >> 4))
        output.append(upperHexDigit(byte & 0x0F))
      }
    }
  }

  private static func upperHexDigit(_ digit: UInt8) -> UInt8 {
    digit < 10 ? 0x30 + digit : 0x37 + digit
  }
}
