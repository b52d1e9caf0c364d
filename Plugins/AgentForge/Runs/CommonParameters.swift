package import GatewayPlugin

/// The members of a request's `parameters` that every phase has.
package struct CommonParameters: Sendable, Equatable {
  /// Ids of the models it consumes.
  package var models: [String]
  /// Under which name `models` came.
  package var modelsField: String
  /// Ids of the files it reads.
  package var files: [String]
  /// What the models made are called; `nil` for a name of the phase.
  package var name: String?
  /// Decides every random choice.
  package var seed: UInt64

  /// The most models one run consumes.
  package static let maxModels = 64

  /// Reads and bounds them; whether models and files exist is not asked here.
  ///
  /// - Parameter fields: The request's `parameters`.
  package init(_ fields: inout Fields) {
    let hasOldName = fields.json("models") == nil && fields.json("base_models") != nil
    modelsField = hasOldName ? "base_models" : "models"
    models = fields.strings(modelsField, 0...Self.maxModels, length: 1...64)
    if !hasOldName, fields.json("base_models") != nil {
      fields.refuse("base_models", "is another name of models; give one of them")
    }
    files = fields.strings("data", 0...TrainingFiles.maxFiles, length: 1...64)
    name = fields.optionalString("name", 1...100)
    seed = UInt64(fields.integer("seed", 0...Int.max, default: 1))
  }

  /// Asks for them without looking, so that they are not taken for unknown ones.
  static func pass(_ fields: inout Fields) {
    for name in ["models", "base_models", "data", "name", "seed"] { _ = fields.json(name) }
  }
}
