import GatewayPlugin

/// What operators see of runs, as numbers.
struct RunMetrics: Sendable {
  private let steps: Counter
  private let tokens: Counter
  private let loss: Gauge
  private let ended: Counter
  private let byStatus: Gauge

  /// Defines the metrics; in the plugin's `init`.
  init(_ host: Host) throws {
    steps = try host.metrics.counter("agent_forge_steps_total", "Training steps done.")
    tokens = try host.metrics.counter(
      "agent_forge_train_tokens_total",
      "Tokens read in training: the measured rate of each point times the time since the last."
    )
    loss = try host.metrics.gauge(
      "agent_forge_loss_nats",
      "The last loss that a run of the phase reported.",
      labels: ["phase"]
    )
    ended = try host.metrics.counter(
      "agent_forge_runs_ended_total",
      "Runs that are over.",
      labels: ["status"]
    )
    byStatus = try host.metrics.gauge(
      "agent_forge_runs_count",
      "Runs of each status that are kept.",
      labels: ["status"]
    )
  }

  /// Counts one measure.
  func take(_ measure: RunSurroundings.Measure) {
    switch measure {
    case .steps(let count): steps.add(Double(count))
    case .tokens(let count): tokens.add(count)
    case .loss(let value, let phase): if value.isFinite { loss.set(value, phase.rawValue) }
    case .ended(let status): ended.add(1, status.rawValue)
    }
  }

  /// Shows how many runs there are of each status.
  func show(_ queue: RunQueue) {
    // What cannot be read now is read in a second; the health says why.
    guard let counts = try? queue.store.totals().counts else { return }
    for status in RunRecord.Status.allCases {
      byStatus.set(Double(counts[status] ?? 0), status.rawValue)
    }
  }
}
