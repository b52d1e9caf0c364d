package import GatewayPlugin
import PluginStorage

/// Trains one model to its last step, with held-out losses, early stop, progress and checkpoints.
package struct TrainingLoop {
  /// What is trained.
  package let trainer: Trainer
  /// Where batches come from.
  package var source: any BatchSource
  /// What is held out; may be empty.
  package let validation: [Batch]
  /// Steps between two held-out losses.
  package var validateEvery: Int
  /// Held-out losses in a row that may fail to improve before training stops; `nil` for never.
  package var patience: Int?
  /// Steps that the run did before this loop, and in all: what progress counts in.
  package var stepsBefore = 0
  package var stepsInAll: Int
  /// What belongs to each point beside the loop's own numbers; given the last step's result.
  package var details: (StepResult) -> JSON = { _ in [:] }
  /// What a phase keeps in each checkpoint beside the loop's own tensors, under other names.
  package var otherTensors: [(name: String, values: Floats)] = []
  /// Called after each step, before a checkpoint could be saved; a phase adds its own work here.
  package var afterStep: ((inout TrainingLoop, StepResult) throws -> Void)?

  /// The held-out losses so far, by step.
  package private(set) var curve: [(step: Int, loss: Double)] = []
  /// The lowest of them, and the parameters that gave it when `patience` is set.
  package private(set) var best: (step: Int, loss: Double)?
  private var bestParameters: Floats?
  private var misses = 0
  /// A mean of the last steps' losses, decayed by a tenth each step.
  package private(set) var recentLoss: Double?

  /// A loop over batches.
  ///
  /// - Parameters:
  ///   - trainer: What is trained; its settings say how many steps.
  ///   - source: Where batches come from.
  ///   - validation: What is held out.
  ///   - patience: See the property.
  ///   - account: Is told of the bytes.
  package init(
    _ trainer: Trainer,
    _ source: any BatchSource,
    validation: [Batch],
    patience: Int? = nil,
    _ account: MemoryAccount?
  ) {
    self.trainer = trainer
    self.source = source
    self.validation = validation
    self.patience = patience
    validateEvery = max(trainer.settings.steps / 20, 10)
    stepsInAll = trainer.settings.steps
    if patience != nil { bestParameters = Floats(trainer.parameters.layout.count, account) }
  }

  /// Trains until the last step, an early stop, or a stop of the run.
  ///
  /// - Parameters:
  ///   - context: Of the run.
  ///   - wrap: Makes a checkpoint's state of the loop's, with what the phase must know to come back here.
  /// - Throws: `RunStopped` after a checkpoint was saved; `RunFailure`.
  package mutating func run(_ context: any PhaseContext, wrap: (JSON) -> JSON) throws {
    var clock = Clock.monotonic()
    var tokens = 0
    let settings = trainer.settings
    while trainer.step < settings.steps, patience.map({ misses < $0 }) ?? true {
      do { try context.checkStop() } catch {
        try save(context, wrap)
        throw error
      }
      let rate = settings.rate(at: trainer.step)
      let result = try trainer.step(source.next(rows: settings.batchSize, length: settings.length))
      tokens += result.tokens
      recentLoss = recentLoss.map { 0.9 * $0 + 0.1 * result.loss } ?? result.loss
      try afterStep?(&self, result)
      let isLast = trainer.step == settings.steps
      let heldOut = isLast || trainer.step % validateEvery == 0 ? try measure() : nil
      let now = Clock.monotonic()
      if isLast || heldOut != nil || now - clock > 50_000_000 || trainer.step == 1 {
        let seconds = Double(now - clock) / 1e9
        context.report(
          ProgressPoint(
            step: stepsBefore + trainer.step,
            steps: stepsInAll,
            loss: result.loss,
            validationLoss: heldOut,
            tokensPerSecond: Double(tokens) / max(seconds, 1e-9),
            learningRate: rate,
            details: details(result)
          )
        )
        (clock, tokens) = (Clock.monotonic(), 0)
      }
      if context.isCheckpointDue { try save(context, wrap) }
    }
    if let bestParameters, let best, best.step != trainer.step {
      context.log(
        "Took back the parameters of step \(best.step), whose held-out loss was the lowest."
      )
      trainer.take(bestParameters)
    }
  }

  /// Measures the held-out loss, and keeps the best.
  private mutating func measure() throws -> Double? {
    guard !validation.isEmpty else { return nil }
    let loss = try trainer.validate(validation)
    curve.append((trainer.step, loss))
    if best.map({ loss < $0.loss }) ?? true {
      best = (trainer.step, loss)
      bestParameters?.copy(from: trainer.parameters.values)
      misses = 0
    } else {
      misses += 1
    }
    return loss
  }

  /// Where the loop stands, as `restore` takes it.
  package var checkpoint: (state: JSON, tensors: [(name: String, values: Floats)]) {
    var (state, tensors) = trainer.checkpoint
    if let bestParameters { tensors.append((name: "best", values: bestParameters)) }
    state = [
      "trainer": state, "source": source.state, "misses": .integer(Int64(misses)),
      "recent_loss": recentLoss.map(JSON.number) ?? .null,
      "best_step": best.map { .integer(Int64($0.step)) } ?? .null,
      "best_loss": best.map { .number($0.loss) } ?? .null,
      "curve": .array(curve.map { [.integer(Int64($0.step)), .number($0.loss)] }),
    ]
    return (state, tensors)
  }

  /// Saves a checkpoint of where the loop stands.
  ///
  /// - Parameters:
  ///   - context: Of the run.
  ///   - wrap: As for `run`.
  /// - Throws: `StorageError`.
  package func save(_ context: any PhaseContext, _ wrap: (JSON) -> JSON) throws {
    let (state, tensors) = checkpoint
    try context.save(Checkpoint(state: wrap(state), tensors: tensors + otherTensors))
  }

  /// Goes on from a checkpoint that `run` saved.
  ///
  /// - Parameters:
  ///   - state: What `wrap` was given.
  ///   - checkpoint: Holds the tensors.
  /// - Throws: `RunFailure`, `DataError` when it does not fit.
  package mutating func restore(_ state: JSON, _ checkpoint: Checkpoint) throws {
    try trainer.restore(state["trainer"], checkpoint)
    try source.restore(state["source"] ?? .null)
    misses = Int(state["misses"]?.asInteger ?? 0)
    recentLoss = state["recent_loss"]?.asNumber
    if let step = state["best_step"]?.asInteger, let loss = state["best_loss"]?.asNumber {
      best = (Int(step), loss)
    }
    curve = (state["curve"]?.asArray ?? []).compactMap { point in
      guard let pair = point.asArray, pair.count == 2, let step = pair[0].asInteger,
        let loss = pair[1].asNumber
      else { return nil }
      return (Int(step), loss)
    }
    if let bestParameters {
      bestParameters.copy(from: try checkpoint.tensor("best", count: bestParameters.count))
    }
  }
}
