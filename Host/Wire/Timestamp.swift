/// Points in time as RFC 3339 texts in UTC, such as `2025-08-27T14:30:00Z`.
///
/// In numbers, a point in time is nanoseconds since 1970-01-01T00:00:00Z.
public enum Timestamp {
  /// Appends `nanoseconds` since 1970 as a text.
  ///
  /// - Parameters:
  ///   - nanoseconds: The point in time.
  ///   - output: What the text is appended to.
  ///   - milliseconds: Whether three digits of the second's fraction are written; the rest of the
  ///     fraction is cut off, never rounded up.
  public static func write(
    nanoseconds: Int64,
    to output: inout [UInt8],
    milliseconds: Bool = false
  ) {
    var seconds = nanoseconds / 1_000_000_000
    var fraction = nanoseconds % 1_000_000_000
    if fraction < 0 {
      fraction += 1_000_000_000
      seconds -= 1
    }
    let time = CivilTime(seconds: seconds)
    ASCII.writeDecimal(time.year, width: 4, to: &output)
    output.append(UInt8(ascii: "-"))
    ASCII.writeDecimal(time.month, width: 2, to: &output)
    output.append(UInt8(ascii: "-"))
    ASCII.writeDecimal(time.day, width: 2, to: &output)
    output.append(UInt8(ascii: "T"))
    ASCII.writeDecimal(time.hour, width: 2, to: &output)
    output.append(UInt8(ascii: ":"))
    ASCII.writeDecimal(time.minute, width: 2, to: &output)
    output.append(UInt8(ascii: ":"))
    ASCII.writeDecimal(time.second, width: 2, to: &output)
    if milliseconds {
      output.append(UInt8(ascii: "."))
      ASCII.writeDecimal(Int(fraction / 1_000_000), width: 3, to: &output)
    }
    output.append(UInt8(ascii: "Z"))
  }

  /// The text of `nanoseconds` since 1970.
  ///
  /// - Parameters:
  ///   - nanoseconds: The point in time.
  ///   - milliseconds: Whether three digits of the second's fraction are written.
  /// - Returns: The text.
  public static func text(nanoseconds: Int64, milliseconds: Bool = false) -> String {
    var output: [UInt8] = []
    write(nanoseconds: nanoseconds, to: &output, milliseconds: milliseconds)
    return String(decoding: output, as: UTF8.self)
  }

  /// Reads an RFC 3339 text with any offset, and with up to nine digits of fraction.
  ///
  /// - Parameter text: The whole text.
  /// - Returns: Nanoseconds since 1970, or `nil` when the text is no such time, or one outside the
  ///   years 1678 to 2261 that 64 bits hold.
  public static func parse(_ text: String) -> Int64? {
    parse(Array(text.utf8).span)
  }

  /// Reads an RFC 3339 text, as `parse(_:)` of a string does.
  ///
  /// - Parameter bytes: The whole text.
  /// - Returns: Nanoseconds since 1970, or `nil` when the text is no such time.
  public static func parse(_ bytes: Span<UInt8>) -> Int64? {
    guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == UInt8(ascii: ":"),
      bytes[16] == UInt8(ascii: ":"),
      let year = ASCII.readDecimal(bytes, at: 0, count: 4),
      let month = ASCII.readDecimal(bytes, at: 5, count: 2),
      let day = ASCII.readDecimal(bytes, at: 8, count: 2),
      let hour = ASCII.readDecimal(bytes, at: 11, count: 2),
      let minute = ASCII.readDecimal(bytes, at: 14, count: 2),
      let second = ASCII.readDecimal(bytes, at: 17, count: 2)
    else { return nil }
    let time = CivilTime(
      year: year,
      month: month,
      day: day,
      hour: hour,
      minute: minute,
      second: second
    )
    guard time.isValid else { return nil }

    var index = 19
    guard let fraction = fraction(bytes, from: &index), let offset = zone(bytes, from: index) else {
      return nil
    }
    let (whole, overflow) = (time.seconds - offset).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = whole.addingReportingOverflow(fraction)
    return overflow || carried ? nil : sum
  }

  /// Nanoseconds of an optional fraction; `nil` when it is malformed.
  private static func fraction(_ bytes: Span<UInt8>, from index: inout Int) -> Int64? {
    guard bytes[index] == UInt8(ascii: ".") else { return 0 }
    index += 1
    var unit: Int64 = 1_000_000_000
    var value: Int64 = 0
    while index < bytes.count, ASCII.isDigit(bytes[index]) {
      guard unit > 1 else { return nil }
      unit /= 10
      value += Int64(bytes[index] &- 0x30) * unit
      index += 1
    }
    return unit < 1_000_000_000 ? value : nil
  }

  /// Seconds east of UTC; `nil` when the rest of the text is no zone.
  private static func zone(_ bytes: Span<UInt8>, from index: Int) -> Int64? {
    guard index < bytes.count else { return nil }
    if bytes[index] | 0x20 == UInt8(ascii: "z") { return index + 1 == bytes.count ? 0 : nil }
    let sign = bytes[index]
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), bytes.count == index + 6,
      bytes[index + 3] == UInt8(ascii: ":"),
      let hours = ASCII.readDecimal(bytes, at: index + 1, count: 2), hours < 24,
      let minutes = ASCII.readDecimal(bytes, at: index + 4, count: 2), minutes < 60
    else { return nil }
    let seconds = Int64(hours * 3600 + minutes * 60)
    return sign == UInt8(ascii: "-") ? -seconds : seconds
  }
}
