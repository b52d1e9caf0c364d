package import PluginStorage

/// HTML: what a reader sees, with its headings, lists and tables.
package enum HTMLExtractor {
  /// Gives the document's blocks to `emit`.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - emit: Takes each block.
  /// - Returns: The content of `<title>`, else the first heading.
  /// - Throws: What `emit` threw.
  package static func extract(
    _ bytes: Span<UInt8>,
    _ emit: BlockSink
  ) throws(StorageError) -> String? {
    var reader = HTMLReader()
    while let token = reader.next(bytes) { try reader.take(token, emit) }
    try reader.finish(emit)
    return reader.title ?? reader.firstHeading
  }
}

private struct HTMLReader {
  var title: String?
  var firstHeading: String?
  private var tokens = HTMLTokenizer()
  private var text = ""
  private var kind = Block.Kind.paragraph
  private var start = 0
  private var line = 1
  private var tokenStart = 0
  private var tokenLine = 1
  /// Elements that are not shown, as deep as they are nested.
  private var hidden: [String] = []
  private var inTitle = false
  private var tables: [Table] = []

  /// A table being read; its first row of `th` cells names the columns.
  private struct Table {
    var names: [String] = []
    var row: [String] = []
    var allHeadings = true
    var cell: String?
    var start = 0
    var line = 1
  }

  private static let notShown: Set<String> = [
    "script", "style", "noscript", "template", "iframe", "svg", "math", "object", "select",
    "noframes", "datalist",
  ]
  private static let blocks: Set<String> = [
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details",
    "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "legend", "li", "main",
    "menu",
    "nav", "ol", "optgroup", "option", "p", "pre", "search", "section", "summary", "table", "tbody",
    "td", "tfoot", "th", "thead", "title", "tr", "ul",
  ]

  mutating func next(_ bytes: Span<UInt8>) -> HTMLToken? {
    tokenStart = tokens.at
    tokenLine = tokens.line
    return tokens.next(in: bytes)
  }

  mutating func take(_ token: HTMLToken, _ emit: BlockSink) throws(StorageError) {
    switch token {
    case .text(let more):
      if inTitle {
        if title == nil {
          let words = PlainWords.collapsed(more)
          title = words.isEmpty ? nil : words
        }
      } else if hidden.isEmpty {
        try add(more, emit)
      }
    case .open(let name):
      if Self.notShown.contains(name) { return hidden.append(name) }
      guard hidden.isEmpty else { return }
      if name == "title" { inTitle = true }
      if Self.blocks.contains(name) { try begin(name, emit) }
    case .close(let name):
      if let depth = hidden.lastIndex(of: name) { return hidden.removeSubrange(depth...) }
      guard hidden.isEmpty else { return }
      if name == "title" { inTitle = false }
      if Self.blocks.contains(name) { try end(name, emit) }
    }
  }

  mutating func finish(_ emit: BlockSink) throws(StorageError) {
    while !tables.isEmpty { try endTable(emit) }
    try flush(emit)
  }

  private mutating func add(_ more: String, _ emit: BlockSink) throws(StorageError) {
    if let last = tables.indices.last, let cell = tables[last].cell {
      if cell.utf8.count < OpenBlock.limit { tables[last].cell = cell + more }
      return
    }
    if text.utf8.count > OpenBlock.limit { try flush(emit) }
    if text.allSatisfy(\.isWhitespace) {
      text = ""
      start = tokenStart
      line = tokenLine
    }
    text += more
  }

  private mutating func flush(_ emit: BlockSink) throws(StorageError) {
    defer {
      text = ""
      kind = .paragraph
    }
    let words = PlainWords.collapsed(text)
    guard !words.isEmpty else { return }
    if case .heading = kind, firstHeading == nil { firstHeading = words }
    try emit(Block(kind, words, start: start, end: tokenStart, line: line))
  }

  private mutating func begin(_ name: String, _ emit: BlockSink) throws(StorageError) {
    if let last = tables.indices.last, tables[last].cell != nil,
      !["td", "th", "tr", "table"].contains(name)
    {
      tables[last].cell? += " "  // a paragraph inside a cell separates words, not blocks
      return
    }
    switch name {
    case "table":
      try flush(emit)
      if tables.count < 8 { tables.append(Table()) }
    case "tr": try endRow(emit)
    case "td", "th":
      endCell()
      guard let last = tables.indices.last else { return try flush(emit) }
      if tables[last].row.isEmpty {
        tables[last].start = tokenStart
        tables[last].line = tokenLine
        tables[last].allHeadings = true
      }
      if name == "td" { tables[last].allHeadings = false }
      tables[last].cell = ""
    default:
      try flush(emit)
      if name == "li" || name == "dd" { kind = .listItem }
      if name == "pre" { kind = .code }
      if name.utf8.count == 2, name.hasPrefix("h"), let level = Int(name.dropFirst()) {
        kind = .heading(level: level)
      }
    }
  }

  private mutating func end(_ name: String, _ emit: BlockSink) throws(StorageError) {
    switch name {
    case "td", "th": endCell()
    case "tr": try endRow(emit)
    case "table": try endTable(emit)
    case "thead", "tbody", "tfoot": try endRow(emit)
    default:
      if let last = tables.indices.last, tables[last].cell != nil {
        tables[last].cell? += " "
      } else {
        try flush(emit)
      }
    }
  }

  private mutating func endCell() {
    guard let last = tables.indices.last, let cell = tables[last].cell else { return }
    if tables[last].row.count < CSVExtractor.maxFields {
      tables[last].row.append(PlainWords.collapsed(cell))
    }
    tables[last].cell = nil
  }

  private mutating func endRow(_ emit: BlockSink) throws(StorageError) {
    endCell()
    guard let last = tables.indices.last, !tables[last].row.isEmpty else { return }
    let table = tables[last]
    tables[last].row = []
    if table.allHeadings, table.names.isEmpty {
      tables[last].names = table.row
      return
    }
    let words = Record.text(names: table.names, values: table.row)
    guard !words.isEmpty else { return }
    try emit(Block(.record, words, start: table.start, end: tokenStart, line: table.line))
  }

  private mutating func endTable(_ emit: BlockSink) throws(StorageError) {
    try endRow(emit)
    _ = tables.popLast()
  }
}
