package import PluginStorage

/// Comma-separated values, RFC 4180: each row becomes a record with its column names.
package enum CSVExtractor {
  /// Fields of one row, and bytes of one field, that are kept.
  static let maxFields = 1_000
  static let maxFieldBytes = 16 * 1024

  /// Gives the rows to `emit`; the first row is taken as names.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8; comma, semicolon, tab or bar separates, as the first row shows.
  ///   - emit: Takes each row.
  /// - Throws: What `emit` threw.
  package static func extract(_ bytes: Span<UInt8>, _ emit: BlockSink) throws(StorageError) {
    var reader = CSVReader(separator: separator(of: bytes))
    guard let names = reader.next(in: bytes) else { return }
    var any = false
    while let row = reader.next(in: bytes) {
      any = true
      let text = Record.text(names: names.fields, values: row.fields)
      guard !text.isEmpty else { continue }
      try emit(Block(.record, text, start: row.start, end: row.end, line: row.line))
    }
    if !any {
      let text = names.fields.joined(separator: "; ")
      try emit(Block(.record, text, start: names.start, end: names.end, line: names.line))
    }
  }

  /// The separator that the first row, outside quotes, has most of.
  package static func separator(of bytes: Span<UInt8>) -> UInt8 {
    let candidates = [",", ";", "\t", "|"].map { UInt8(ascii: $0) }
    var counts = [0, 0, 0, 0]
    var quoted = false
    for index in 0..<min(bytes.count, 64 * 1024) {
      let byte = bytes[index]
      if byte == UInt8(ascii: "\"") { quoted.toggle() }
      if quoted { continue }
      if byte == 0x0A || byte == 0x0D { break }
      if let which = candidates.firstIndex(of: byte) { counts[which] += 1 }
    }
    let most = counts.max() ?? 0
    return candidates[counts.firstIndex(of: most) ?? 0]
  }
}

/// Walks the rows.
struct CSVReader {
  struct Row: Equatable {
    var fields: [String]
    var start: Int
    var end: Int
    var line: Int
  }

  private let separator: UInt8
  private var at = 0
  private var line = 1

  init(separator: UInt8) { self.separator = separator }

  /// The next row that is not empty; `nil` at the end.
  mutating func next(in bytes: Span<UInt8>) -> Row? {
    while at < bytes.count {
      let row = read(bytes)
      if row.fields.contains(where: { !$0.isEmpty }) { return row }
    }
    return nil
  }

  private mutating func read(_ bytes: Span<UInt8>) -> Row {
    var row = Row(fields: [], start: at, end: at, line: line)
    var field: [UInt8] = []
    var quoted = false
    let quote = UInt8(ascii: "\"")
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      if byte == 0x0A { line += 1 }
      if quoted {
        if byte != quote {
          Self.keep(byte, in: &field)
        } else if at < bytes.count, bytes[at] == quote {
          Self.keep(quote, in: &field)
          at += 1
        } else {
          quoted = false
        }
      } else if byte == quote, field.isEmpty {
        quoted = true
      } else if byte == separator {
        Self.close(&field, in: &row)
      } else if byte == 0x0A || byte == 0x0D {
        row.end = at - 1
        if byte == 0x0D {
          if at < bytes.count, bytes[at] == 0x0A { at += 1 }
          line += 1
        }
        Self.close(&field, in: &row)
        return row
      } else {
        Self.keep(byte, in: &field)
      }
    }
    row.end = at
    Self.close(&field, in: &row)
    return row
  }

  private static func keep(_ byte: UInt8, in field: inout [UInt8]) {
    if field.count < CSVExtractor.maxFieldBytes { field.append(byte) }
  }

  private static func close(_ field: inout [UInt8], in row: inout Row) {
    if row.fields.count < CSVExtractor.maxFields {
      row.fields.append(PlainWords.collapsed(String(decoding: field, as: UTF8.self)))
    }
    field.removeAll(keepingCapacity: true)
  }
}
