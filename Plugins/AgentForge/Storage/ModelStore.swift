import GatewayPlugin
import Glibc
package import PluginStorage

/// The models of every owner: numbers in a folder each, facts in the database.
///
/// `<directory>/models/<id>/` is a whole model; `<id>.partial` is one that is being written. Any thread may call.
package final class ModelStore: Sendable {
  private let database: Database
  private let models: String

  /// Ids of models whose folder was gone when the store was opened, for the log; they cannot be loaded.
  package let missing: [String]

  /// Opens the store, and removes what a crash left half-written.
  ///
  /// - Parameters:
  ///   - database: With the schema `forge`.
  ///   - directory: The plugin's, in which the folder `models` is made.
  /// - Throws: `StorageError`.
  package init(database: Database, directory: String) throws(StorageError) {
    self.database = database
    models = directory + "/models"
    try Folder.make(directory)
    try Folder.make(models)
    try Self.removeLeftovers(models, database)
    let known = try database.read { (connection) throws(StorageError) in
      try connection.rows("SELECT id FROM models ORDER BY number") { $0.text(0) }
    }
    let folders = Set(try Folder.names(models))
    missing = known.filter { !folders.contains($0) }
  }

  /// The folder of the model `id`, which may be gone at any time: its owner may delete it.
  package func folder(_ id: String) -> ModelFolder { ModelFolder(models + "/" + id) }

  // MARK: - Storing

  /// Keeps a model under a new id; when this returns it survives a crash.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - facts: Whose it is and where it comes from.
  /// - Returns: What is now known of it.
  /// - Throws: `ModelFault` for a form that is not stored, `StorageError`; nothing is left behind.
  package func store(_ model: LanguageModel, _ facts: ModelFacts) throws -> ModelRecord {
    var phases: [String] = []
    for parent in try parents(facts) {
      phases += parent.phasesCompleted.filter { !phases.contains($0) }
    }
    return try store(model, facts, phasesCompleted: phases + [facts.phase])
  }

  /// As `store`, once for each name in a run.
  ///
  /// A run that was cut off between this and its next checkpoint comes here again, with the same numbers.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - facts: Of a run.
  /// - Returns: What is known of it, or of the one that the run has stored under this name already.
  /// - Throws: As `store`.
  package func storeOnce(_ model: LanguageModel, _ facts: ModelFacts) throws -> ModelRecord {
    let earlier = try database.read { (connection) throws(StorageError) in
      try connection.first(
        "SELECT \(ModelRecord.columns) FROM models WHERE run = ?1 AND name = ?2 AND run <> ''",
        [.text(facts.run), .text(facts.name)],
        ModelRecord.init
      )
    }
    return try earlier ?? store(model, facts)
  }

  /// As `store`, with a history that the caller knows.
  package func store(
    _ model: LanguageModel,
    _ facts: ModelFacts,
    phasesCompleted: [String]
  ) throws -> ModelRecord {
    try WeightForms.check(model)
    let card = ModelCard(
      name: facts.name,
      template: model.template,
      form: model.form,
      systemPrompt: model.systemPrompt,
      extras: model.extras.keys.sorted(),
      phase: facts.phase,
      phasesCompleted: phasesCompleted,
      parents: try parents(facts).map { .init(id: $0.id, name: $0.name, phase: $0.phase) },
      metrics: facts.metrics,
      dataFingerprint: facts.dataFingerprint
    )
    let (id, lock) = try reserve()
    // Until the row is there, the lock keeps the clean-up of another generation of the plugin away.
    defer { withExtendedLifetime(lock) {} }
    do throws(StorageError) {
      let bytes = try ModelFolder(partial(id)).write(model, card)
      let record = ModelRecord(id, model, facts, phasesCompleted, bytes)
      try Folder.rename(partial(id), folder(id).path)
      try Folder.synchronize(models)
      try database.write { (connection) throws(StorageError) in try record.insert(&connection) }
      return record
    } catch {
      // What cannot be removed now, the next start removes.
      try? Folder.remove(partial(id))
      try? Folder.remove(folder(id).path)
      throw error
    }
  }

  private func partial(_ id: String) -> String { models + "/" + id + Self.partialSuffix }

  private func parents(_ facts: ModelFacts) throws(StorageError) -> [ModelRecord] {
    var found: [ModelRecord] = []
    for id in facts.parents {
      if let parent = try record(id, owner: facts.owner) { found.append(parent) }
    }
    return found
  }

  /// Makes an empty folder that is locked.
  private func reserve() throws(StorageError) -> (id: String, lock: FolderLock) {
    for _ in 0..<4 {
      let id = UUID4.make()
      try Folder.make(partial(id))
      // A clean-up that came between making and locking has removed it already; then another is made.
      if let lock = try FolderLock(partial(id)) { return (id, lock) }
    }
    throw .busy
  }

  /// A folder for files that arrive, which may become a model.
  package func receive() throws(StorageError) -> IncomingModel {
    let (id, lock) = try reserve()
    return IncomingModel(ModelFolder(partial(id)), lock)
  }

  /// Bytes that may still be written.
  package func freeBytes() throws(StorageError) -> Int { try Folder.space(models).free }

  // MARK: - Reading

  /// What is known of a model; `nil` when `owner` has none of that id.
  package func record(_ id: String, owner: String) throws(StorageError) -> ModelRecord? {
    guard UUID4.isWellFormed(id) else { return nil }
    return try database.read { (connection) throws(StorageError) in
      try connection.first(
        "SELECT \(ModelRecord.columns) FROM models WHERE id = ? AND owner = ?",
        [.text(id), .text(owner)],
        ModelRecord.init
      )
    }
  }

  /// The model itself.
  ///
  /// - Parameters:
  ///   - id: Its id.
  ///   - owner: Whose it is.
  ///   - account: Is told of its bytes.
  /// - Returns: The model; `nil` when `owner` has none of that id.
  /// - Throws: `ModelFault` when its files are not what was stored, `StorageError`.
  package func load(
    _ id: String,
    owner: String,
    _ account: MemoryAccount? = nil
  ) throws -> LanguageModel? {
    guard try record(id, owner: owner) != nil else { return nil }
    do { return try folder(id).read(account).model } catch {
      // Deleted meanwhile.
      if try record(id, owner: owner) == nil { return nil }
      throw error
    }
  }

  /// One page of an owner's models, the newest first.
  ///
  /// - Parameters:
  ///   - owner: Whose.
  ///   - phase: Of this phase alone; `nil` for all.
  ///   - limit: How many at most.
  ///   - offset: How many are passed over.
  /// - Returns: The page, and how many there are on all pages.
  /// - Throws: `StorageError`.
  package func list(
    owner: String,
    phase: String? = nil,
    limit: Int,
    offset: Int = 0
  ) throws(StorageError) -> (records: [ModelRecord], total: Int) {
    let condition = "owner = ?1 AND (?2 IS NULL OR phase = ?2)"
    let values: [SQLValue] = [.text(owner), .optional(phase)]
    return try database.read { (connection) throws(StorageError) in
      try connection.page(
        ModelRecord.columns,
        from: "models WHERE \(condition)",
        values,
        orderedBy: "created_at DESC, number DESC",
        limit: limit,
        offset: offset,
        ModelRecord.init
      )
    }
  }

  /// Deletes a model; one that was loaded stays in memory.
  ///
  /// - Parameters:
  ///   - id: Its id.
  ///   - owner: Whose it is.
  /// - Returns: Whether `owner` had it.
  /// - Throws: `StorageError`.
  package func delete(_ id: String, owner: String) throws(StorageError) -> Bool {
    let isDeleted = try database.write { (connection) throws(StorageError) in
      try connection.run(
        "DELETE FROM models WHERE id = ? AND owner = ?",
        [.text(id), .text(owner)]
      ) > 0
    }
    // A folder without a row is nobody's: what cannot be removed now, the next start removes.
    if isDeleted { try? Folder.remove(folder(id).path) }
    return isDeleted
  }
}

// MARK: - After a crash

extension ModelStore {
  private static let partialSuffix = ".partial"

  private static func removeLeftovers(
    _ models: String,
    _ database: Database
  ) throws(StorageError) {
    for name in try Folder.names(models) {
      let id = name.hasSuffix(partialSuffix) ? String(name.dropLast(partialSuffix.count)) : name
      let path = models + "/" + name
      // While the plugin is replaced, the old generation may still write one; it holds the lock.
      guard UUID4.isWellFormed(id), let lock = try? FolderLock(path) else { continue }
      // Asked under the lock: whoever wrote it has by now written the row as well.
      let isKept = try database.read { (connection) throws(StorageError) in
        try connection.first("SELECT 1 FROM models WHERE id = ?", [.text(name)]) { _ in true }
      }
      if isKept == nil { try Folder.remove(path) }
      withExtendedLifetime(lock) {}
    }
  }
}

extension ModelRecord {
  fileprivate init(
    _ id: String,
    _ model: LanguageModel,
    _ facts: ModelFacts,
    _ phasesCompleted: [String],
    _ bytes: Int
  ) {
    self.init(
      id: id,
      name: facts.name,
      owner: facts.owner,
      phase: facts.phase,
      run: facts.run,
      parents: facts.parents,
      phasesCompleted: phasesCompleted,
      shape: model.shape,
      template: model.template,
      form: model.form,
      metrics: facts.metrics,
      dataFingerprint: facts.dataFingerprint,
      bytes: bytes,
      createdAt: Clock.wall()
    )
  }
}
