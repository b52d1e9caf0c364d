/// What a `Range` field asks of a body of known length (RFC 9110 §14).
public enum ByteRange: Equatable, Sendable {
  /// Send the whole body with status 200.
  ///
  /// The field is malformed, has another unit, or asks for several ranges, which a server may
  /// ignore.
  case whole
  /// Send these bytes with status 206.
  case partial(Range<Int64>)
  /// Nothing of the body is asked for; answer with status 416.
  case unsatisfiable

  /// Reads the value of a `Range` field.
  ///
  /// - Parameters:
  ///   - value: The field value.
  ///   - length: Bytes of the whole body.
  /// - Returns: What to send.
  public static func parse(_ value: Span<UInt8>, length: Int64) -> ByteRange {
    guard value.count > 6, ASCII.isEqual(value, 0..<6, "bytes=") else { return .whole }
    let spec = ASCII.trimmed(value, 6..<value.count)
    var index = spec.lowerBound
    let first = number(value, &index, end: spec.upperBound)
    guard index < spec.upperBound, value[index] == UInt8(ascii: "-") else { return .whole }
    index += 1
    let last = number(value, &index, end: spec.upperBound)
    guard index == spec.upperBound else { return .whole }

    switch (first, last) {
    case (nil, nil): return .whole
    case (nil, let suffix?):
      guard suffix > 0, length > 0 else { return .unsatisfiable }
      return .partial((length - min(suffix, length))..<length)
    case (let first?, let last):
      if let last, last < first { return .whole }
      guard first < length else { return .unsatisfiable }
      let end = last.map { $0 < length ? $0 + 1 : length } ?? length
      return .partial(first..<end)
    }
  }

  /// A number of digits; `nil` when there is none.
  ///
  /// Beyond 63 bits it stays at the largest value, which no body reaches.
  private static func number(_ bytes: Span<UInt8>, _ index: inout Int, end: Int) -> Int64? {
    let start = index
    var value: Int64 = 0
    while index < end, ASCII.isDigit(bytes[index]) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(Int64(bytes[index] &- 0x30))
      value = overflow || carried ? Int64.max : sum
      index += 1
    }
    return index > start ? value : nil
  }
}
