/// What a job runs.
package enum JobType: String, Sendable, CaseIterable {
  /// A run of Agent Forge's phases; the model is its result.
  case train
  /// Answers of a model of Agent Forge.
  case inference
  /// A command of an uploaded bundle in a sandbox.
  case process
}
