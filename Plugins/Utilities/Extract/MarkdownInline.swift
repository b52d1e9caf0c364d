/// The inside of Markdown lines: marks taken off, words kept.
package enum MarkdownInline {
  /// `text` without emphasis, links' targets, code marks, tags and comments.
  package static func plain(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
      at = step(bytes, at, &output)
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// The cells of a table row, plain; `\|` does not separate.
  package static func cells(_ row: Substring) -> [String] {
    var cells: [String] = []
    var cell = ""
    var escaped = false
    for character in row {
      if character == "|", !escaped {
        cells.append(cell)
        cell = ""
      } else {
        cell.append(character)
      }
      escaped = character == "\\" && !escaped
    }
    cells.append(cell)
    if row.hasPrefix("|") { cells.removeFirst() }
    if let last = cells.last, last.allSatisfy(\.isWhitespace) { cells.removeLast() }
    return cells.map { PlainWords.collapsed(plain($0)) }
  }

  private static func step(_ bytes: [UInt8], _ at: Int, _ output: inout [UInt8]) -> Int {
    let byte = bytes[at]
    switch byte {
    case UInt8(ascii: "\\") where at + 1 < bytes.count && isPunctuation(bytes[at + 1]):
      output.append(bytes[at + 1])
      return at + 2
    case UInt8(ascii: "`"):
      return at + 1
    case UInt8(ascii: "*"), UInt8(ascii: "~"):
      let before = at > 0 ? bytes[at - 1] : 0x20
      let after = at + 1 < bytes.count ? bytes[at + 1] : 0x20
      if ASCIIClass.isSpace(before) && ASCIIClass.isSpace(after) { output.append(byte) }
      return at + 1
    case UInt8(ascii: "_"):
      let before = at > 0 && isWord(bytes[at - 1])
      let after = at + 1 < bytes.count && isWord(bytes[at + 1])
      if before && after { output.append(byte) }  // snake_case is a word
      return at + 1
    case UInt8(ascii: "!") where at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "["):
      return at + 1
    case UInt8(ascii: "["):
      return at + 1
    case UInt8(ascii: "]"):
      return behindTarget(bytes, at + 1)
    case UInt8(ascii: "<"):
      return behindTag(bytes, at, &output)
    default:
      output.append(byte)
      return at + 1
    }
  }

  /// Behind `(target)` or `[reference]`, when one follows a closing bracket.
  private static func behindTarget(_ bytes: [UInt8], _ at: Int) -> Int {
    guard at < bytes.count else { return at }
    let close: UInt8
    switch bytes[at] {
    case UInt8(ascii: "("): close = UInt8(ascii: ")")
    case UInt8(ascii: "["): close = UInt8(ascii: "]")
    default: return at
    }
    guard let end = bytes[at...].firstIndex(of: close) else { return at }
    return end + 1
  }

  private static func behindTag(_ bytes: [UInt8], _ at: Int, _ output: inout [UInt8]) -> Int {
    let next = at + 1 < bytes.count ? bytes[at + 1] : 0
    let opens = ASCIIClass.isLetter(next) || next == UInt8(ascii: "/") || next == UInt8(ascii: "!")
    guard opens, let end = bytes[at...].firstIndex(of: UInt8(ascii: ">")) else {
      output.append(bytes[at])
      return at + 1
    }
    // <https://…> and <name@host> are words, not tags.
    let inside = bytes[(at + 1)..<end]
    if inside.contains(UInt8(ascii: ":")) || inside.contains(UInt8(ascii: "@")),
      !inside.contains(0x20)
    {
      output.append(contentsOf: inside)
    }
    return end + 1
  }

  private static func isPunctuation(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && !ASCIIClass.isAlphanumeric(byte)
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || ASCIIClass.isAlphanumeric(byte)
  }
}

/// Values with the names they stand under.
enum Record {
  /// `name: value; name: value`; empty values are left out, values without a name stand alone.
  static func text(names: [String], values: [String]) -> String {
    var parts: [String] = []
    for (index, value) in values.enumerated() where !value.isEmpty {
      let name = index < names.count ? names[index] : ""
      parts.append(name.isEmpty ? value : "\(name): \(value)")
    }
    return parts.joined(separator: "; ")
  }
}
