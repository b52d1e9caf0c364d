package import PluginStorage

/// JSON and JSON Lines: each object becomes a record of its path and its plain members,
/// `servers[0] name: alpha; port: 8000`; so does a plain value outside of objects.
///
/// A walker instead of a tree, so that a document of any size takes constant memory.
package enum JSONExtractor {
  package enum Failure: Error, Equatable {
    case malformed(offset: Int)
    case tooDeep(limit: Int)
    case storage(StorageError)
  }

  /// Levels of nesting followed.
  package static let maxDepth = 64

  /// Gives every object and plain value to `emit`.
  ///
  /// - Parameters:
  ///   - bytes: One JSON value, or several separated by white space.
  ///   - emit: Takes each with its path.
  /// - Throws: `malformed` at the first byte that is not JSON; what came before has been given.
  package static func extract(_ bytes: Span<UInt8>, _ emit: BlockSink) throws(Failure) {
    var walker = JSONWalker()
    walker.skipSpace(bytes)
    while walker.at < bytes.count {
      let start = walker.mark()
      let text = try walker.value(bytes, path: "", depth: 0, emit)
      try walker.give("", text, start, emit)
      walker.skipSpace(bytes)
    }
  }
}

private struct JSONWalker {
  /// Bytes after which a record is given although its object goes on.
  static let recordBytes = 2 * 1024

  private(set) var at = 0
  private var line = 1

  mutating func skipSpace(_ bytes: Span<UInt8>) {
    while at < bytes.count, bytes[at] <= 0x20, ASCIIClass.isSpace(bytes[at]) {
      if bytes[at] == 0x0A { line += 1 }
      at += 1
    }
  }

  /// Reads one value; a plain one is given back as text, all others go to `emit`.
  mutating func value(
    _ bytes: Span<UInt8>,
    path: String,
    depth: Int,
    _ emit: BlockSink
  ) throws(JSONExtractor.Failure) -> String {
    guard depth <= JSONExtractor.maxDepth else {
      throw .tooDeep(limit: JSONExtractor.maxDepth)
    }
    switch try peek(bytes) {
    case UInt8(ascii: "{"):
      try object(bytes, path: path, depth: depth, emit)
      return ""
    case UInt8(ascii: "["): return try array(bytes, path: path, depth: depth, emit)
    case UInt8(ascii: "\""): return PlainWords.collapsed(try string(bytes))
    default:
      let text = try scalar(bytes)
      return text == "null" ? "" : text
    }
  }

  /// Where a record begins.
  struct Mark {
    var at: Int
    var line: Int
  }

  func mark() -> Mark { Mark(at: at, line: line) }

  func give(
    _ path: String,
    _ text: String,
    _ start: Mark,
    _ emit: BlockSink
  ) throws(JSONExtractor.Failure) {
    guard !text.isEmpty else { return }
    let whole = path.isEmpty ? text : "\(path) \(text)"
    do {
      try emit(Block(.record, whole, start: start.at, end: at, line: start.line))
    } catch { throw .storage(error) }
  }

  private mutating func object(
    _ bytes: Span<UInt8>,
    path: String,
    depth: Int,
    _ emit: BlockSink
  ) throws(JSONExtractor.Failure) {
    var start = mark()
    var members = ""
    at += 1
    skipSpace(bytes)
    if try peek(bytes) == UInt8(ascii: "}") {
      at += 1
      return
    }
    while true {
      guard try peek(bytes) == UInt8(ascii: "\"") else { throw .malformed(offset: at) }
      let name = PlainWords.prefix(PlainWords.collapsed(try string(bytes)), bytes: 256)
      skipSpace(bytes)
      try take(UInt8(ascii: ":"), bytes)
      let inner = path.isEmpty ? name : "\(path).\(name)"
      let text = try value(bytes, path: inner, depth: depth + 1, emit)
      if !text.isEmpty { members += members.isEmpty ? "\(name): \(text)" : "; \(name): \(text)" }
      if members.utf8.count > Self.recordBytes {
        try give(path, members, start, emit)
        members = ""
        start = mark()
      }
      if try closes(UInt8(ascii: "}"), bytes) { break }
    }
    try give(path, members, start, emit)
  }

  /// Plain elements are given back as one text, as far as they are few.
  private mutating func array(
    _ bytes: Span<UInt8>,
    path: String,
    depth: Int,
    _ emit: BlockSink
  ) throws(JSONExtractor.Failure) -> String {
    var start = mark()
    var elements = ""
    at += 1
    skipSpace(bytes)
    if try peek(bytes) == UInt8(ascii: "]") {
      at += 1
      return ""
    }
    var index = 0
    while true {
      let text = try value(bytes, path: "\(path)[\(index)]", depth: depth + 1, emit)
      if !text.isEmpty { elements += elements.isEmpty ? text : ", \(text)" }
      if elements.utf8.count > Self.recordBytes {
        try give(path, elements, start, emit)
        elements = ""
        start = mark()
      }
      index += 1
      if try closes(UInt8(ascii: "]"), bytes) { return elements }
    }
  }

  /// Takes `,` and gives false, or takes `close` and gives true.
  private mutating func closes(
    _ close: UInt8,
    _ bytes: Span<UInt8>
  ) throws(JSONExtractor.Failure) -> Bool {
    skipSpace(bytes)
    let isClose = try peek(bytes) == close
    try take(isClose ? close : UInt8(ascii: ","), bytes)
    if !isClose { skipSpace(bytes) }
    return isClose
  }

  private func peek(_ bytes: Span<UInt8>) throws(JSONExtractor.Failure) -> UInt8 {
    guard at < bytes.count else { throw .malformed(offset: at) }
    return bytes[at]
  }

  private mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) throws(JSONExtractor.Failure) {
    guard try peek(bytes) == byte else { throw .malformed(offset: at) }
    at += 1
    skipSpace(bytes)
  }

  private mutating func scalar(_ bytes: Span<UInt8>) throws(JSONExtractor.Failure) -> String {
    let start = at
    while at < bytes.count, at - start < 64, isScalar(bytes[at]) { at += 1 }
    let text = bytes.text(start..<at)
    let isNumber = ASCIIClass.isDigit(text.utf8.last ?? 0) && Double(text) != nil
    guard isNumber || ["true", "false", "null"].contains(text) else {
      throw .malformed(offset: start)
    }
    return text
  }

  private func isScalar(_ byte: UInt8) -> Bool {
    ASCIIClass.isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
      || byte == UInt8(ascii: ".")
  }

  private mutating func string(_ bytes: Span<UInt8>) throws(JSONExtractor.Failure) -> String {
    at += 1
    var units: [UInt8] = []
    while true {
      let byte = try peek(bytes)
      at += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(bytes, &units)
      case 0..<0x20: throw .malformed(offset: at - 1)
      default: units.append(byte)
      }
    }
  }

  private mutating func escape(
    _ bytes: Span<UInt8>,
    _ units: inout [UInt8]
  ) throws(JSONExtractor.Failure) {
    let byte = try peek(bytes)
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(byte)
    case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"),
      UInt8(ascii: "t"):
      units.append(0x20)
    case UInt8(ascii: "u"):
      var scalar = try hexadecimal(bytes)
      if (0xD800..<0xDC00).contains(scalar), bytes.has("\\u", at: at) {
        at += 2
        let low = try hexadecimal(bytes)
        guard (0xDC00..<0xE000).contains(low) else { throw .malformed(offset: at) }
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
      }
      units.append(contentsOf: String(Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")).utf8)
    default: throw .malformed(offset: at - 1)
    }
  }

  private mutating func hexadecimal(_ bytes: Span<UInt8>) throws(JSONExtractor.Failure) -> UInt32 {
    guard at + 4 <= bytes.count, let value = UInt32(bytes.text(at..<(at + 4)), radix: 16) else {
      throw .malformed(offset: at)
    }
    at += 4
    return value
  }
}
