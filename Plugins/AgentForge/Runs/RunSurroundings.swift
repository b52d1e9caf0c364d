package import GatewayPlugin
import PluginStorage

/// What runs are given: models, files, checkpoints, threads, and who hears of them.
///
/// Every closure may be called from any worker or job, and may block.
package struct RunSurroundings: Sendable {
  /// The phases there are.
  package var catalogue: [any Phase.Type]
  /// A model of an owner, its bytes told to the account; `nil` when they have none of that id.
  package var load:
    @Sendable (_ id: String, _ owner: String, MemoryAccount) throws -> LanguageModel?
  /// Whether an owner has a model of that id.
  package var hasModel: @Sendable (_ id: String, _ owner: String) throws -> Bool
  /// Stores a model durably, once for each name in a run, and gives its id.
  package var store: @Sendable (LanguageModel, ModelFacts) throws -> String
  /// Where checkpoints are kept.
  package var checkpoints: CheckpointStore
  /// What users train on.
  package var files: TrainingFiles
  /// Runs work on a thread of its own, and lets it ask whether it should stop.
  package var startJob: @Sendable (_ name: String, _ work: @escaping Work) throws -> Void
  /// Tells an owner's clients; what cannot be told is dropped.
  package var publish: @Sendable (_ topic: String, _ payload: JSON, _ owner: String) -> Void
  /// Counts what was measured.
  package var measure: @Sendable (Measure) -> Void
  /// The threads that share one batch.
  package var parallel: Parallel
  /// Lines for the operator.
  package var warn: @Sendable (_ what: String, _ why: String) -> Void
  /// Monotonic nanoseconds.
  package var now: @Sendable () -> UInt64 = Clock.monotonic

  /// What a job does.
  package typealias Work = @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) -> Void

  /// A number for operators.
  package enum Measure: Sendable, Equatable {
    case steps(Int)
    case rate(Double, PhaseName)
    case loss(Double, PhaseName)
    case ended(RunRecord.Status)
  }

  /// The phase of that name.
  package func phase(_ name: PhaseName) -> (any Phase.Type)? {
    catalogue.first { $0.name == name }
  }
}
