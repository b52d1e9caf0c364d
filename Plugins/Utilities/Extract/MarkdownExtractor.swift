package import PluginStorage

/// Markdown: headings, paragraphs, lists, tables, quotations and code (CommonMark's block structure).
package enum MarkdownExtractor {
  /// Gives the document's blocks to `emit`.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - emit: Takes each block.
  /// - Returns: The title: of the front matter, else the first heading.
  /// - Throws: What `emit` threw.
  package static func extract(
    _ bytes: Span<UInt8>,
    _ emit: BlockSink
  ) throws(StorageError) -> String? {
    var reader = MarkdownReader(count: bytes.count)
    try reader.read(bytes, emit)
    return reader.title
  }
}

private struct MarkdownReader {
  var title: String?
  private var cursor: LineCursor
  private var open = OpenBlock()
  /// The fence of the code block being read.
  private var fence: (mark: UInt8, count: Int)?
  /// Column names of the table being read.
  private var columns: [String]?

  init(count: Int) { cursor = LineCursor(0..<count) }

  mutating func read(_ bytes: Span<UInt8>, _ emit: BlockSink) throws(StorageError) {
    try readFrontMatter(bytes, emit)
    while let line = cursor.next(in: bytes) {
      let raw = bytes.text(line.start..<line.end)
      if try readFenced(raw, line, emit) { continue }
      var text = Substring(raw).drop { $0 == " " || $0 == "\t" }
      while text.hasPrefix(">") { text = text.dropFirst().drop { $0 == " " } }
      if text.allSatisfy(\.isWhitespace) {
        columns = nil
        try open.close(emit)
      } else if try readHeading(text, line, emit) {
        continue
      } else if try readTable(text, line, bytes, emit) {
        continue
      } else if let rule = Self.rule(text) {
        try readRule(rule, line, emit)
      } else {
        try readText(text, line, emit)
      }
    }
    try open.close(emit)
  }

  private mutating func readFrontMatter(
    _ bytes: Span<UInt8>,
    _ emit: BlockSink
  ) throws(StorageError) {
    guard bytes.has("---\n") || bytes.has("---\r\n") else { return }
    let start = cursor
    _ = cursor.next(in: bytes)
    var lines: [(String, Line)] = []
    while let line = cursor.next(in: bytes), lines.count < 200 {
      let text = PlainWords.collapsed(bytes.text(line.start..<line.end))
      if text == "---" || text == "..." {
        for (text, line) in lines where !text.isEmpty {
          if text.lowercased().hasPrefix("title:") {
            let value = text.dropFirst(6).drop { $0 == " " }
            title = value.filter { $0 != "\"" }
          }
          try emit(Block(.record, text, start: line.start, end: line.end, line: line.number))
        }
        return
      }
      lines.append((text, line))
    }
    cursor = start  // no end: it was a thematic break
  }

  private mutating func readFenced(
    _ raw: String,
    _ line: Line,
    _ emit: BlockSink
  ) throws(StorageError) -> Bool {
    let text = raw.drop { $0 == " " || $0 == "\t" }
    let mark = text.utf8.first ?? 0
    let count = text.utf8.prefix { $0 == mark }.count
    let isFence = count >= 3 && (mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~"))
    if let fence {
      if isFence, mark == fence.mark, count >= fence.count, text.utf8.count == count {
        self.fence = nil
        try open.close(emit)
      } else if !text.isEmpty {
        let kept = raw.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) }
        try open.add(String(kept), line, emit)
      }
      return true
    }
    guard isFence else { return false }
    try open.close(emit)
    open.begin(.code)
    fence = (mark, count)
    return true
  }

  private mutating func readHeading(
    _ text: Substring,
    _ line: Line,
    _ emit: BlockSink
  ) throws(StorageError) -> Bool {
    let level = text.utf8.prefix { $0 == UInt8(ascii: "#") }.count
    let rest = text.dropFirst(level)
    guard (1...6).contains(level), rest.isEmpty || rest.hasPrefix(" ") || rest.hasPrefix("\t")
    else { return false }
    try open.close(emit)
    var words = PlainWords.collapsed(String(rest))
    if let closing = words.range(of: " #"), words[closing...].dropFirst().allSatisfy({ $0 == "#" })
    {
      words = String(words[..<closing])
    }
    try emitHeading(words, level: level, line, emit)
    return true
  }

  private mutating func emitHeading(
    _ words: String,
    level: Int,
    _ line: Line,
    _ emit: BlockSink
  ) throws(StorageError) {
    let text = MarkdownInline.plain(words)
    guard !text.isEmpty else { return }
    if title == nil { title = text }
    columns = nil
    try emit(
      Block(.heading(level: level), text, start: line.start, end: line.end, line: line.number)
    )
  }

  /// A line that is only `===` (1), `---` (2), or another thematic break (0).
  private static func rule(_ text: Substring) -> Int? {
    let marks = text.filter { !$0.isWhitespace }
    guard let mark = marks.first, marks.allSatisfy({ $0 == mark }) else { return nil }
    switch mark {
    case "=": return 1
    case "-" where marks.count >= 2: return 2
    case "*" where marks.count >= 3, "_" where marks.count >= 3: return 0
    default: return nil
    }
  }

  private mutating func readRule(
    _ level: Int,
    _ line: Line,
    _ emit: BlockSink
  ) throws(StorageError) {
    guard level > 0, !open.isEmpty else { return try open.close(emit) }
    // Setext: the paragraph above the rule was a heading.
    let words = open.content
    open = OpenBlock()
    try emitHeading(words, level: level, line, emit)
  }

  private mutating func readTable(
    _ text: Substring,
    _ line: Line,
    _ bytes: Span<UInt8>,
    _ emit: BlockSink
  ) throws(StorageError) -> Bool {
    guard text.contains("|") else { return false }
    if let columns {
      let row = MarkdownInline.cells(text)
      let joined = Record.text(names: columns, values: row)
      if !joined.isEmpty {
        try emit(Block(.record, joined, start: line.start, end: line.end, line: line.number))
      }
      return true
    }
    guard let next = cursor.peek(in: bytes) else { return false }
    let below = bytes.text(next.start..<next.end)
    guard below.contains("-"), below.contains("|"), below.allSatisfy({ " \t|:-".contains($0) })
    else { return false }
    try open.close(emit)
    _ = cursor.next(in: bytes)
    columns = MarkdownInline.cells(text)
    return true
  }

  private mutating func readText(
    _ text: Substring,
    _ line: Line,
    _ emit: BlockSink
  ) throws(StorageError) {
    columns = nil
    var words = text
    if let item = Self.listItem(text) {
      try open.close(emit)
      open.begin(.listItem)
      words = item
    }
    let plain = PlainWords.collapsed(MarkdownInline.plain(String(words)))
    if !plain.isEmpty { try open.add(plain, line, emit) }
  }

  /// What stands behind `- `, `* `, `+ `, `1. ` or `1) `.
  private static func listItem(_ text: Substring) -> Substring? {
    let digits = text.utf8.prefix { ASCIIClass.isDigit($0) }.count
    var rest = text.dropFirst(digits)
    let marks = digits == 0 ? "-*+" : ".)"
    guard digits <= 9, let mark = rest.first, marks.contains(mark) else { return nil }
    rest = rest.dropFirst()
    guard rest.hasPrefix(" ") || rest.hasPrefix("\t") else { return nil }
    return rest.dropFirst()
  }
}

extension String {
  /// Where `part` begins last, if at all.
  fileprivate func range(of part: String) -> String.Index? {
    var index = endIndex
    while index > startIndex {
      index = self.index(before: index)
      if self[index...].hasPrefix(part) { return index }
    }
    return nil
  }
}
