import GatewayPlugin
import PluginStorage

/// What clients read of runs.
struct RunAnswers {
  let store: RunStore

  /// A run among others.
  func summary(_ run: RunRecord) -> JSON { .object(Self.members(run)) }

  /// A run in full: its place in the queue and the pipeline, its models, its curve.
  ///
  /// - Parameter run: The run.
  /// - Returns: The object.
  /// - Throws: `StorageError`.
  func detail(_ run: RunRecord) throws(StorageError) -> JSON {
    var members = Self.members(run)
    func add(_ name: String, _ value: JSON) { members.append(.init(name: name, value: value)) }
    let stages = try run.pipeline.map { (id) throws(StorageError) in
      try store.pipeline(id, owner: run.owner)
    }
    add("progress", Self.progress(run, among: stages ?? [run]))
    add("metrics", Self.metrics(run))
    add("models", .array(try store.models(run.id).map { .string($0) }))
    add("loss_curve", .array(try store.curve(run.id).map(\.json)))
    add("parameters", run.parameters)
    add("report", run.report ?? .null)
    add("logs_url", .string("/v1/models/train/\(run.id)/logs"))
    if let position = try store.position(run.id) {
      add("queue_position", .integer(Int64(position)))
    }
    return .object(members)
  }

  /// An owner's runs that have not become models: what trains, waits or has failed, the newest first, as the list of
  /// models shows them.
  ///
  /// - Parameter owner: Whose.
  /// - Returns: Objects, at most a thousand.
  /// - Throws: `StorageError`.
  func unfinished(_ owner: String) throws(StorageError) -> [JSON] {
    var found: [RunRecord] = []
    for status in [RunRecord.Status.running, .queued, .waiting, .failed] {
      var listing = RunStore.Listing(owner: owner)
      listing.status = status
      listing.limit = 1000
      found += try store.list(listing).runs
    }
    return found.sorted { $0.createdAt > $1.createdAt }.prefix(1000).map { run in
      let status = run.status == .failed ? "failed" : "training"
      return .object(
        Self.members(run).map {
          $0.name == "status" ? .init(name: "status", value: .string(status)) : $0
        }
      )
    }
  }

  private static func members(_ run: RunRecord) -> [JSON.Member] {
    let shown: KeyValuePairs<String, JSON> = [
      "task_id": .string(run.id), "name": .string(run.name),
      "status": .string(run.status.rawValue), "phase": .string(run.phase.rawValue),
      "current_phase": .string(run.phase.rawValue), "real_training": .bool(run.isReal),
      "step": .integer(Int64(run.step)), "steps": .integer(Int64(run.steps)),
      "loss": .optional(run.loss), "validation_loss": .optional(run.validationLoss),
      "tokens_per_second": .number(run.tokensPerSecond),
      "cpu_seconds": .number(Double(run.processorTime / 1_000_000) / 1000),
      "eta_seconds": run.status == .running ? .optional(run.etaSeconds) : .null,
      "seed": .string(String(run.order.seed)),
      "attempts": .integer(Int64(run.attempts)),
      "error": run.error.map { .string($0) } ?? .null,
      "base_models": .array(run.models.map { .string($0) }),
      "data": .array(run.files.map { .string($0) }),
      "pipeline_id": run.pipeline.map { .string($0) } ?? .null,
      "user_id": .string(run.owner), "created_at": .time(run.createdAt),
      "started_at": .time(run.startedAt), "finished_at": .time(run.finishedAt),
      "progress_url": .string("/v1/models/train/\(run.id)"),
    ]
    return shown.map { JSON.Member(name: $0.key, value: $0.value) }
  }

  /// How far a run is, and the pipeline it stands in.
  private static func progress(_ run: RunRecord, among stages: [RunRecord]) -> JSON {
    let done = stages.count { $0.status == .completed }
    let all = stages.reduce(0) { $0 + share($1) } / Double(max(1, stages.count))
    return [
      "overall_progress": .number(all), "current_phase_progress": .number(share(run)),
      "phases_completed": .integer(Int64(done)), "total_phases": .integer(Int64(stages.count)),
      "estimated_time_remaining": run.status == .running
        ? run.etaSeconds.map { .string(words(seconds: $0)) } ?? .null : .null,
    ]
  }

  /// From 0 to 1.
  private static func share(_ run: RunRecord) -> Double {
    if run.status == .completed { return 1 }
    return run.steps > 0 ? min(1, Double(run.step) / Double(run.steps)) : 0
  }

  private static func metrics(_ run: RunRecord) -> JSON {
    [
      "loss": .optional(run.loss), "validation_loss": .optional(run.validationLoss),
      "learning_rate": .optional(run.learningRate),
      "batch_size": .integer(Int64(run.order.batchSize)),
      "current_step": .integer(Int64(run.step)), "total_steps": .integer(Int64(run.steps)),
      "tokens_per_second": .number(run.tokensPerSecond),
    ]
  }

  /// A time as one would say it.
  static func words(seconds: Double) -> String {
    let (count, unit) =
      switch seconds {
      case ..<90: (seconds, "second")
      case ..<5400: (seconds / 60, "minute")
      default: (seconds / 3600, "hour")
      }
    let whole = Int(min(count.rounded(), 1e9))
    return "\(whole) \(unit)\(whole == 1 ? "" : "s")"
  }

  /// A pipeline and its runs in order.
  ///
  /// - Parameters:
  ///   - id: The pipeline's.
  ///   - stages: Its runs, at least one.
  /// - Returns: The object.
  func pipeline(_ id: String, _ stages: [RunRecord]) -> JSON {
    let current = stages.first { $0.status != .completed }
    let status = current?.status ?? .completed
    return [
      "pipeline_id": .string(id), "status": .string(status.rawValue),
      "current_phase": current.map { .string($0.phase.rawValue) } ?? .null,
      "progress": Self.progress(current ?? stages[stages.count - 1], among: stages),
      "error": current?.error.map { .string($0) } ?? .null,
      "tasks": .array(stages.map(summary)), "user_id": .string(stages[0].owner),
      "progress_url": .string("/v1/pipeline/\(id)"),
    ]
  }
}

extension ProgressPoint {
  /// As a curve shows it.
  fileprivate var json: JSON {
    [
      "step": .integer(Int64(step)), "loss": .optional(loss),
      "validation_loss": .optional(validationLoss), "learning_rate": .optional(learningRate),
      "tokens_per_second": .number(tokensPerSecond), "details": details,
    ]
  }
}

extension JSON {
  /// Nanoseconds since 1970 as text, or `null`.
  static func time(_ nanoseconds: Int64?) -> JSON {
    nanoseconds.map { .string(Timestamp.text(nanoseconds: $0, milliseconds: true)) } ?? .null
  }
}
