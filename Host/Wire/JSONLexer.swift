/// The words of JSON: white space, strings, numbers and literals.
///
/// Holds only a place; the bytes are passed to each call, because a struct may not keep a `Span`.
struct JSONLexer {
  var offset = 0
  /// Whether `//` and `/* */` count as white space.
  var allowsComments = false

  /// The next byte, or `nil` at the end.
  @inline(__always)
  func peek(_ bytes: Span<UInt8>) -> UInt8? {
    offset < bytes.count ? bytes[offset] : nil
  }

  func failure(_ reason: String, _ bytes: Span<UInt8>) -> JSONError {
    JSONError(at: offset, in: bytes, reason)
  }

  mutating func skipSpace(_ bytes: Span<UInt8>) throws(JSONError) {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0A, 0x0D: offset += 1
      case UInt8(ascii: "/") where allowsComments: try skipComment(bytes)
      default: return
      }
    }
  }

  private mutating func skipComment(_ bytes: Span<UInt8>) throws(JSONError) {
    let next = offset + 1 < bytes.count ? bytes[offset + 1] : 0
    switch next {
    case UInt8(ascii: "/"):
      while offset < bytes.count, bytes[offset] != ASCII.lineFeed { offset += 1 }
    case UInt8(ascii: "*"):
      var index = offset + 2
      while index + 1 < bytes.count {
        if bytes[index] == UInt8(ascii: "*"), bytes[index + 1] == UInt8(ascii: "/") {
          offset = index + 2
          return
        }
        index += 1
      }
      throw failure("this comment is never closed; end it with */", bytes)
    default:
      throw failure("a comment starts with // or /*", bytes)
    }
  }

  /// Reads `true`, `false` or `null`, of which the first letter has been seen.
  mutating func literal(_ word: String, _ bytes: Span<UInt8>) throws(JSONError) {
    for expected in word.utf8 {
      guard peek(bytes) == expected else {
        throw failure("only true, false and null may stand without quotes", bytes)
      }
      offset += 1
    }
  }

  // MARK: - Numbers

  /// Reads a number, of which the first byte has been seen.
  mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSON {
    let start = offset
    let isNegative = peek(bytes) == UInt8(ascii: "-")
    if isNegative { offset += 1 }
    let firstDigit = offset
    try digits(bytes)
    if bytes[firstDigit] == UInt8(ascii: "0"), offset > firstDigit + 1 {
      offset = firstDigit
      throw failure("a number may not start with 0 and another digit", bytes)
    }
    var isWhole = true
    if peek(bytes) == UInt8(ascii: ".") {
      isWhole = false
      offset += 1
      try digits(bytes)
    }
    if let byte = peek(bytes), byte | 0x20 == UInt8(ascii: "e") {
      isWhole = false
      offset += 1
      if let sign = peek(bytes), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
        offset += 1
      }
      try digits(bytes)
    }
    if isWhole, let value = Self.integer(bytes, firstDigit..<offset, isNegative: isNegative) {
      return .integer(value)
    }
    return try double(bytes, start..<offset)
  }

  private mutating func digits(_ bytes: Span<UInt8>) throws(JSONError) {
    let start = offset
    while offset < bytes.count, ASCII.isDigit(bytes[offset]) { offset += 1 }
    guard offset > start else { throw failure("a digit is missing in this number", bytes) }
  }

  private static func integer(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>,
    isNegative: Bool
  ) -> Int64? {
    guard range.count <= 19 else { return nil }
    var value: UInt64 = 0  // 19 digits always fit
    for index in range { value = value &* 10 &+ UInt64(bytes[index] &- 0x30) }
    if isNegative, value == UInt64(Int64.max) + 1 { return Int64.min }
    guard let positive = Int64(exactly: value) else { return nil }
    return isNegative ? -positive : positive
  }

  private func double(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(JSONError) -> JSON {
    var digits: [UInt8] = []
    digits.reserveCapacity(range.count)
    for index in range { digits.append(bytes[index]) }
    guard let value = Double(String(decoding: digits, as: UTF8.self)), value.isFinite else {
      throw JSONError(at: range.lowerBound, in: bytes, "this number is too large")
    }
    return .number(value)
  }

  // MARK: - Strings

  /// Reads a string, of which the opening quote has been seen.
  mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
    offset += 1
    let start = offset
    while offset < bytes.count {
      let byte = bytes[offset]
      if byte == UInt8(ascii: "\"") {
        offset += 1
        return try text(bytes.extracting(start..<(offset - 1)), at: start, bytes)
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(from: start, bytes) }
      guard byte >= 0x20 else { throw controlByte(bytes) }
      offset += 1
    }
    throw JSONError(at: start - 1, in: bytes, "this string is never closed")
  }

  private func controlByte(_ bytes: Span<UInt8>) -> JSONError {
    failure("line breaks and control characters in a string are written as \\n or \\u00XX", bytes)
  }

  private func text(
    _ content: Span<UInt8>,
    at start: Int,
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> String {
    do throws(UTF8.ValidationError) {
      return String(copying: try UTF8Span(validating: content))
    } catch {
      throw JSONError(at: start, in: bytes, "this string is not valid UTF-8")
    }
  }

  private mutating func escapedString(
    from start: Int,
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> String {
    var content: [UInt8] = []
    for index in start..<offset { content.append(bytes[index]) }
    while offset < bytes.count {
      let byte = bytes[offset]
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        return try text(content.span, at: start, bytes)
      case UInt8(ascii: "\\"): try escape(bytes, into: &content)
      case 0..<0x20: throw controlByte(bytes)
      default:
        content.append(byte)
        offset += 1
      }
    }
    throw JSONError(at: start - 1, in: bytes, "this string is never closed")
  }

  private mutating func escape(
    _ bytes: Span<UInt8>,
    into content: inout [UInt8]
  ) throws(JSONError) {
    let start = offset
    offset += 1
    switch peek(bytes) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(bytes[offset])
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      let scalar = try unicodeEscape(from: start, bytes)
      content.append(contentsOf: String(Character(scalar)).utf8)
      return
    default:
      offset = start
      throw failure("after a backslash only \" \\ / b f n r t and uXXXX are allowed", bytes)
    }
    offset += 1
  }

  /// Reads the `u` and four digits, twice for a pair of surrogates.
  private mutating func unicodeEscape(
    from start: Int,
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> Unicode.Scalar {
    let first = try fourDigits(bytes)
    if let scalar = Unicode.Scalar(first) { return scalar }
    let loneSurrogate = JSONError(
      at: start,
      in: bytes,
      "\\uD800 to \\uDFFF are halves of a character and come in pairs"
    )
    guard first < 0xDC00, peek(bytes) == UInt8(ascii: "\\") else { throw loneSurrogate }
    offset += 1
    guard peek(bytes) == UInt8(ascii: "u") else { throw loneSurrogate }
    let second = try fourDigits(bytes)
    guard 0xDC00...0xDFFF ~= second else { throw loneSurrogate }
    let value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    guard let scalar = Unicode.Scalar(value) else { throw loneSurrogate }
    return scalar
  }

  private mutating func fourDigits(_ bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
    offset += 1
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(bytes), let digit = ASCII.hexValue(byte) else {
        throw failure("\\u needs four hexadecimal digits", bytes)
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }
}
