import Wire

/// A request's path, decoded segment by segment (RFC 3986 §3.3).
///
/// Decoding comes after splitting, so that `%2F` is data and never separates. Belongs to one loop
/// and is filled anew for each request.
struct SplitPath: ~Copyable {
  private var bytes: [UInt8] = []
  private var ranges: [Range<Int>] = []

  init() {
    bytes.reserveCapacity(256)
    ranges.reserveCapacity(16)
  }

  var count: Int { ranges.count }

  func isEmpty(_ segment: Int) -> Bool { ranges[segment].isEmpty }

  func equals(_ segment: Int, _ literal: [UInt8]) -> Bool {
    let range = ranges[segment]
    guard range.count == literal.count else { return false }
    for index in 0..<literal.count where bytes[range.lowerBound + index] != literal[index] {
      return false
    }
    return true
  }

  /// The decoded bytes of one segment.
  subscript(segment: Int) -> ArraySlice<UInt8> { bytes[ranges[segment]] }

  /// Splits and decodes `path`, which begins with a slash.
  ///
  /// - Returns: `false` for what no two servers would read alike: a dot segment, plain or encoded, a
  ///   NUL, or a malformed escape. A path of more segments than any pattern has is cut, and so
  ///   matches nothing.
  mutating func split(_ path: Span<UInt8>) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    ranges.removeAll(keepingCapacity: true)
    guard path.count > 1 else { return true }
    var index = 1
    var start = 0
    while true {
      if index == path.count || path[index] == UInt8(ascii: "/") {
        guard !isDotSegment(from: start) else { return false }
        ranges.append(start..<bytes.count)
        start = bytes.count
        guard index < path.count, ranges.count <= PathPattern.maxSegments else { return true }
        index += 1
        continue
      }
      var byte = path[index]
      if byte == UInt8(ascii: "%") {
        guard index + 2 < path.count, let high = ASCII.hexValue(path[index + 1]),
          let low = ASCII.hexValue(path[index + 2])
        else { return false }
        byte = high << 4 | low
        index += 2
      }
      guard byte != 0 else { return false }
      bytes.append(byte)
      index += 1
    }
  }

  private func isDotSegment(from start: Int) -> Bool {
    let count = bytes.count - start
    guard count == 1 || count == 2 else { return false }
    return bytes[start] == UInt8(ascii: ".") && bytes[bytes.count - 1] == UInt8(ascii: ".")
  }
}
