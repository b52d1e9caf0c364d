import GatewayPlugin

/// Files to documents.
package enum DocumentReader {
  /// The largest file that is read, in bytes.
  package static let largestFile = 256 << 20

  /// The most documents that one file may hold.
  package static let mostDocuments = 1_000_000

  /// The most turns of one dialogue.
  package static let mostTurns = 1000

  private static let deepest = 16

  /// What a file's bytes hold.
  ///
  /// JSON Lines, or one JSON array, of `{"messages":[{"role","content"}]}` or `{"text":…}` is one document a record;
  /// anything else is one plain text. A file counts as records when its first record reads as one of these: from
  /// there on a record that does not is an error, so that half a data set is not trained on as its own source text.
  ///
  /// - Parameter bytes: The whole file.
  /// - Returns: The documents in order; none for an empty file, and none for a record without text.
  /// - Throws: `DataError` for a file or record beyond the limits, and for a malformed record.
  package static func documents(in bytes: [UInt8]) throws(DataError) -> [Document] {
    guard bytes.count <= largestFile else {
      throw .tooLarge(bytes: bytes.count, limit: largestFile)
    }
    guard let first = bytes.firstIndex(where: { !isSpace($0) }) else { return [] }
    switch bytes[first] {
    case UInt8(ascii: "["): return try array(bytes) ?? [.plain(bytes)]
    case UInt8(ascii: "{"): return try lines(bytes) ?? [.plain(bytes)]
    default: return [.plain(bytes)]
    }
  }

  /// The records of a JSON array; `nil` when it is none, or one of something else.
  private static func array(_ bytes: [UInt8]) throws(DataError) -> [Document]? {
    let parsed: JSON
    do { parsed = try JSON.parse(bytes.span, maxDepth: deepest) } catch {
      // The text of a list of records that breaks off begins like one.
      guard looksLikeRecords(bytes) else { return nil }
      throw .malformed(place: "the JSON array", reason: error.description)
    }
    guard let records = parsed.asArray, let first = records.first, isRecord(first) else {
      return nil
    }
    var documents: [Document] = []
    for (index, record) in records.enumerated() {
      try append(record, "record \(index + 1)", to: &documents)
    }
    return documents
  }

  private static func looksLikeRecords(_ bytes: [UInt8]) -> Bool {
    let start = bytes.lazy.filter { !isSpace($0) }.prefix(12)
    return ["[{\"messages\"", "[{\"text\""].contains { start.starts(with: $0.utf8) }
  }

  /// The records of JSON Lines; `nil` when the first line is none.
  private static func lines(_ bytes: [UInt8]) throws(DataError) -> [Document]? {
    // A single object may be written over several lines.
    if let whole = try? JSON.parse(bytes.span, maxDepth: deepest) {
      guard isRecord(whole) else { return nil }
      var documents: [Document] = []
      try append(whole, "record 1", to: &documents)
      return documents
    }
    var documents: [Document] = []
    var isFirst = true
    var (start, number) = (0, 0)
    // A line at a time: a list of all could be many times larger than the file.
    while start < bytes.count {
      let line = bytes[start..<(bytes[start...].firstIndex(of: 10) ?? bytes.count)]
      start = line.endIndex + 1
      number += 1
      if line.allSatisfy(isSpace) { continue }
      let record: JSON
      do { record = try JSON.parse(line.span, maxDepth: deepest) } catch {
        if isFirst { return nil }
        throw .malformed(
          place: "line \(number)",
          reason: "column \(error.column): \(error.reason)"
        )
      }
      if isFirst, !isRecord(record) { return nil }
      isFirst = false
      try append(record, "line \(number)", to: &documents)
    }
    return documents
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }

  private static func isRecord(_ json: JSON) -> Bool {
    json["messages"] != nil || json["text"] != nil
  }

  private static func append(
    _ record: JSON,
    _ place: String,
    to documents: inout [Document]
  ) throws(DataError) {
    guard documents.count < mostDocuments else {
      throw .tooMany(documents: documents.count + 1, limit: mostDocuments)
    }
    if let messages = record["messages"] {
      let turns = try turns(messages, place)
      if !turns.isEmpty { documents.append(.dialogue(turns)) }
    } else if let text = record["text"]?.asString {
      if !text.isEmpty { documents.append(.plain(Array(text.utf8))) }
    } else {
      throw .malformed(place: place, reason: "must be an object with `messages` or a string `text`")
    }
  }

  private static func turns(_ json: JSON, _ place: String) throws(DataError) -> [Turn] {
    guard let messages = json.asArray, messages.count <= mostTurns else {
      throw .malformed(
        place: "\(place), messages",
        reason: "must be an array of at most \(mostTurns) messages"
      )
    }
    var turns: [Turn] = []
    for (index, message) in messages.enumerated() {
      let place = "\(place), messages[\(index)]"
      guard let role = message["role"]?.asString.flatMap(Role.init) else {
        let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
        throw .malformed(place: "\(place).role", reason: "must be one of \(roles)")
      }
      guard let content = message["content"]?.asString else {
        throw .malformed(place: "\(place).content", reason: "must be a string")
      }
      turns.append(Turn(role, content))
    }
    return turns
  }
}
