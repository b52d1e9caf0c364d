/// Names of files, as strangers give them.
package enum Filename {
  /// Bytes of a name, as most file systems allow.
  package static let maxBytes = 255

  /// `name` made safe to show, to store and to send back; `nil` when nothing is left of it.
  ///
  /// Only what stands behind the last slash of either kind is kept, without control and
  /// direction-changing characters, without dots and spaces at its ends, and cut to `maxBytes`
  /// before its ending.
  package static func sanitized(_ name: String) -> String? {
    let last = name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }.last ?? ""
    var text = ""
    for scalar in last.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: continue
      default: text.unicodeScalars.append(scalar)
      }
    }
    let trimmed = text.trimmingDotsAndSpaces
    guard !trimmed.isEmpty else { return nil }
    guard trimmed.utf8.count > maxBytes else { return trimmed }
    let ending = trimmed.split(separator: ".").last.map { "." + $0 } ?? ""
    guard ending.utf8.count <= 16, ending.utf8.count < trimmed.utf8.count else {
      return PlainWords.prefix(trimmed, bytes: maxBytes)
    }
    return PlainWords.prefix(trimmed, bytes: maxBytes - ending.utf8.count) + ending
  }

  /// The name without its ending.
  package static func stem(_ name: String) -> String {
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }

  /// The `Content-Disposition` that saves under `name` (RFC 6266): quoted ASCII for old clients,
  /// and the exact name as RFC 8187 writes it.
  package static func attachment(_ name: String) -> String {
    var plain = ""
    for scalar in name.unicodeScalars {
      let isSafe =
        scalar.isASCII && scalar.value >= 0x20 && !"\"\\%\u{7F}".unicodeScalars.contains(scalar)
      plain.unicodeScalars.append(isSafe ? scalar : "_")
    }
    let digits = Array("0123456789ABCDEF".utf8)
    var exact: [UInt8] = []
    for byte in name.utf8 {
      if ASCIIClass.isAlphanumeric(byte) || "!#$&+-.^_`|~".utf8.contains(byte) {
        exact.append(byte)
      } else {
        exact += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    let encoded = String(decoding: exact, as: UTF8.self)
    return "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(encoded)"
  }
}

extension String {
  fileprivate var trimmingDotsAndSpaces: String {
    var part = self[...]
    while let last = part.last, last == "." || last.isWhitespace { part = part.dropLast() }
    while let first = part.first, first == "." || first.isWhitespace { part = part.dropFirst() }
    return String(part)
  }
}
