package import GatewayPlugin
package import PluginStorage

/// What a sender says of a file.
package struct UploadLabels: Sendable, Equatable {
  package var owner: String
  package var filename: String
  package var claimedType: String?
  package var category: String?
  package var tags: [String] = []
  package var metadata: JSON = [:]

  package init(owner: String, filename: String, claimedType: String? = nil) {
    self.owner = owner
    self.filename = filename
    self.claimedType = claimedType
  }
}

/// Why a file was not taken.
package enum UploadRefusal: Error, Equatable {
  /// A program under the name or type of a document.
  case disguised(claimed: String, found: String)
  case storage(StorageError)
}

/// Every owner's files: their contents, what is known of them, and their passages.
package final class Documents: Sendable {
  /// Passages written in one transaction, so that others may write between.
  static let batch = 400

  package let database: Database
  package let blobs: BlobStore
  package let limits: Extraction.Limits

  /// Opens the store in `directory`, and undoes what a crash left half-done.
  package init(directory: String, limits: Extraction.Limits) throws(StorageError) {
    blobs = try BlobStore(directory: directory)
    database = try Database(path: directory + "/documents.sqlite", schema: .documents)
    self.limits = limits
    try recover()
  }

  // MARK: - Storing

  /// Keeps content under a new identifier and indexes its text.
  ///
  /// - Parameters:
  ///   - blob: The whole content; placed when this returns, removed with its owner when it throws.
  ///   - labels: What its sender says of it.
  ///   - now: Nanoseconds since 1970.
  /// - Returns: The file, and whether its owner had the same content already.
  /// - Throws: `UploadRefusal`; nothing is left behind.
  package func store(
    _ blob: inout IncomingBlob,
    _ labels: UploadLabels,
    now: @Sendable () -> Int64 = Clock.wall
  ) throws(UploadRefusal) -> (file: FileRecord, isDuplicate: Bool) {
    let uploadedAt = now()
    let sha256: String
    let type: TypeSniffer.Result
    do {
      sha256 = try blob.finish()
      let isWhole = blob.size <= TypeSniffer.prefixBytes
      type = try blob.withContents(limit: TypeSniffer.prefixBytes) { (prefix) in
        TypeSniffer.sniff(
          prefix,
          isWhole: isWhole,
          filename: labels.filename,
          claimed: labels.claimedType
        )
      }
    } catch { throw .storage(error) }
    guard !type.isDisguised else {
      throw .disguised(claimed: type.claimedType ?? labels.filename, found: type.contentType)
    }
    var file = FileRecord(
      id: UUID4.make(),
      owner: labels.owner,
      filename: labels.filename,
      title: labels.filename,
      size: blob.size,
      sha256: sha256,
      contentType: type.contentType,
      claimedType: type.claimedType,
      typeMatches: type.matches,
      status: .stored,
      category: labels.category,
      tags: labels.tags,
      metadata: labels.metadata,
      uploadedAt: uploadedAt,
      processedAt: uploadedAt
    )
    do {
      let isDuplicate = try store(&blob, &file, type, now)
      return (file, isDuplicate)
    } catch { throw .storage(error) }
  }

  private func store(
    _ blob: inout IncomingBlob,
    _ file: inout FileRecord,
    _ type: TypeSniffer.Result,
    _ now: @Sendable () -> Int64
  ) throws(StorageError) -> Bool {
    let (id, name, sha256) = (file.id, blob.name, file.sha256)
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        "INSERT INTO pending (file, incoming, sha256) VALUES (?, ?, ?)",
        [.text(id), .text(name), .text(sha256)]
      )
    }
    do {
      try index(blob, &file, type)
      file.processedAt = now()
      let finished = file
      return try database.write { (connection) throws(StorageError) in
        try blobs.place(&blob, sha256: sha256)
        let twin = try connection.first(
          "SELECT 1 FROM files WHERE owner = ? AND sha256 = ?",
          [.text(finished.owner), .text(sha256)]
        ) { _ in true }
        try finished.insert(&connection)
        try connection.run("DELETE FROM pending WHERE file = ?", [.text(id)])
        try connection.run("DELETE FROM garbage WHERE sha256 = ?", [.text(sha256)])
        return twin ?? false
      }
    } catch {
      // When this fails too (a full disk), the next start does it.
      _ = try? undo(id, sha256)
      throw error
    }
  }

  private func index(
    _ blob: borrowing IncomingBlob,
    _ file: inout FileRecord,
    _ type: TypeSniffer.Result
  ) throws(StorageError) {
    var chunker = Chunker()
    var waiting: [Passage] = []
    let (id, owner) = (file.id, file.owner)
    let title = Filename.stem(file.filename)
    func flush() throws(StorageError) {
      let batch = waiting
      waiting = []
      guard !batch.isEmpty else { return }
      try database.write { (connection) throws(StorageError) in
        try SearchIndex.insert(batch, file: id, owner: owner, title: title, &connection)
      }
    }
    func take(_ passage: Passage) throws(StorageError) {
      waiting.append(passage)
      if waiting.count >= Self.batch { try flush() }
    }
    let outcome = try Extraction.extract(blob, type: type, limits: limits) {
      (block) throws(StorageError) in
      try chunker.add(block, take)
    }
    try chunker.finish(take)
    try flush()
    file.title = PlainWords.prefix(outcome.title ?? file.filename, bytes: 500)
    file.chunks = chunker.passages
    file.sections = chunker.sections
    file.words = chunker.words
    file.truncated = outcome.truncated
    file.status = file.chunks > 0 ? .processed : .stored
    file.reason = outcome.reason ?? (file.chunks > 0 ? nil : "the document has no words")
  }

  // MARK: - After a crash

  private func recover() throws(StorageError) {
    let cutOff = try database.write { (connection) throws(StorageError) in
      // While the plugin is replaced, the old generation's uploads still hold their files.
      try connection.rows("SELECT file, incoming, sha256 FROM pending") {
        (id: $0.text(0), incoming: $0.text(1), sha256: $0.text(2))
      }.filter { !blobs.isHeld(incoming: $0.incoming) }
    }
    for upload in cutOff { try undo(upload.id, upload.sha256) }
    try removeGarbage()
  }

  private func undo(_ id: String, _ sha256: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      try SearchIndex.remove(file: id, &connection)
      try connection.run("DELETE FROM pending WHERE file = ?", [.text(id)])
      try connection.run("INSERT OR IGNORE INTO garbage (sha256) VALUES (?)", [.text(sha256)])
    }
    try removeGarbage()
  }

  /// Removes contents that no file refers to any more.
  ///
  /// Under the write lock, so that an upload of the same content comes wholly before or after.
  private func removeGarbage() throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      let listed = try connection.rows("SELECT sha256 FROM garbage") { $0.text(0) }
      for sha256 in listed {
        let isUsed = try connection.first(
          "SELECT 1 FROM files WHERE sha256 = ?",
          [.text(sha256)]
        ) { _ in true }
        if isUsed == nil { try blobs.remove(sha256: sha256) }
        try connection.run("DELETE FROM garbage WHERE sha256 = ?", [.text(sha256)])
      }
    }
  }

  // MARK: - Reading and deleting

  /// The file, if `owner` may see it; `nil` owner sees all.
  package func file(_ id: String, owner: String?) throws(StorageError) -> FileRecord? {
    guard UUID4.isWellFormed(id) else { return nil }
    return try database.read { (connection) throws(StorageError) in
      try connection.first(
        "SELECT \(FileRecord.columns) FROM files WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)",
        [.text(id), .optional(owner)],
        FileRecord.init
      )
    }
  }

  /// Deletes the file, if `owner` may; gives what was deleted.
  package func delete(_ id: String, owner: String?) throws(StorageError) -> FileRecord? {
    guard let file = try file(id, owner: owner) else { return nil }
    let isDeleted = try database.write { (connection) throws(StorageError) in
      guard try connection.run("DELETE FROM files WHERE id = ?", [.text(id)]) > 0 else {
        return false
      }
      try SearchIndex.remove(file: id, &connection)
      try connection.run(
        "INSERT OR IGNORE INTO garbage (sha256) VALUES (?)",
        [.text(file.sha256)]
      )
      return true
    }
    guard isDeleted else { return nil }
    try removeGarbage()
    return file
  }

  /// Which files are listed.
  package struct Listing: Sendable {
    /// `nil` lists everyone's.
    package var owner: String?
    package var category: String?
    package var contentType: String?
    package var status: FileRecord.Status?
    package var limit = 20
    package var offset = 0

    package init(owner: String?) { self.owner = owner }
  }

  /// One page, the newest first, and how many there are in all.
  package func list(
    _ listing: Listing
  ) throws(StorageError) -> (files: [FileRecord], total: Int) {
    let values: [SQLValue] = [
      .optional(listing.owner), .optional(listing.category), .optional(listing.contentType),
      .optional(listing.status?.rawValue),
    ]
    // A separate text for one owner, so that SQLite can use the index on it.
    let owner = listing.owner == nil ? "?1 IS NULL" : "owner = ?1"
    let condition = """
      \(owner) AND (?2 IS NULL OR category = ?2)
        AND (?3 IS NULL OR content_type = ?3) AND (?4 IS NULL OR status = ?4)
      """
    return try database.read { (connection) throws(StorageError) in
      try connection.page(
        FileRecord.columns,
        from: "files WHERE \(condition)",
        values,
        orderedBy: "uploaded_at DESC, number DESC",
        limit: listing.limit,
        offset: listing.offset,
        FileRecord.init
      )
    }
  }

  /// How many files and passages there are, and the bytes of the files.
  package func totals() throws(StorageError) -> (files: Int, bytes: Int, passages: Int) {
    try database.read { (connection) throws(StorageError) in
      try connection.first(
        """
        SELECT count(*), coalesce(sum(size), 0), coalesce(sum(chunks), 0) FROM files
        """
      ) { ($0.count(0), $0.count(1), $0.count(2)) } ?? (0, 0, 0)
    }
  }
}
