package import GatewayPlugin

/// One of the eight: it takes models or data, and makes models.
///
/// The same value is made twice: when a run is asked for, so that every bad field is refused then, and when it is
/// run, from the stored request.
package protocol Phase: Sendable {
  /// Which one.
  static var name: PhaseName { get }

  /// How many models it needs: `parameters.models`, or what the phase before it in a pipeline made.
  static var inputs: ClosedRange<Int> { get }

  /// Reads its own members of `parameters`; notes every bad one.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`, of which the common ones (`models`, `data`, `name`, `seed`) are read.
  init(_ order: PhaseOrder, _ fields: inout Fields)

  /// What it will do and need, found without doing it; may load data and measure a short probe on the thread that
  /// calls.
  ///
  /// - Parameter context: Gives models and data.
  /// - Returns: The plan.
  /// - Throws: `RunFailure`.
  func plan(_ context: any PhaseContext) throws -> PhasePlan

  /// Does it.
  ///
  /// - Parameter context: Gives models, data and threads; takes progress, checkpoints and models.
  /// - Returns: What was measured, before and after.
  /// - Throws: `RunFailure`, `RunStopped` (after a checkpoint was saved), `StorageError`.
  func run(_ context: any PhaseContext) throws -> JSON
}

/// What every phase is told by a request.
package struct PhaseOrder: Sendable, Equatable {
  /// Optimiser steps or the phase's own unit of them, 1...1,000,000.
  package var maxSteps: Int
  /// Sequences in one step, 1...512.
  package var batchSize: Int
  /// Decides every random choice.
  package var seed: UInt64
  /// What the models made will be called; a phase that makes several adds to it.
  package var modelName: String

  /// An order.
  package init(maxSteps: Int, batchSize: Int, seed: UInt64, modelName: String) {
    self.maxSteps = maxSteps
    self.batchSize = batchSize
    self.seed = seed
    self.modelName = modelName
  }
}

/// What a phase would need.
package struct PhasePlan: Sendable, Equatable {
  /// Numbers of one model it makes.
  package var parameterCount: Int
  /// Bytes it will hold at most beside what the context gives it (models, a checkpoint), by its own account.
  package var memoryBytes: Int
  /// Steps in all, as `progress` counts them.
  package var steps: Int
  /// Seconds for all of them, from a short probe on this machine.
  package var seconds: Double
  /// What else a reader of a dry run should see (tokens of data, shape, …).
  package var details: JSON

  /// A plan.
  package init(parameterCount: Int, memoryBytes: Int, steps: Int, seconds: Double, details: JSON) {
    self.parameterCount = parameterCount
    self.memoryBytes = memoryBytes
    self.steps = steps
    self.seconds = seconds
    self.details = details
  }
}

/// What a running phase has around it; used from the run's own thread, except where said.
package protocol PhaseContext: AnyObject {
  /// The models it consumes, loaded in the order of the request.
  func models() throws -> [(id: String, model: LanguageModel)]

  /// The documents of `parameters.data`; `nil` when the request names none.
  func documents() throws -> [Document]?

  /// The threads of the host.
  var parallel: Parallel { get }

  /// In how many parts a batch is split; the same for the whole life of a run.
  var shards: Int { get }

  /// Told of every buffer.
  var account: MemoryAccount { get }

  /// Bytes that a run may hold; a plan that needs more is refused before anything is allocated.
  var memoryLimit: Int { get }

  /// Throws `RunStopped` when the run was cancelled or the plugin stops.
  ///
  /// Asked between steps, after which a phase saves a checkpoint and throws on.
  func checkStop() throws(RunStopped)

  /// Whether a checkpoint is due: some time has passed since the last.
  var isCheckpointDue: Bool { get }

  /// The last checkpoint of this run that is whole; `nil` at its first start.
  func checkpoint() throws -> Checkpoint?

  /// Stores where the run stands, durably.
  func save(_ checkpoint: Checkpoint) throws

  /// A measured point; shown, kept in the run's curve, and sent to the owner at most 10 times a second.
  func report(_ point: ProgressPoint)

  /// A line in the run's log.
  func log(_ line: String)

  /// Stores a model that the phase made.
  ///
  /// Once stored it stays, also when the run is stopped and goes on: a phase that makes several keeps their ids in
  /// its checkpoint. A run that was cut off between storing and its next checkpoint stores the model again, and gets
  /// the id of the first.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - name: What it is called; each model of a run has another name.
  ///   - parents: Ids of the models it came from.
  ///   - metrics: What was measured of it.
  ///   - dataFingerprint: SHA-256 of the data it learnt from; empty for none.
  /// - Returns: Its id.
  /// - Throws: `StorageError`.
  func store(
    _ model: LanguageModel,
    name: String,
    parents: [String],
    metrics: JSON,
    dataFingerprint: String
  )
    throws -> String
}

/// One measured point of a run.
package struct ProgressPoint: Sendable, Equatable {
  /// Steps done, of the plan's.
  package var step: Int
  /// Steps in all.
  package var steps: Int
  /// The loss in nats a token, or the phase's own objective; `nil` when this point has none.
  package var loss: Double?
  /// The loss on held-out data, when it was measured here.
  package var validationLoss: Double?
  /// Tokens a second since the last point; 0 for a phase that counts none.
  package var tokensPerSecond: Double
  /// Of the optimiser, if there is one.
  package var learningRate: Double?
  /// What else belongs to the point (success rate, fitness, generation, …), an object.
  package var details: JSON

  /// A point.
  package init(
    step: Int,
    steps: Int,
    loss: Double?,
    validationLoss: Double? = nil,
    tokensPerSecond: Double = 0,
    learningRate: Double? = nil,
    details: JSON = [:]
  ) {
    self.step = step
    self.steps = steps
    self.loss = loss
    self.validationLoss = validationLoss
    self.tokensPerSecond = tokensPerSecond
    self.learningRate = learningRate
    self.details = details
  }
}

/// Why a run cannot go on; a sentence for its owner.
package struct RunFailure: Error, Equatable, CustomStringConvertible {
  /// The sentence: what is wrong, and what to do.
  package let description: String

  /// A failure explained by `sentence`.
  package init(_ sentence: String) { description = sentence }
}

/// The run was asked to end before its time.
package struct RunStopped: Error, Equatable {
  /// Makes one.
  package init() {}
}
