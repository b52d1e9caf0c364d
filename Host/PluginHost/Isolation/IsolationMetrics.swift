/// What operators see of isolated plugins' processes in /metrics.
final class IsolationMetrics: Sendable {
  private let restarts: MetricFamily?
  private let breaker: MetricFamily?

  init(_ registry: MetricsRegistry) {
    // Defined once for each registry: refused only when a test has defined them before.
    restarts = try? registry.define(
      .counter,
      "gateway_plugin_restarts_total",
      help: "Times the process of an isolated plugin was started again.",
      labels: ["plugin"],
      owner: "gateway"
    )
    breaker = try? registry.define(
      .gauge,
      "gateway_plugin_breaker",
      help: "Circuit breaker of an isolated plugin: 0 closed, 1 half-open, 2 open.",
      labels: ["plugin"],
      owner: "gateway"
    )
  }

  /// The breaker of `plugin` has changed.
  func note(_ plugin: String, _ state: Breaker.State) {
    let number: Double =
      switch state {
      case .closed: 0
      case .halfOpen: 1
      case .open: 2
      }
    breaker?.record(number, [plugin])
  }

  /// The process of `plugin` was started again.
  func noteRestart(_ plugin: String, _ state: Breaker.State) {
    restarts?.record(1, [plugin])
    note(plugin, state)
  }
}
