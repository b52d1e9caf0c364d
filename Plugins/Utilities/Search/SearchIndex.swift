package import PluginStorage

/// Passages found by their words, in SQLite FTS5.
///
/// Every passage carries its owner's key as a word of the index, so that a search never walks through the matches of
/// others; the owner of the file is compared once more in SQL.
package enum SearchIndex {
  /// A passage that matched.
  package struct Hit: Sendable, Equatable {
    package var file: String
    package var filename: String
    package var title: String
    package var contentType: String
    package var category: String?
    package var tags: String
    package var sha256: String
    package var passage: Passage
    /// Headings as they were indexed, in one line.
    package var heading: String
  }

  /// Whose passages, and which of them.
  package struct Filter: Sendable, Equatable {
    package var owner: String
    package var documentTypes: [String] = []
    package var files: [String] = []
    package var category: String?
    package var tags: [String] = []

    package init(owner: String) { self.owner = owner }
  }

  static let headingSeparator = " › "

  /// The word that stands for an owner: a digest, so that no name can be two words or another's.
  static func key(of owner: String) -> String {
    "o" + SHA256.hexadecimal(of: owner).prefix(32)
  }

  /// Adds passages of a file that is not yet listed.
  package static func insert(
    _ passages: [Passage],
    file: String,
    owner: String,
    title: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    let key = key(of: owner)
    for passage in passages {
      try connection.run(
        """
        INSERT INTO passages
          (file, ordinal, owner_key, heading, body, words, start, finish, line, page)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
          .text(file), .count(passage.ordinal), .text(key),
          .text(([title] + passage.headings).joined(separator: headingSeparator)),
          .text(passage.body), .count(passage.words), .count(passage.start),
          .count(passage.end), .count(passage.line), passage.page.map(SQLValue.count) ?? .null,
        ]
      )
    }
  }

  /// Removes the passages of a file.
  package static func remove(
    file: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run("DELETE FROM passages WHERE file = ?", [.text(file)])
  }

  /// The passages that match best by BM25, the best first.
  ///
  /// - Parameters:
  ///   - expression: From `Question.expression`; never a client's text.
  ///   - filter: Whose, and which.
  ///   - limit: How many at most.
  ///   - connection: Where.
  /// - Returns: The hits; a heading counts half as much again as the text under it.
  /// - Throws: `StorageError`.
  package static func search(
    _ expression: String,
    _ filter: Filter,
    limit: Int,
    _ connection: inout Connection
  ) throws(StorageError) -> [Hit] {
    let (condition, values) = filter.condition
    return try connection.rows(
      """
      SELECT \(columns) FROM passage_index
      JOIN passages p ON p.number = passage_index.rowid
      JOIN files f ON f.id = p.file
      WHERE passage_index MATCH ? AND \(condition)
      ORDER BY bm25(passage_index, 0.0, 1.5, 1.0), p.number LIMIT ?
      """,
      [.text(restricted(expression, to: filter.owner))] + values + [.count(limit)],
      hit
    )
  }

  /// The passages of a file whose ordinals are within `range`, in order.
  package static func passages(
    file: String,
    _ range: ClosedRange<Int>,
    _ connection: inout Connection
  ) throws(StorageError) -> [Hit] {
    try connection.rows(
      """
      SELECT \(columns) FROM passages p JOIN files f ON f.id = p.file
      WHERE p.file = ? AND p.ordinal BETWEEN ? AND ? ORDER BY p.ordinal
      """,
      [.text(file), .count(range.lowerBound), .count(range.upperBound)],
      hit
    )
  }

  /// In how many of the owner's passages the word occurs; counting stops at `limit`.
  ///
  /// The owner's own, so that no weight or confidence tells anything of what others have stored.
  package static func frequency(
    of term: Terms.Term,
    owner: String,
    limit: Int = 10_000,
    _ connection: inout Connection
  ) throws(StorageError) -> Int {
    let expression = restricted(Question.expression([term], allOf: false), to: owner)
    return try count(expression, limit: limit, &connection)
  }

  /// How many passages the owner has; counting stops at `limit`.
  package static func size(
    owner: String,
    limit: Int = 100_000,
    _ connection: inout Connection
  ) throws(StorageError) -> Int {
    try count("owner_key : \(Question.quoted(key(of: owner)))", limit: limit, &connection)
  }

  private static func count(
    _ expression: String,
    limit: Int,
    _ connection: inout Connection
  ) throws(StorageError) -> Int {
    try connection.first(
      """
      SELECT count(*) FROM
        (SELECT 1 FROM passage_index WHERE passage_index MATCH ? LIMIT ?)
      """,
      [.text(expression), .count(limit)]
    ) { $0.count(0) } ?? 0
  }

  private static func restricted(_ expression: String, to owner: String) -> String {
    "(owner_key : \(Question.quoted(key(of: owner)))) AND ({heading body} : (\(expression)))"
  }

  private static let columns = """
    f.id, f.filename, f.title, f.content_type, f.category, f.tags, f.sha256,
    p.ordinal, p.heading, p.body, p.words, p.start, p.finish, p.line, p.page
    """

  private static func hit(_ row: Row) -> Hit {
    let heading = row.text(8)
    let passage = Passage(
      ordinal: row.count(7),
      headings: [],
      body: row.text(9),
      words: row.count(10),
      start: row.count(11),
      end: row.count(12),
      line: row.count(13),
      page: row.optionalText(14).flatMap(Int.init)
    )
    return Hit(
      file: row.text(0),
      filename: row.text(1),
      title: row.text(2),
      contentType: row.text(3),
      category: row.optionalText(4),
      tags: row.text(5),
      sha256: row.text(6),
      passage: passage,
      heading: heading
    )
  }
}

extension SearchIndex.Filter {
  /// The SQL condition on `files f`, and its values.
  fileprivate var condition: (String, [SQLValue]) {
    var parts = ["f.owner = ?"]
    var values: [SQLValue] = [.text(owner)]
    func oneOf(_ column: String, _ texts: [String]) {
      guard !texts.isEmpty else { return }
      parts.append("\(column) IN (\(texts.map { _ in "?" }.joined(separator: ", ")))")
      values += texts.map(SQLValue.text)
    }
    oneOf("f.content_type", documentTypes)
    oneOf("f.id", files)
    if let category {
      parts.append("f.category = ?")
      values.append(.text(category))
    }
    for tag in tags {
      parts.append("EXISTS (SELECT 1 FROM json_each(f.tags) WHERE value = ?)")
      values.append(.text(tag))
    }
    return (parts.joined(separator: " AND "), values)
  }
}
