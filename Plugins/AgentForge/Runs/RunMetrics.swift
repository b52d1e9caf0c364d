import GatewayPlugin

/// What operators see of runs, as numbers.
struct RunMetrics: Sendable {
  private let steps: Counter
  private let rate: Gauge
  private let loss: Gauge
  private let ended: Counter
  private let byStatus: Gauge

  /// Defines the metrics; in the plugin's `init`.
  init(_ host: Host) throws {
    steps = try host.metrics.counter("agent_forge_steps_total", "Training steps done.")
    rate = try host.metrics.gauge(
      "agent_forge_tokens_per_second",
      "The last rate that a run of the phase reported; 0 once nothing trains.",
      labels: ["phase"]
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
    case .rate(let value, let phase): rate.set(value, phase.rawValue)
    case .loss(let value, let phase): if value.isFinite { loss.set(value, phase.rawValue) }
    case .ended(let status): ended.add(1, status.rawValue)
    }
  }

  /// Shows how many runs there are of each status, and that nothing is fast while none is running.
  func show(_ queue: RunQueue) {
    if queue.running == 0 { PhaseName.allCases.forEach { rate.set(0, $0.rawValue) } }
    // What cannot be read now is read in a second; the health says why.
    guard let counts = try? queue.store.totals().counts else { return }
    for status in RunRecord.Status.allCases {
      byStatus.set(Double(counts[status] ?? 0), status.rawValue)
    }
  }
}
