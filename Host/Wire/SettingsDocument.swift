/// A settings file: JSON with comments and trailing commas, in which every value and every name
/// knows its place.
///
/// The reader of a file can so answer a wrong setting with its line and column.
package struct SettingsDocument: Sendable, Equatable {
  /// A place in the file; the first line and the first character of a line are 1.
  package struct Position: Sendable, Equatable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
      self.line = line
      self.column = column
    }
  }

  /// A value and where it starts.
  package struct Node: Sendable, Equatable {
    package var position: Position
    package var value: Value

    /// The value of the member `name`, or `nil` when there is none or this is not an object.
    package subscript(_ name: String) -> Node? {
      guard case .object(let members) = value else { return nil }
      return members.first { $0.name == name }?.node
    }

    /// The members of an object, or `nil` when this is none.
    package var members: [Member]? {
      guard case .object(let members) = value else { return nil }
      return members
    }

    /// The values of an array, or `nil` when this is none.
    package var elements: [Node]? {
      guard case .array(let nodes) = value else { return nil }
      return nodes
    }

    /// The value without its places.
    package var json: JSON {
      switch value {
      case .scalar(let value): value
      case .array(let nodes): .array(nodes.map(\.json))
      case .object(let members):
        .object(members.map { JSON.Member(name: $0.name, value: $0.node.json) })
      }
    }

    /// What the value is, in the words of an error message.
    package var kind: String {
      switch value {
      case .scalar(.null): "null"
      case .scalar(.bool): "true or false"
      case .scalar(.integer), .scalar(.number): "a number"
      case .scalar: "a text"
      case .array: "a list"
      case .object: "an object"
      }
    }
  }

  /// A name, where it starts, and its value.
  package struct Member: Sendable, Equatable {
    package var name: String
    package var namePosition: Position
    package var node: Node
  }

  package indirect enum Value: Sendable, Equatable {
    /// `null`, a truth value, a number or a text; never an array or an object.
    case scalar(JSON)
    case array([Node])
    case object([Member])
  }

  package let root: Node

  /// Reads a whole file.
  ///
  /// - Parameters:
  ///   - bytes: The file in UTF-8; a byte order mark in front is passed over.
  ///   - maxDepth: How many lists and objects may stand in each other.
  /// - Returns: The document.
  /// - Throws: `JSONError` with the place of the first fault.
  package static func parse(
    _ bytes: [UInt8],
    maxDepth: Int = 32
  ) throws(JSONError) -> SettingsDocument {
    var reader = Reader(maxDepth: maxDepth)
    return SettingsDocument(root: try reader.document(bytes.span))
  }
}

/// The grammar of a settings file over the words of `JSONLexer`.
private struct Reader {
  private var lexer = JSONLexer(allowsComments: true)
  private var place = TextPosition()
  private var depth = 0
  private let maxDepth: Int

  init(maxDepth: Int) { self.maxDepth = maxDepth }

  mutating func document(_ bytes: Span<UInt8>) throws(JSONError) -> SettingsDocument.Node {
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { lexer.offset = 3 }
    try lexer.skipSpace(bytes)
    let root = try node(bytes)
    try lexer.skipSpace(bytes)
    guard lexer.offset == bytes.count else {
      throw lexer.failure("nothing but comments may follow the closing bracket", bytes)
    }
    return root
  }

  private mutating func position(_ bytes: Span<UInt8>) -> SettingsDocument.Position {
    place.advance(to: lexer.offset, in: bytes)
    return SettingsDocument.Position(line: place.line, column: place.column)
  }

  private mutating func node(_ bytes: Span<UInt8>) throws(JSONError) -> SettingsDocument.Node {
    SettingsDocument.Node(position: position(bytes), value: try value(bytes))
  }

  private mutating func value(_ bytes: Span<UInt8>) throws(JSONError) -> SettingsDocument.Value {
    switch lexer.peek(bytes) {
    case UInt8(ascii: "\""): return .scalar(.string(try lexer.string(bytes)))
    case UInt8(ascii: "{"): return .object(try members(bytes))
    case UInt8(ascii: "["): return .array(try elements(bytes))
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
      return .scalar(try lexer.number(bytes))
    case UInt8(ascii: "t"):
      try lexer.literal("true", bytes)
      return .scalar(.bool(true))
    case UInt8(ascii: "f"):
      try lexer.literal("false", bytes)
      return .scalar(.bool(false))
    case UInt8(ascii: "n"):
      try lexer.literal("null", bytes)
      return .scalar(.null)
    case nil: throw lexer.failure("the file ends where a value is expected", bytes)
    default:
      throw lexer.failure("a value is expected here; texts stand in double quotes", bytes)
    }
  }

  /// Steps over the opening bracket, and over the closing one when nothing is between; true when
  /// something is.
  private mutating func opens(_ bytes: Span<UInt8>, until close: UInt8) throws(JSONError) -> Bool {
    depth += 1
    guard depth <= maxDepth else {
      throw lexer.failure("lists and objects are nested deeper than \(maxDepth)", bytes)
    }
    lexer.offset += 1
    try lexer.skipSpace(bytes)
    return !closes(bytes, close)
  }

  private mutating func closes(_ bytes: Span<UInt8>, _ close: UInt8) -> Bool {
    guard lexer.peek(bytes) == close else { return false }
    lexer.offset += 1
    depth -= 1
    return true
  }

  private mutating func goesOn(_ bytes: Span<UInt8>, until close: UInt8) throws(JSONError) -> Bool {
    try lexer.skipSpace(bytes)
    if closes(bytes, close) { return false }
    guard lexer.peek(bytes) == UInt8(ascii: ",") else {
      let bracket = Character(Unicode.Scalar(close))
      throw lexer.failure("a comma or the closing \(bracket) is expected here", bytes)
    }
    lexer.offset += 1
    try lexer.skipSpace(bytes)
    return !closes(bytes, close)
  }

  private mutating func elements(
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> [SettingsDocument.Node] {
    var nodes: [SettingsDocument.Node] = []
    guard try opens(bytes, until: UInt8(ascii: "]")) else { return nodes }
    repeat {
      nodes.append(try node(bytes))
    } while try goesOn(bytes, until: UInt8(ascii: "]"))
    return nodes
  }

  private mutating func members(
    _ bytes: Span<UInt8>
  ) throws(JSONError) -> [SettingsDocument.Member] {
    var members: [SettingsDocument.Member] = []
    var names = NameSet()
    guard try opens(bytes, until: UInt8(ascii: "}")) else { return members }
    repeat {
      let namePosition = position(bytes)
      let start = lexer.offset
      guard lexer.peek(bytes) == UInt8(ascii: "\"") else {
        throw lexer.failure("a name in double quotes is expected here", bytes)
      }
      let name = try lexer.string(bytes)
      guard names.insert(name) else {
        throw JSONError(at: start, in: bytes, "\"\(name)\" stands twice in the same object")
      }
      try lexer.skipSpace(bytes)
      guard lexer.peek(bytes) == UInt8(ascii: ":") else {
        throw lexer.failure("a colon is expected after \"\(name)\"", bytes)
      }
      lexer.offset += 1
      try lexer.skipSpace(bytes)
      members.append(
        SettingsDocument.Member(name: name, namePosition: namePosition, node: try node(bytes))
      )
    } while try goesOn(bytes, until: UInt8(ascii: "}"))
    return members
  }
}
