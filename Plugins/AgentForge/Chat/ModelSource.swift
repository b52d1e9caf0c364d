/// Where models are found by id; what is not the owner's is not there.
package protocol ModelSource: Sendable {
  /// Reads a model.
  ///
  /// - Parameters:
  ///   - id: The model's.
  ///   - owner: Who asks.
  /// - Returns: The model; `nil` when the owner has none of that id.
  /// - Throws: When it cannot be read, or is damaged.
  func load(_ id: String, owner: String) throws -> LanguageModel?

  /// What is known of a model.
  ///
  /// - Parameters:
  ///   - id: The model's.
  ///   - owner: Who asks.
  /// - Returns: The record; `nil` when the owner has none of that id.
  /// - Throws: When the store cannot be read.
  func record(_ id: String, owner: String) throws -> ModelRecord?

  /// The newest models of an owner, the newest first.
  ///
  /// - Parameters:
  ///   - owner: Who asks.
  ///   - limit: At most so many.
  /// - Returns: The records.
  /// - Throws: When the store cannot be read.
  func records(owner: String, limit: Int) throws -> [ModelRecord]
}

extension ModelStore: ModelSource {
  package func load(_ id: String, owner: String) throws -> LanguageModel? {
    try load(id, owner: owner, nil)
  }

  package func records(owner: String, limit: Int) throws -> [ModelRecord] {
    try list(owner: owner, limit: limit).records
  }
}
