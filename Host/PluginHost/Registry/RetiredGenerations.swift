import Synchronization

/// Generations whose code stays mapped although they are over.
package final class RetiredGenerations: Sendable {
  package struct Generation: Sendable, Equatable {
    package let plugin: String
    package let number: UInt32
    /// Why it could not be unmapped.
    package let reason: String
  }

  /// How many may gather before no further change adds one.
  package let budget: Int
  private let log: Log
  private let health: HealthBoard
  private let gauge: MetricFamily?
  private let all = Mutex<[Generation]>([])

  init(budget: Int, log: Log, health: HealthBoard, metrics: MetricsRegistry) {
    self.budget = budget
    self.log = log
    self.health = health
    gauge = try? metrics.define(
      .gauge,
      "gateway_plugin_retired_generations",
      help: "Ended generations of plugins whose code stays mapped.",
      owner: "gateway"
    )
    gauge?.record(0)
  }

  package var list: [Generation] { all.withLock { $0 } }

  /// Whether one more is too many.
  var isFull: Bool { all.withLock { $0.count >= budget } }

  func add(_ instance: PluginInstance, reason: String) {
    let generation = Generation(
      plugin: instance.id,
      number: instance.generation,
      reason: reason
    )
    let count = all.withLock { all in
      all.append(generation)
      return all.count
    }
    health.retire(count, isFull: count >= budget)
    gauge?.record(Double(count))
    instance.log(.info, "generation retired", [("reason", reason), ("retired", "\(count)")])
    guard count >= budget else { return }
    log.write(
      .warning,
      "the code of ended plugins fills the memory; restart the gateway when it suits",
      [("retired", "\(count)"), ("budget", "\(budget)")]
    )
  }
}
