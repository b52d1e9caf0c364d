import CGatewayPlugin

/// Checks of the header fields that a plugin wants to send.
enum AnswerFields {
  /// Fields of one answer.
  static let maxFields = 64
  /// Bytes of one value.
  static let maxValueBytes = 8192

  /// The fields when all may be sent as they are; `nil` when one is malformed or frames the message.
  static func checked(
    _ fields: UnsafePointer<gw_field>?,
    _ count: Int
  ) -> UnsafeBufferPointer<gw_field>? {
    if count == 0 { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
    guard let fields = unsafe fields, (1...maxFields).contains(count) else { return nil }
    let all = unsafe UnsafeBufferPointer(start: fields, count: count)
    for index in 0..<count {
      let field = unsafe all[index]
      guard unsafe isName(field.name.borrowed), unsafe !isFraming(field.name.borrowed),
        unsafe !field.value.isMalformed, unsafe isValue(field.value.borrowed)
      else { return nil }
    }
    return unsafe all
  }

  // The token of RFC 9110 §5.6.2: two words of 64 bits, one bit for each ASCII byte.
  private static let tokens: (low: UInt64, high: UInt64) = {
    var low: UInt64 = 0
    var high: UInt64 = 0
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in "!#$%&'*+-.^_`|~0123456789\(letters)".utf8 {
      if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
    }
    return (low, high)
  }()

  private static func isName(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard (1...128).contains(name.count) else { return false }
    let tokens = tokens
    for index in 0..<name.count {
      let byte = unsafe name[index]
      let word = byte < 64 ? tokens.low : tokens.high
      guard byte < 128, word >> UInt64(byte & 63) & 1 == 1 else { return false }
    }
    return true
  }

  // Visible characters, space, tab, and bytes above ASCII (RFC 9110 §5.5); a CR or LF would forge a field.
  private static func isValue(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    guard value.count <= maxValueBytes else { return false }
    for index in 0..<value.count {
      let byte = unsafe value[index]
      if byte < 0x20 && byte != 0x09 || byte == 0x7F { return false }
    }
    return true
  }

  private static let framing: [StaticString] = [
    "te", "upgrade", "trailer", "connection", "keep-alive", "content-length", "transfer-encoding",
  ]

  private static func isFraming(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    for word in framing where word.utf8CodeUnitCount == name.count {
      let letters = unsafe UnsafeBufferPointer(start: word.utf8Start, count: name.count)
      if unsafe zip(letters, name).allSatisfy({ $0 == $1 | 0x20 }) { return true }
    }
    return false
  }
}
