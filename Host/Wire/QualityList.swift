/// What a client prefers, as `Accept` and `Accept-Encoding` say it (RFC 9110 §12.4.2, §12.5).
///
/// Qualities are thousandths. An element with a malformed quality is passed over.
package enum QualityList {
  /// Whether `Accept-Encoding` admits gzip.
  package static func acceptsGzip(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
    var wildcard = 0
    var list = FieldList(value)
    while let element = list.next(bytes) {
      guard let (name, quality) = split(bytes, element) else { continue }
      if ASCII.isEqual(bytes, name, "gzip") || ASCII.isEqual(bytes, name, "x-gzip") {
        return quality > 0
      }
      if ASCII.isEqual(bytes, name, "*") { wildcard = quality }
    }
    return wildcard > 0
  }

  /// Whether `Accept` prefers `application/problem+json` over `application/json`.
  ///
  /// Only a client that names the problem type gets it: `*/*` does not. Of two equal qualities the
  /// one named first counts.
  package static func prefersProblem(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
    var problem = 0
    var json = 0
    var jsonIsFirst = false
    var list = FieldList(value)
    while let element = list.next(bytes) {
      guard let (name, quality) = split(bytes, element) else { continue }
      if ASCII.isEqual(bytes, name, "application/problem+json") {
        problem = quality
      } else if ASCII.isEqual(bytes, name, "application/json") {
        json = quality
        jsonIsFirst = problem == 0
      }
    }
    return problem > json || problem > 0 && problem == json && !jsonIsFirst
  }

  /// The name of an element and its quality; `nil` when the quality is malformed.
  private static func split(
    _ bytes: Span<UInt8>,
    _ element: Range<Int>
  ) -> (name: Range<Int>, quality: Int)? {
    var index = element.lowerBound
    while index < element.upperBound, bytes[index] != UInt8(ascii: ";") { index += 1 }
    let name = ASCII.trimmed(bytes, element.lowerBound..<index)
    var quality = 1000
    while index < element.upperBound {
      let start = index + 1
      index = start
      while index < element.upperBound, bytes[index] != UInt8(ascii: ";") { index += 1 }
      let parameter = ASCII.trimmed(bytes, start..<index)
      if parameter.count >= 2, bytes[parameter.lowerBound] | 0x20 == UInt8(ascii: "q"),
        bytes[parameter.lowerBound + 1] == UInt8(ascii: "=")
      {
        guard let parsed = self.quality(bytes, (parameter.lowerBound + 2)..<parameter.upperBound)
        else { return nil }
        quality = parsed
      }
    }
    return (name, quality)
  }

  /// `0` to `1` with at most three digits of fraction, in thousandths.
  private static func quality(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard let first = range.first, range.count <= 5, bytes[first] &- 0x30 < 2 else { return nil }
    var value = Int(bytes[first] &- 0x30) * 1000
    guard range.count > 1 else { return value }
    guard bytes[first + 1] == UInt8(ascii: ".") else { return nil }
    var unit = 100
    for index in (first + 2)..<range.upperBound {
      guard ASCII.isDigit(bytes[index]) else { return nil }
      value += Int(bytes[index] &- 0x30) * unit
      unit /= 10
    }
    return value <= 1000 ? value : nil
  }
}
