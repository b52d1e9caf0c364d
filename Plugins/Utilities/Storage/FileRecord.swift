package import GatewayPlugin
import PluginStorage

/// One uploaded file, as it is listed.
package struct FileRecord: Sendable, Equatable {
  package enum Status: String, Sendable, CaseIterable {
    /// Its text can be asked about.
    case processed
    /// It is kept, and has no text that could be read.
    case stored
  }

  package var id: String
  package var owner: String
  package var filename: String
  /// What the document calls itself, else the filename.
  package var title: String
  package var size: Int
  package var sha256: String
  package var contentType: String
  package var claimedType: String?
  package var typeMatches: Bool
  package var status: Status
  package var category: String?
  package var tags: [String]
  /// What else its sender said of it: a JSON object.
  package var metadata: JSON
  package var chunks = 0
  package var sections = 0
  package var words = 0
  /// Whether text beyond the limit was left out of the index.
  package var truncated = false
  /// Why there is no text, or not all of it.
  package var reason: String?
  /// Nanoseconds since 1970.
  package var uploadedAt: Int64
  package var processedAt: Int64

  /// Whether its text can be asked about.
  package var isIndexed: Bool { chunks > 0 }

  /// As an answer shows it.
  package var json: JSON { .object(members) }

  /// The members of what an answer shows.
  package var members: [JSON.Member] {
    let shown: KeyValuePairs<String, JSON> = [
      "file_id": .string(id), "filename": .string(filename), "title": .string(title),
      "size": .integer(Int64(size)), "content_type": .string(contentType),
      "claimed_type": claimedType.map { .string($0) } ?? .null,
      "type_matches": .bool(typeMatches), "status": .string(status.rawValue),
      "user_id": .string(owner), "sha256": .string(sha256),
      "category": category.map { .string($0) } ?? .null,
      "tags": .array(tags.map { .string($0) }), "metadata": metadata,
      "indexed": .bool(isIndexed), "index": index,
      "uploaded_at": .string(Timestamp.text(nanoseconds: uploadedAt, milliseconds: true)),
      "processed_at": .string(Timestamp.text(nanoseconds: processedAt, milliseconds: true)),
      "download_url": .string("/v1/files/\(id)/content"),
    ]
    return shown.map { JSON.Member(name: $0.key, value: $0.value) }
  }

  private var index: JSON {
    var members: [JSON.Member] = [
      .init(name: "chunks", value: .integer(Int64(chunks))),
      .init(name: "sections", value: .integer(Int64(sections))),
      .init(name: "words", value: .integer(Int64(words))),
      .init(name: "truncated", value: .bool(truncated)),
    ]
    if let reason { members.append(.init(name: "reason", value: .string(reason))) }
    return .object(members)
  }
}

// MARK: - In the database

extension FileRecord {
  static let columns = """
    id, owner, filename, title, size, sha256, content_type, claimed_type, type_matches, status,
    category, tags, metadata, chunks, sections, words, truncated, reason, uploaded_at, processed_at
    """

  init(_ row: Row) {
    self.init(
      id: row.text(0),
      owner: row.text(1),
      filename: row.text(2),
      title: row.text(3),
      size: row.count(4),
      sha256: row.text(5),
      contentType: row.text(6),
      claimedType: row.optionalText(7),
      typeMatches: row.flag(8),
      status: Status(rawValue: row.text(9)) ?? .stored,
      category: row.optionalText(10),
      tags: Self.stored(row.text(11)).asArray?.compactMap(\.asString) ?? [],
      metadata: Self.stored(row.text(12)),
      chunks: row.count(13),
      sections: row.count(14),
      words: row.count(15),
      truncated: row.flag(16),
      reason: row.optionalText(17),
      uploadedAt: row.integer(18),
      processedAt: row.integer(19)
    )
  }

  /// JSON that this plugin wrote itself.
  static func stored(_ text: String) -> JSON { (try? JSON.parse(text)) ?? .null }

  func insert(_ connection: inout Connection) throws(StorageError) {
    try connection.run(
      """
      INSERT INTO files (\(Self.columns))
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(id), .text(owner), .text(filename), .text(title), .count(size), .text(sha256),
        .text(contentType), .optional(claimedType), .flag(typeMatches), .text(status.rawValue),
        .optional(category), .text(JSON.array(tags.map { .string($0) }).text),
        .text(metadata.text), .count(chunks), .count(sections), .count(words), .flag(truncated),
        .optional(reason), .integer(uploadedAt), .integer(processedAt),
      ]
    )
  }
}
