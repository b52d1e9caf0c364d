/// Texts of the environment as values; each refusal says what would be taken.
package enum SettingsValue {
  package typealias Refusal = SettingsVariable.Refusal

  /// A yes or no in any of the usual spellings.
  package static func flag(_ text: String) throws(Refusal) -> Bool {
    switch text.lowercased() {
    case "true", "1", "yes": return true
    case "false", "0", "no": return false
    default: throw Refusal(remedy: "write true or false (1, 0, yes and no are taken too)")
    }
  }

  /// A whole number in decimal digits, without sign or separators.
  package static func number(_ text: String, _ allowed: ClosedRange<Int>) throws(Refusal) -> Int {
    guard text.utf8.allSatisfy(isDigit), let number = Int(text), allowed.contains(number) else {
      throw Refusal(
        remedy: "write a whole number from \(allowed.lowerBound) to \(allowed.upperBound)"
      )
    }
    return number
  }

  /// Seconds with up to nine decimals.
  package static func seconds(
    _ text: String,
    milliseconds allowed: ClosedRange<Int64>
  ) throws(Refusal) -> Duration {
    let low = Duration.milliseconds(allowed.lowerBound)
    let high = Duration.milliseconds(allowed.upperBound)
    let refusal = Refusal(
      remedy: "write seconds from \(secondsText(low)) to \(secondsText(high)), such as 2 or 0.5"
    )
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }),
      parts[0].utf8.count <= 9, let whole = Int64(parts[0])
    else { throw refusal }
    var nanoseconds: Int64 = 0
    if parts.count == 2 {
      let decimals = String(parts[1])
      guard decimals.utf8.count <= 9,
        let value = Int64(decimals + String(repeating: "0", count: 9 - decimals.utf8.count))
      else { throw refusal }
      nanoseconds = value
    }
    let duration = Duration(
      secondsComponent: whole,
      attosecondsComponent: nanoseconds * 1_000_000_000
    )
    guard duration >= low, duration <= high else { throw refusal }
    return duration
  }

  /// A duration as `seconds` reads it: `75`, `0.005`.
  package static func secondsText(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = attoseconds / 1_000_000_000
    if nanoseconds == 0 { return "\(seconds)" }
    let digits = "\(nanoseconds)"
    var decimals = String(repeating: "0", count: 9 - digits.count) + digits
    while decimals.hasSuffix("0") { decimals.removeLast() }
    return "\(seconds).\(decimals)"
  }

  /// One of a few words, in any case.
  package static func word<Value>(
    _ text: String,
    _ allowed: [(String, Value)]
  ) throws(Refusal) -> Value {
    let small = text.lowercased()
    for (name, value) in allowed where name == small { return value }
    throw Refusal(remedy: "write one of \(allowed.map(\.0).joined(separator: ", "))")
  }

  /// Items between commas, with blanks around them removed.
  static func list(_ text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map { String(trimmed($0)) }
  }

  /// A piece of a value as a message may show it: escaped, and not longer than a line.
  static func quoted(_ text: String) -> String {
    String(text.prefix(60)).debugDescription + (text.count > 60 ? "…" : "")
  }

  static func trimmed(_ text: Substring) -> Substring {
    var rest = text
    while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
    while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
    return rest
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
  }

  /// Whether `text` may stand in a log line, a field value and a terminal as it is.
  static func isPrintable(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
  }
}
