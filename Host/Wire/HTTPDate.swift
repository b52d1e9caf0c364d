/// Dates of HTTP fields, such as `Wed, 27 Aug 2025 14:30:00 GMT` (IMF-fixdate, RFC 9110 §5.6.7).
public enum HTTPDate {
  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Appends the date `seconds` after 1970-01-01T00:00:00Z, always 29 bytes.
  public static func write(seconds: Int64, to output: inout [UInt8]) {
    let time = CivilTime(seconds: seconds)
    output.append(contentsOf: weekdays[time.weekday].utf8)
    output.append(UInt8(ascii: ","))
    output.append(UInt8(ascii: " "))
    ASCII.writeDecimal(time.day, width: 2, to: &output)
    output.append(UInt8(ascii: " "))
    output.append(contentsOf: months[time.month - 1].utf8)
    output.append(UInt8(ascii: " "))
    ASCII.writeDecimal(time.year, width: 4, to: &output)
    output.append(UInt8(ascii: " "))
    ASCII.writeDecimal(time.hour, width: 2, to: &output)
    output.append(UInt8(ascii: ":"))
    ASCII.writeDecimal(time.minute, width: 2, to: &output)
    output.append(UInt8(ascii: ":"))
    ASCII.writeDecimal(time.second, width: 2, to: &output)
    output.append(contentsOf: " GMT".utf8)
  }

  /// Reads an IMF-fixdate.
  ///
  /// The two formats that RFC 9110 calls obsolete are not read; a condition with such a date is
  /// then not met, which costs one full answer.
  ///
  /// - Parameter bytes: The whole field value.
  /// - Returns: Seconds since 1970-01-01T00:00:00Z, or `nil` when this is no such date.
  public static func parse(_ bytes: Span<UInt8>) -> Int64? {
    guard bytes.count == 29, bytes[3] == UInt8(ascii: ","), bytes[4] == 0x20, bytes[7] == 0x20,
      bytes[11] == 0x20, bytes[16] == 0x20, bytes[19] == UInt8(ascii: ":"),
      bytes[22] == UInt8(ascii: ":"), bytes[25] == 0x20, bytes[26] == UInt8(ascii: "G"),
      bytes[27] == UInt8(ascii: "M"), bytes[28] == UInt8(ascii: "T"),
      let weekday = name(bytes, at: 0, of: weekdays),
      let day = ASCII.readDecimal(bytes, at: 5, count: 2),
      let month = name(bytes, at: 8, of: months),
      let year = ASCII.readDecimal(bytes, at: 12, count: 4),
      let hour = ASCII.readDecimal(bytes, at: 17, count: 2),
      let minute = ASCII.readDecimal(bytes, at: 20, count: 2),
      let second = ASCII.readDecimal(bytes, at: 23, count: 2)
    else { return nil }
    let time = CivilTime(
      year: year,
      month: month + 1,
      day: day,
      hour: hour,
      minute: minute,
      second: second
    )
    return time.isValid && time.weekday == weekday ? time.seconds : nil
  }

  private static func name(_ bytes: Span<UInt8>, at offset: Int, of names: [String]) -> Int? {
    names.firstIndex { name in
      var index = offset
      for letter in name.utf8 {
        guard bytes[index] == letter else { return false }
        index += 1
      }
      return true
    }
  }
}
