public import GatewayPlugin
import PluginStorage

/// Small language models that are trained here, and talked to.
public final class AgentForgePlugin: Plugin, JobMoving {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "agent_forge",
    version: "1.0.0",
    description: "Trains small language models and talks with them."
  )

  private let settings: AgentForgeSettings
  private let directory: String
  private let models: ModelStore
  private let queue: RunQueue
  private let chat: ChatService
  private let metrics: RunMetrics

  /// Opens the model store of the host's data directory.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a store that cannot be opened.
  public init(host: Host) throws {
    settings = try AgentForgeSettings(host.settings)
    directory = host.dataDirectory
    metrics = try RunMetrics(host)
    do {
      let database = try Database(path: directory + "/forge.sqlite", schema: .forge)
      models = try ModelStore(database: database, directory: directory)
      let lent = try LentFiles(directory: directory)
      queue = try RunQueue(
        RunStore(database),
        RunSurroundings(
          host: host,
          models: models,
          checkpoints: try CheckpointStore(directory: directory),
          lent: lent,
          settings: settings,
          measure: metrics.take
        ),
        settings.limits,
        directory: directory
      )
      chat = try ChatService(
        host: host,
        models: models,
        database: database,
        settings: settings.chat
      )
      if host.services.isAvailable { try serveTraining(host, lent) }
    } catch {
      throw PluginFailure("The store of models and runs cannot be opened: \(error).")
    }
    if host.events.isAvailable {
      for topic in RunSurroundings.topics { try host.events.declare(topic) }
    }
    if host.jobs.isAvailable {
      // What ran in an earlier generation when this one began is free a little later.
      try host.jobs.every(.seconds(1), name: "take up runs") { [queue, metrics] _ in
        queue.advance()
        metrics.show(queue)
      }
    }
  }

  /// Offers `forge.train`.
  private func serveTraining(_ host: Host, _ lent: LentFiles) throws {
    let service = TrainService(
      runs: runs,
      models: models,
      files: lent,
      shards: settings.shards,
      forget: { [chat] id in chat.forget(id) }
    )
    try host.services.serve(TrainService.name) { call in
      try service.answer(call.method, call.argument, subject: call.subject)
    }
  }

  private var runs: TrainAnswers {
    TrainAnswers(queue: queue, directory: directory, minFreeBytes: settings.minFreeBytes)
  }

  /// Training, pipelines, models, answers and conversations.
  public var routes: [Route] {
    TrainRoutes(runs: runs, shards: settings.shards).all
    PipelineRoutes(runs: runs, shards: settings.shards).all
    ModelRoutes(
      store: models,
      importLimit: settings.maxImportBytes,
      trainingModels: { [runs] owner in try runs.answers.unfinished(owner) },
      deleted: { [chat] id in chat.forget(id) }
    ).all
    chat.routes
  }

  /// The queue, and the room on the disk.
  public var checks: [HealthCheck] {
    HealthCheck("training", every: .seconds(5)) { [queue, directory, settings] in
      Self.health(of: queue, directory, settings)
    }
  }

  /// Goes on with what was cut off, and takes up what waits.
  public func activate() throws { queue.activate() }

  /// Takes nothing further up.
  public func quiesce() { queue.rest() }

  /// Goes on with the runs that a swap had stopped.
  public func resumeJobs() { queue.activate() }

  private static func health(
    of queue: RunQueue,
    _ directory: String,
    _ settings: AgentForgeSettings
  ) -> Health {
    do {
      let totals = try queue.store.totals()
      let space = try Folder.space(directory)
      let detail: JSON = [
        "queued": .integer(Int64(totals.counts[.queued] ?? 0)),
        "waiting": .integer(Int64(totals.counts[.waiting] ?? 0)),
        "running": .integer(Int64(queue.running)),
        "last_error": totals.lastFailure.map { failure in
          // Anyone may ask for the health; the sentence is for the run's owner.
          ["task_id": .string(failure.run), "timestamp": .time(failure.at)]
        } ?? .null,
        "free_bytes": .integer(Int64(space.free)),
        "min_free_bytes": .integer(Int64(settings.minFreeBytes)),
      ]
      return space.free < settings.minFreeBytes ? .degraded(detail) : .healthy(detail)
    } catch {
      return .unhealthy(["reason": .string("\(error)")])
    }
  }
}
