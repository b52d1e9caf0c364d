/// Checks UTF-8 piece by piece (RFC 3629).
///
/// A WebSocket text may be cut inside a character, and its first wrong byte has to be noticed before
/// the message is complete.
package struct UTF8Validator: Sendable {
  /// Continuation bytes still missing.
  private var missing = 0
  /// The bounds of the next continuation byte; they exclude overlong forms and surrogates.
  private var lower: UInt8 = 0x80
  private var upper: UInt8 = 0xBF

  package init() {}

  /// Whether what was checked so far ends between two characters.
  package var isComplete: Bool { missing == 0 }

  /// Takes one more byte; false when it cannot be in UTF-8 here.
  @inline(__always)
  package mutating func accept(_ byte: UInt8) -> Bool {
    if missing == 0 {
      if byte < 0x80 { return true }
      return begin(byte)
    }
    guard lower <= byte, byte <= upper else { return false }
    lower = 0x80
    upper = 0xBF
    missing -= 1
    return true
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC2...0xDF: missing = 1
    case 0xE0...0xEF:
      missing = 2
      if byte == 0xE0 { lower = 0xA0 }
      if byte == 0xED { upper = 0x9F }
    case 0xF0...0xF4:
      missing = 3
      if byte == 0xF0 { lower = 0x90 }
      if byte == 0xF4 { upper = 0x8F }
    default: return false
    }
    return true
  }
}
