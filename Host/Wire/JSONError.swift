/// Why a text is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable {
  /// Bytes before the fault.
  public let offset: Int
  /// The line of the fault; the first is 1.
  public let line: Int
  /// The column of the fault in characters; the first is 1.
  public let column: Int
  /// What is wrong and what is allowed there, as one sentence without position.
  public let reason: String

  /// Makes an error from its parts.
  public init(offset: Int, line: Int, column: Int, reason: String) {
    self.offset = offset
    self.line = line
    self.column = column
    self.reason = reason
  }

  init(at offset: Int, in bytes: Span<UInt8>, _ reason: String) {
    var place = TextPosition()
    place.advance(to: offset, in: bytes)
    self.init(offset: offset, line: place.line, column: place.column, reason: reason)
  }
}

extension JSONError: CustomStringConvertible {
  /// Position and reason on one line.
  public var description: String { "line \(line), column \(column): \(reason)" }
}

/// A place in a text, moved forward only, so that asking for many places reads the text once.
struct TextPosition {
  private(set) var offset = 0
  private(set) var line = 1
  private(set) var column = 1

  mutating func advance(to target: Int, in bytes: Span<UInt8>) {
    let end = min(target, bytes.count)
    while offset < end {
      let byte = bytes[offset]
      if byte == ASCII.lineFeed {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {  // a continuation byte belongs to the character before it
        column += 1
      }
      offset += 1
    }
  }
}
