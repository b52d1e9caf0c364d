package import PluginStorage

/// Takes the blocks of a document in order; what it throws ends the extraction.
package typealias BlockSink = (Block) throws(StorageError) -> Void

/// Plain text: paragraphs are what blank lines separate.
package enum TextExtractor {
  /// Gives the paragraphs of `range` to `emit`.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - range: The part to read.
  ///   - line: Number of its first line.
  ///   - page: Its page, where there are pages.
  ///   - emit: Takes each paragraph.
  /// - Returns: The number of the line behind the part.
  /// - Throws: What `emit` threw.
  @discardableResult
  package static func extract(
    _ bytes: Span<UInt8>,
    range: Range<Int>,
    line: Int = 1,
    page: Int? = nil,
    _ emit: BlockSink
  ) throws(StorageError) -> Int {
    var paragraph = OpenBlock(page: page)
    var cursor = LineCursor(range, line: line)
    var last = line
    while let line = cursor.next(in: bytes) {
      last = line.number + 1
      let text = PlainWords.collapsed(bytes.text(line.start..<line.end))
      if text.isEmpty {
        try paragraph.close(emit)
      } else {
        if isListItem(text) { try paragraph.close(emit) }
        try paragraph.add(text, line, emit)
      }
    }
    try paragraph.close(emit)
    return last
  }

  private static func isListItem(_ text: String) -> Bool {
    text.hasPrefix("- ") || text.hasPrefix("* ") || text.hasPrefix("• ")
  }
}

/// A block whose lines are still coming.
struct OpenBlock {
  /// Bytes after which a block without an end is closed, for the sake of memory.
  static let limit = 16 * 1024

  private var kind = Block.Kind.paragraph
  private var text = ""
  private var start = 0
  private var end = 0
  private var line = 0
  private let page: Int?

  init(page: Int? = nil) { self.page = page }

  var isEmpty: Bool { text.isEmpty }
  var content: String { text }

  /// Makes the block of `kind`; the one before must be closed.
  mutating func begin(_ kind: Block.Kind) { self.kind = kind }

  /// Appends a line of it.
  mutating func add(_ more: String, _ at: Line, _ emit: BlockSink) throws(StorageError) {
    if text.utf8.count > Self.limit {
      let kind = kind
      try close(emit)
      self.kind = kind
    }
    if text.isEmpty {
      text = more
      start = at.start
      line = at.number
    } else {
      join(more)
    }
    end = at.end
  }

  /// Hands over what there is, and is empty again.
  mutating func close(_ emit: BlockSink) throws(StorageError) {
    defer {
      text = ""
      kind = .paragraph
    }
    guard !text.isEmpty else { return }
    try emit(Block(kind, text, start: start, end: end, line: line, page: page))
  }

  private mutating func join(_ more: String) {
    if kind == .code {
      text += "\n" + more
      return
    }
    // A word that a typesetter broke: letter, hyphen, line end, small letter.
    let tail = text.utf8.suffix(2)
    if page != nil, tail.count == 2, let letter = tail.first, tail.last == UInt8(ascii: "-"),
      let next = more.utf8.first, ASCIIClass.isLower(letter), ASCIIClass.isLower(next)
    {
      text.removeLast()
      text += more
    } else {
      text += " " + more
    }
  }
}
