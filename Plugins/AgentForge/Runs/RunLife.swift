import GatewayPlugin
import PluginStorage

/// One attempt at a run from its beginning to its end, on the run's own thread.
struct RunLife {
  /// Starts without any progress between them, after which a run is given up: it ends the process each time.
  static let maxFutileAttempts = 5

  private let queue: RunQueue
  private let run: RunRecord
  private let session: RunSession

  init(
    _ queue: RunQueue,
    _ run: RunRecord,
    _ wish: RunSession.Wish,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.queue = queue
    self.run = run
    session = RunSession(
      run,
      queue.store,
      queue.around,
      queue.limits,
      wish: wish,
      shouldStop: shouldStop
    )
  }

  /// Works until the run is over or stopped.
  func live() {
    do {
      try session.checkStop()
      let report = try work()
      try session.flush()
      try complete(report)
    } catch is RunStopped {
      stop()
    } catch {
      fail(error)
    }
  }

  // MARK: - Working

  private func work() throws -> JSON {
    guard run.futileAttempts <= Self.maxFutileAttempts else {
      throw RunFailure(
        """
        The run was cut off \(Self.maxFutileAttempts) times without getting further, each time with \
        the whole process; ask for a smaller model, batch or context.
        """
      )
    }
    let phase = try makePhase()
    if !run.isReal { return try dryRun(phase) }
    // What was planned at the first start knew of no checkpoint.
    let planned = try run.memoryEstimated.map { $0 + (try session.checkpointBytes()) }
    let estimated = try planned ?? prepare(phase)
    session.beginMeasuring()
    let report = try phase.run(session)
    return report.adding([
      ("memory_bytes_estimated", .integer(Int64(estimated))),
      ("memory_bytes_peak", .integer(Int64(session.account.peak))),
      ("attempts", .integer(Int64(run.attempts))),
    ])
  }

  /// The phase, from the stored request.
  private func makePhase() throws -> any Phase {
    guard let type = queue.around.phase(run.phase) else {
      throw RunFailure("This release has no phase \(run.phase.rawValue).")
    }
    var fields = Fields(run.parameters)
    CommonParameters.pass(&fields)
    let phase = type.init(run.order, &fields)
    do { try fields.finish() } catch {
      throw RunFailure("This release does not know the run's parameters: \(error.message)")
    }
    return phase
  }

  private func prepare(_ phase: any Phase) throws -> Int {
    let plan = try phase.plan(session)
    let memory = plan.memoryBytes + (try session.givenBytes())
    try check(memory)
    try queue.store.planned(run.id, steps: plan.steps, memoryBytes: memory)
    return memory
  }

  private func check(_ memory: Int) throws {
    let most = queue.limits.maxMemoryBytes
    guard memory > most else { return }
    throw RunFailure(
      """
      The run would need \(memory) bytes of memory and may have \(most); ask for a smaller \
      model, batch or context.
      """
    )
  }

  private func dryRun(_ phase: any Phase) throws -> JSON {
    let plan = try phase.plan(session)
    let memory = plan.memoryBytes + (try session.givenBytes())
    let fits = memory <= queue.limits.maxMemoryBytes
    session.log("A dry run: planned, nothing trained, no model made.")
    return [
      "dry_run": true, "trained": false,
      "parameter_count": .integer(Int64(plan.parameterCount)),
      "memory_bytes": .integer(Int64(memory)),
      "max_memory_bytes": .integer(Int64(queue.limits.maxMemoryBytes)),
      "fits_in_memory": .bool(fits), "steps": .integer(Int64(plan.steps)),
      "estimated_seconds": .number(plan.seconds), "details": plan.details,
    ]
  }

  // MARK: - Ending

  private func complete(_ report: JSON) throws {
    let around = queue.around
    // Read before the end is stored: a failure here fails the run, one after it would contradict the row.
    let models = try queue.store.models(run.id)
    let isCompleted = try queue.store.complete(run.id, report: report) {
      around.phase($0)?.inputs ?? 0...0
    }
    guard isCompleted else { return stop() }
    queue.removeCheckpoint(run.id)
    around.measure(.ended(.completed))
    around.publish(
      "training_complete",
      [
        "task_id": .string(run.id), "phase": .string(run.phase.rawValue), "status": "completed",
        "real_training": .bool(run.isReal),
        "models": .array(models.map { .string($0) }),
        "number": .integer(Int64(session.nextEvent())),
      ],
      run.owner
    )
  }

  /// Ended by its owner, which is stored already, or by the plugin's end, after which it goes on.
  private func stop() {
    do {
      // Of a cancelled run nothing more is stored: it is over, and this finds it out.
      try session.flush()
      if session.isOver {
        let sentence = "The run was cancelled by its owner."
        let number = session.nextEvent()
        try queue.store.told(run.id, event: number)
        queue.tellEnd(run, .cancelled, sentence, number: number)
      } else {
        try queue.store.gotFurther(run.id)
      }
    } catch {
      queue.around.warn("The end of a run could not be stored.", "\(error)")
    }
  }

  private func fail(_ error: any Error) {
    let sentence = explain(error)
    session.log(sentence)
    do {
      // What cannot be written must not keep the end from being written.
      do { try session.flush() } catch {
        queue.around.warn("The progress of a run could not be stored.", "\(error)")
      }
      guard try queue.store.end(run.id, .failed, sentence) != nil else { return stop() }
      queue.tellEnd(run, .failed, sentence, number: session.nextEvent())
    } catch {
      queue.around.warn("The failure of a run could not be stored.", "\(error)")
    }
  }

  /// A sentence for the owner; what is no business of theirs goes to the operator.
  private func explain(_ error: any Error) -> String {
    switch error {
    case let failure as RunFailure: return failure.description
    case let fault as DataError: return "The data cannot be trained on: \(fault)."
    case let fault as CheckpointError: return fault.description
    case let fault as ModelFault:
      return "A model of the run is damaged: \(fault). Train it again, or import it anew."
    case StorageError.full: return "No space is left on the server's disk; the run can be resumed."
    case StorageError.busy, StorageError.timedOut:
      return "The server's disk was too busy; the run can be resumed."
    default:
      queue.around.warn("A run failed.", "\(run.id): \(error)")
      return "The run failed inside the server; its operator's log has the reason."
    }
  }
}

extension JSON {
  /// An object with further members; anything else becomes one with itself as `result`.
  func adding(_ more: [(String, JSON)]) -> JSON {
    let own = asMembers ?? [Member(name: "result", value: self)]
    return .object(own + more.map { Member(name: $0.0, value: $0.1) })
  }
}
