import Wire

/// The trace id of W3C Trace Context (level 2), taken over or made.
enum TraceContext {
  /// Where in the value of a `traceparent` field the trace id stands.
  ///
  /// - Parameter field: `00-` 32 hex digits `-` 16 hex digits `-` 2 hex digits; later versions may
  ///   have more behind that.
  /// - Returns: The 32 digits, or `nil` when the field is malformed and a new trace begins.
  static func traceID(in field: Span<UInt8>) -> Range<Int>? {
    guard field.count >= 55, field[2] == dash, field[35] == dash, field[52] == dash,
      isHex(field, 0..<2), isHex(field, 3..<35), isHex(field, 36..<52), isHex(field, 53..<55)
    else { return nil }
    let isVersionZero = field[0] == zero && field[1] == zero
    let isForbidden = field[0] == UInt8(ascii: "f") && field[1] == UInt8(ascii: "f")
    guard !isForbidden, isVersionZero ? field.count == 55 : field.count == 55 || field[55] == dash
    else { return nil }
    guard !isZero(field, 3..<35), !isZero(field, 36..<52) else { return nil }
    return 3..<35
  }

  private static let dash = UInt8(ascii: "-")
  private static let zero = UInt8(ascii: "0")

  /// Lowercase only: §3.2.2.2 and following.
  private static func isHex(_ field: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range {
      switch field[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): continue
      default: return false
      }
    }
    return true
  }

  private static func isZero(_ field: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range where field[index] != zero { return false }
    return true
  }
}
