import GatewayPlugin
import PluginStorage

extension RunSurroundings {
  /// What clients hear of runs.
  static let topics = ["training_progress", "training_complete", "training_error"]

  /// What a gateway gives to runs.
  ///
  /// - Parameters:
  ///   - host: The gateway.
  ///   - models: Where models are.
  ///   - checkpoints: Where checkpoints are.
  ///   - lent: Files of those who are no users of this gateway.
  ///   - settings: What the operator has decided.
  ///   - measure: Counts what was measured.
  init(
    host: Host,
    models: ModelStore,
    checkpoints: CheckpointStore,
    lent: LentFiles,
    settings: AgentForgeSettings,
    measure: @escaping @Sendable (Measure) -> Void
  ) {
    let width = settings.width
    self.init(
      catalogue: PhaseCatalog.all,
      load: { id, owner, account in try models.load(id, owner: owner, account) },
      hasModel: { id, owner in try models.record(id, owner: owner) != nil },
      store: { model, facts in try models.storeOnce(model, facts).id },
      checkpoints: checkpoints,
      files: TrainingFiles(
        lent.before { (method, argument, subject) throws(HostRefusal) in
          try host.services.call("utilities.files", method, argument, subject: subject)
        }
      ),
      startJob: { name, work in
        try host.jobs.start(name) { job in work { job.shouldStop } }
      },
      publish: { topic, payload, owner in
        // The same stands in the run's row for whoever asks.
        try? host.events.publish(topic, payload, to: owner)
      },
      measure: measure,
      parallel: Parallel(width: width) { count, work in
        try host.jobs.parallel(count, width: width, work)
      },
      warn: { what, why in host.log.warning("\(what)", ["why": "\(why)"]) }
    )
  }
}
