/// One piece of a document as its author set it: a heading, a paragraph, a row.
package struct Block: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// 1 is the outermost level.
    case heading(level: Int)
    case paragraph
    case listItem
    /// A row of a table, or a value of a structured document, complete with its names.
    case record
    case code
  }

  package var kind: Kind
  /// Plain text, white space collapsed; code keeps its lines.
  package var text: String
  /// Where it stands in the document, in bytes of its text form.
  package var start: Int
  package var end: Int
  /// Line of its first byte, from 1.
  package var line: Int
  /// Page from 1, where the document has pages.
  package var page: Int?

  package init(
    _ kind: Kind,
    _ text: String,
    start: Int,
    end: Int,
    line: Int,
    page: Int? = nil
  ) {
    self.kind = kind
    self.text = text
    self.start = start
    self.end = end
    self.line = line
    self.page = page
  }
}

extension Span<UInt8> {
  /// The bytes of `range` as text; what is not UTF-8 becomes U+FFFD.
  package func text(_ range: Range<Int>) -> String {
    unsafe extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// Whether `prefix` stands at `offset`.
  package func has(_ prefix: StaticString, at offset: Int = 0) -> Bool {
    let wanted = prefix.utf8CodeUnitCount
    guard offset >= 0, count - offset >= wanted else { return false }
    return prefix.withUTF8Buffer { buffer in
      for index in 0..<wanted where unsafe buffer[index] != self[offset + index] { return false }
      return true
    }
  }
}

/// One line of a document, without its line ending.
struct Line {
  let start: Int
  let end: Int
  /// From 1.
  let number: Int
}

/// Walks the lines of a document.
struct LineCursor {
  /// Bytes after which a line is given in pieces, so that no document makes one block of megabytes.
  static let pieceBytes = 16 * 1024

  private(set) var offset: Int
  private var number: Int
  private var continues = false
  private let end: Int

  init(_ range: Range<Int>, line: Int = 1) {
    offset = range.lowerBound
    end = range.upperBound
    number = line - 1
  }

  /// The next line; LF, CR LF and CR end one.
  mutating func next(in bytes: Span<UInt8>) -> Line? {
    guard offset < end else { return nil }
    if !continues { number += 1 }
    let start = offset
    var at = start
    let limit = min(end, start + Self.pieceBytes)
    while at < limit, bytes[at] != 0x0A, bytes[at] != 0x0D { at += 1 }
    guard at == limit, at < end else {
      continues = false
      offset = min(end, at + 1)
      if at + 1 < end, bytes[at] == 0x0D, bytes[at + 1] == 0x0A { offset = at + 2 }
      return Line(start: start, end: at, number: number)
    }
    // A continuation byte may not begin the next piece.
    while at > start + 1, bytes[at] & 0xC0 == 0x80 { at -= 1 }
    continues = true
    offset = at
    return Line(start: start, end: at, number: number)
  }

  /// The next line, not taken.
  func peek(in bytes: Span<UInt8>) -> Line? {
    var copy = self
    return copy.next(in: bytes)
  }
}
