/// A path the peer was not allowed to send.
package enum PathError: Error, Equatable, Sendable {
  case malformedPercent
  case nul
  case dotSegment
  case notUTF8

  /// The status of the answer.
  package var status: UInt16 { 400 }

  /// What was wrong and how to send it right.
  package var message: String {
    switch self {
    case .malformedPercent: "A '%' in the path lacks two hexadecimal digits; write it as %25."
    case .nul: "The path contains a NUL byte; remove it."
    case .dotSegment: "The path contains '.' or '..' as a segment; send the path they lead to."
    case .notUTF8: "The path is not UTF-8 once decoded; encode it as UTF-8."
    }
  }
}

/// The segments of a path, between its slashes.
///
/// Dot segments are refused, also in percent-encoding, rather than resolved: a proxy in front may
/// have checked another path than the one that would result. An encoded slash is data of its
/// segment and never separates.
package enum PathSegments {
  /// Checks every segment without decoding it into memory.
  ///
  /// - Parameters:
  ///   - bytes: What holds the path.
  ///   - range: The path, as sent.
  /// - Returns: Whether any byte is percent-encoded, that is whether segments need decoding.
  /// - Throws: `PathError` for the first segment that is refused.
  package static func check(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>
  ) throws(PathError) -> Bool {
    var isEncoded = false
    var length = 0  // decoded bytes of the segment so far
    var dots = 0  // how many of them are dots
    var index = range.lowerBound
    while index < range.upperBound {
      var byte = bytes[index]
      if byte == UInt8(ascii: "/") {
        guard dots == 0 || dots != length || dots > 2 else { throw .dotSegment }
        length = 0
        dots = 0
        index += 1
        continue
      }
      if byte == UInt8(ascii: "%") {
        guard let decoded = PercentCoding.decodeOne(bytes, index, end: range.upperBound) else {
          throw .malformedPercent
        }
        byte = decoded
        isEncoded = true
        index += 2
      }
      guard byte != 0 else { throw .nul }
      length += 1
      if byte == UInt8(ascii: ".") { dots += 1 }
      index += 1
    }
    guard dots == 0 || dots != length || dots > 2 else { throw .dotSegment }
    return isEncoded
  }

  /// The text of one segment, decoded.
  ///
  /// - Parameters:
  ///   - bytes: What holds the segment.
  ///   - range: The segment, as sent, without slashes.
  /// - Returns: The text; may contain slashes that were encoded.
  /// - Throws: `PathError` when the segment cannot be decoded.
  package static func decode(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>
  ) throws(PathError) -> String {
    guard let decoded = PercentCoding.decode(bytes, range) else { throw .malformedPercent }
    guard !decoded.contains(0) else { throw .nul }
    guard let text = ASCII.string(decoded.span, 0..<decoded.count) else { throw .notUTF8 }
    return text
  }
}
