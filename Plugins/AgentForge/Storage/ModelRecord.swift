package import GatewayPlugin

/// What is known of a stored model without loading it.
package struct ModelRecord: Sendable, Equatable {
  /// A UUID.
  package let id: String
  /// What its owner calls it.
  package let name: String
  /// Whose it is: the subject of the caller that made it.
  package let owner: String
  /// The phase that made it; `import` for one brought in.
  package let phase: String
  /// The run that made it; empty for an import.
  package let run: String
  /// Ids of the models it came from; they may be gone.
  package let parents: [String]
  /// The phases it and its ancestors went through, in order.
  package let phasesCompleted: [String]
  /// Its sizes.
  package let shape: ModelShape
  /// How it is talked to.
  package let template: LanguageModel.Template
  /// How its weights are stored.
  package let form: LanguageModel.Form
  /// What was measured of it, an object.
  package let metrics: JSON
  /// SHA-256 of the data it learnt from; empty for none of its own.
  package let dataFingerprint: String
  /// Bytes of all its files.
  package let bytes: Int
  /// Nanoseconds since 1970.
  package let createdAt: Int64
}

/// What a model is stored with, beside its numbers.
package struct ModelFacts: Sendable, Equatable {
  package var name: String
  package var owner: String
  package var phase: String
  package var run: String
  package var parents: [String]
  package var metrics: JSON
  package var dataFingerprint: String
}
