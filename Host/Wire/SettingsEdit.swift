extension SettingsDocument {
  /// The file with one member of its outermost object set; everything else stays as it stands.
  ///
  /// A member that is there gets the value in its old one's place. A new one becomes the first, on a line of its own
  /// where the first member has one.
  ///
  /// - Parameters:
  ///   - name: Of the member.
  ///   - value: Its new value.
  ///   - bytes: The file; its outermost value is an object.
  /// - Returns: The changed file.
  /// - Throws: `JSONError` with the place of the first fault; nothing can be changed in a file that cannot be read.
  package static func setting(
    _ name: String,
    to value: JSON,
    in bytes: [UInt8]
  ) throws(JSONError) -> [UInt8] {
    guard try parse(bytes).root.members != nil else {
      throw JSONError(at: 0, in: bytes.span, "the file must hold an object, in curly brackets")
    }
    let places = try MemberPlaces(bytes.span)
    if let range = places.values.first(where: { $0.name == name })?.range {
      return bytes[..<range.lowerBound] + value.bytes + bytes[range.upperBound...]
    }
    let member = JSON.string(name).bytes + Array(": ".utf8) + value.bytes
    let comma = Array((places.values.isEmpty ? "" : ",").utf8)
    guard let line = places.secondLine else {
      let gap = Array((places.values.isEmpty ? "" : " ").utf8)
      return bytes[..<places.inside] + member + comma + gap + bytes[places.inside...]
    }
    let usesReturn = line >= 2 && bytes[line - 2] == ASCII.carriageReturn
    let end = Array((usesReturn ? "\r\n" : "\n").utf8)
    return bytes[..<line] + places.indent + member + comma + end + bytes[line...]
  }
}

/// Where the members of a file's outermost object are.
private struct MemberPlaces {
  /// Each name with the bytes of its value.
  private(set) var values: [(name: String, range: Range<Int>)] = []
  /// The place behind the opening bracket.
  let inside: Int
  /// The beginning of the line behind the bracket's own, when nothing but a comment stands on that one.
  private(set) var secondLine: Int?
  /// The blanks in front of the first member, when it begins its line; two otherwise.
  private(set) var indent: [UInt8] = [0x20, 0x20]

  /// - Parameter bytes: A file that was parsed without fault and holds an object.
  /// - Throws: `JSONError`, never for such a file.
  init(_ bytes: Span<UInt8>) throws(JSONError) {
    var lexer = JSONLexer(allowsComments: true)
    if bytes.count >= 3, bytes[0] == 0xEF { lexer.offset = 3 }  // a byte order mark
    try lexer.skipSpace(bytes)
    lexer.offset += 1
    inside = lexer.offset
    secondLine = Self.lineBehind(inside, bytes)
    try lexer.skipSpace(bytes)
    if lexer.peek(bytes) == UInt8(ascii: "\"") {
      indent = Self.blanks(before: lexer.offset, bytes) ?? indent
    }
    while lexer.peek(bytes) == UInt8(ascii: "\"") {
      let name = try lexer.string(bytes)
      try lexer.skipSpace(bytes)
      lexer.offset += 1  // the colon
      try lexer.skipSpace(bytes)
      let start = lexer.offset
      let end = try Self.passValue(&lexer, bytes)
      values.append((name, start..<end))
      if lexer.peek(bytes) == UInt8(ascii: ",") { lexer.offset += 1 }
      try lexer.skipSpace(bytes)
    }
  }

  /// Steps over one value and the space behind it.
  ///
  /// - Returns: Where the value ends.
  private static func passValue(
    _ lexer: inout JSONLexer,
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> Int {
    var depth = 0
    var end = lexer.offset
    while let byte = lexer.peek(bytes) {
      switch byte {
      case UInt8(ascii: "\""): _ = try lexer.string(bytes)
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        lexer.offset += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard depth > 0 else { return end }
        depth -= 1
        lexer.offset += 1
      case UInt8(ascii: ",") where depth == 0: return end
      default: lexer.offset += 1
      }
      end = lexer.offset
      try lexer.skipSpace(bytes)
    }
    return end
  }

  private static func lineBehind(_ start: Int, _ bytes: Span<UInt8>) -> Int? {
    var index = start
    while index < bytes.count, [0x20, 0x09, ASCII.carriageReturn].contains(bytes[index]) {
      index += 1
    }
    if index + 1 < bytes.count, bytes[index] == UInt8(ascii: "/"),
      bytes[index + 1] == UInt8(ascii: "/")
    {
      while index < bytes.count, bytes[index] != ASCII.lineFeed { index += 1 }
    }
    return index < bytes.count && bytes[index] == ASCII.lineFeed ? index + 1 : nil
  }

  private static func blanks(before end: Int, _ bytes: Span<UInt8>) -> [UInt8]? {
    var start = end
    while start > 0, bytes[start - 1] == 0x20 || bytes[start - 1] == 0x09 { start -= 1 }
    guard start > 0, bytes[start - 1] == ASCII.lineFeed else { return nil }
    return (start..<end).map { bytes[$0] }
  }
}
