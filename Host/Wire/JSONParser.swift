extension JSON {
  /// Reads one value and nothing else (RFC 8259).
  ///
  /// Strict: no comments, no trailing commas, valid UTF-8, no byte order mark. A repeated name is
  /// refused, because two readers could otherwise see two different values; names that Unicode
  /// holds equal count as repeated.
  ///
  /// - Parameters:
  ///   - bytes: The whole text.
  ///   - maxDepth: How many arrays and objects may stand in each other.
  /// - Returns: The value.
  /// - Throws: `JSONError` at the first byte that decides it.
  public static func parse(
    _ bytes: Span<UInt8>,
    maxDepth: Int = 64
  ) throws(JSONError) -> JSON {
    var parser = JSONParser(maxDepth: maxDepth)
    return try parser.document(bytes)
  }

  /// Reads one value and nothing else, as `parse(_:maxDepth:)` does with a depth of 64.
  ///
  /// - Parameter bytes: The whole text.
  /// - Returns: The value.
  /// - Throws: `JSONError` at the first byte that decides it.
  public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
    try parse(bytes.span)
  }

  /// Reads one value and nothing else, as `parse(_:maxDepth:)` does with a depth of 64.
  ///
  /// - Parameter text: The whole text.
  /// - Returns: The value.
  /// - Throws: `JSONError` at the first byte that decides it.
  public static func parse(_ text: String) throws(JSONError) -> JSON {
    try parse(Array(text.utf8).span)
  }
}

/// The grammar of JSON over the words of `JSONLexer`.
private struct JSONParser {
  private var lexer = JSONLexer()
  private var depth = 0
  private let maxDepth: Int

  init(maxDepth: Int) { self.maxDepth = maxDepth }

  mutating func document(_ bytes: Span<UInt8>) throws(JSONError) -> JSON {
    try lexer.skipSpace(bytes)
    let value = try value(bytes)
    try lexer.skipSpace(bytes)
    guard lexer.offset == bytes.count else {
      throw lexer.failure("nothing may follow the value", bytes)
    }
    return value
  }

  private mutating func value(_ bytes: Span<UInt8>) throws(JSONError) -> JSON {
    switch lexer.peek(bytes) {
    case UInt8(ascii: "\""): return .string(try lexer.string(bytes))
    case UInt8(ascii: "{"): return .object(try members(bytes))
    case UInt8(ascii: "["): return .array(try elements(bytes))
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
      return try lexer.number(bytes)
    case UInt8(ascii: "t"):
      try lexer.literal("true", bytes)
      return .bool(true)
    case UInt8(ascii: "f"):
      try lexer.literal("false", bytes)
      return .bool(false)
    case UInt8(ascii: "n"):
      try lexer.literal("null", bytes)
      return .null
    case nil: throw lexer.failure("the text ends where a value is expected", bytes)
    default: throw lexer.failure("a value is expected here", bytes)
    }
  }

  private mutating func open(_ bytes: Span<UInt8>) throws(JSONError) {
    depth += 1
    guard depth <= maxDepth else {
      throw lexer.failure("arrays and objects are nested deeper than \(maxDepth)", bytes)
    }
    lexer.offset += 1
    try lexer.skipSpace(bytes)
  }

  /// Whether the list goes on after an element; steps over the comma or the closing bracket.
  private mutating func goesOn(_ bytes: Span<UInt8>, until close: UInt8) throws(JSONError) -> Bool {
    try lexer.skipSpace(bytes)
    switch lexer.peek(bytes) {
    case UInt8(ascii: ","):
      lexer.offset += 1
      try lexer.skipSpace(bytes)
      return true
    case close:
      lexer.offset += 1
      depth -= 1
      return false
    default:
      let bracket = Character(Unicode.Scalar(close))
      throw lexer.failure("a comma or the closing \(bracket) is expected here", bytes)
    }
  }

  private mutating func elements(_ bytes: Span<UInt8>) throws(JSONError) -> [JSON] {
    try open(bytes)
    var elements: [JSON] = []
    if lexer.peek(bytes) == UInt8(ascii: "]") {
      lexer.offset += 1
      depth -= 1
      return elements
    }
    repeat {
      elements.append(try value(bytes))
    } while try goesOn(bytes, until: UInt8(ascii: "]"))
    return elements
  }

  private mutating func members(_ bytes: Span<UInt8>) throws(JSONError) -> [JSON.Member] {
    try open(bytes)
    var members: [JSON.Member] = []
    var names = NameSet()
    if lexer.peek(bytes) == UInt8(ascii: "}") {
      lexer.offset += 1
      depth -= 1
      return members
    }
    repeat {
      let start = lexer.offset
      guard lexer.peek(bytes) == UInt8(ascii: "\"") else {
        throw lexer.failure("a name in double quotes is expected here", bytes)
      }
      let name = try lexer.string(bytes)
      guard names.insert(name) else {
        throw JSONError(at: start, in: bytes, "this name stands twice in the same object")
      }
      try lexer.skipSpace(bytes)
      guard lexer.peek(bytes) == UInt8(ascii: ":") else {
        throw lexer.failure("a colon is expected after the name", bytes)
      }
      lexer.offset += 1
      try lexer.skipSpace(bytes)
      members.append(JSON.Member(name: name, value: try value(bytes)))
    } while try goesOn(bytes, until: UInt8(ascii: "}"))
    return members
  }
}

/// The names of one object: compared one by one while few, hashed when many.
///
/// An object of a few members is the usual case and allocates no table; one of a hundred thousand
/// must not cost the square of that.
struct NameSet {
  private var few: [String] = []
  private var many: Set<String> = []

  /// Adds `name`; false when it was there already.
  mutating func insert(_ name: String) -> Bool {
    guard many.isEmpty else { return many.insert(name).inserted }
    guard !few.contains(name) else { return false }
    few.append(name)
    if few.count > 16 { many = Set(few) }
    return true
  }
}
