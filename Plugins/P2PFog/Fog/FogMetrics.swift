import GatewayPlugin

/// Numbers of the fog for operators.
struct FogMetrics: Sendable {
  private let jobs: Gauge
  private let nodes: Gauge
  private let trust: Gauge
  private let waiting: Gauge
  private let placed: Histogram
  private let ended: Counter
  private let lost: Counter
  private let refused: Counter
  private let settled: Counter
  private let utilisation: Gauge

  /// Defines them.
  ///
  /// - Parameter host: During `init` of the plugin.
  /// - Throws: What the gateway refused.
  init(_ host: Host) throws(HostRefusal) {
    let metrics = host.metrics
    jobs = try metrics.gauge("fog_jobs", "Live jobs by state.", labels: ["state"])
    nodes = try metrics.gauge("fog_nodes", "Nodes by status.", labels: ["status"])
    trust = try metrics.gauge(
      "fog_node_trust_score",
      "Trust of a node from its record, 0 to 1.",
      labels: ["node"]
    )
    waiting = try metrics.gauge("fog_settlements_waiting", "Settlements the ledger has not yet.")
    placed = try metrics.histogram(
      "fog_placement_latency_seconds",
      "From submission to the first lease that a node took."
    )
    ended = try metrics.counter(
      "fog_jobs_ended_total",
      "Jobs that are over, by how.",
      labels: ["state"]
    )
    lost = try metrics.counter("fog_leases_lost_total", "Leases whose nodes went silent or hung.")
    refused = try metrics.counter("fog_offers_refused_total", "Leases that nodes did not take.")
    settled = try metrics.counter(
      "fog_settlements_total",
      "Settlements by what became of them.",
      labels: ["state"]
    )
    utilisation = try metrics.gauge(
      "fog_utilization_ratio",
      "Share of active nodes that is leased.",
      labels: ["resource"]
    )
  }

  /// Takes what happened.
  func take(_ measure: Surroundings.Measure) {
    switch measure {
    case .placed(let seconds): placed.observe(seconds)
    case .ended(let status): ended.add(1, status.rawValue)
    case .leaseLost: lost.add()
    case .offerRefused: refused.add()
    case .settled(let state): settled.add(1, state)
    }
  }

  /// Shows what is.
  func show(_ figures: FogFigures) {
    for (state, count) in figures.jobs { jobs.set(Double(count), state.rawValue) }
    for (status, count) in figures.nodes { nodes.set(Double(count), status.rawValue) }
    // Labels live for ever in the gateway: only the first nodes get one.
    for (node, score) in figures.trust.prefix(256) { trust.set(score, node) }
    for (resource, share) in figures.utilisation { utilisation.set(share, resource) }
    waiting.set(Double(figures.settlementsWaiting))
  }
}
