import GatewayPlugin
import Peering
import PluginStorage
import Synchronization

/// Counts of a moment, for metrics and health.
struct FogFigures: Sendable {
  var jobs: [FogJob.Status: Int] = [:]
  var nodes: [FogNode.Status: Int] = [:]
  /// By name of the node, in order.
  var trust: [(node: String, score: Double)] = []
  var utilisation: [(resource: String, share: Double)] = []
  /// Nanoseconds since this life of the process began.
  var age: UInt64 = 0
  var settlementsWaiting = 0
  var settlementsRefused = 0
  /// Milliseconds that the oldest settlement waits.
  var oldestSettlement: Int64 = 0
}

extension Coordinator {
  /// Counts.
  func figures() throws(StorageError) -> FogFigures {
    let now = around.now()
    var figures = state.withLock { state in
      var figures = FogFigures()
      figures.age = now.monotonic - state.activatedAt
      for status in [FogJob.Status.queued, .assigned, .running] { figures.jobs[status] = 0 }
      for job in state.jobs.values { figures.jobs[job.status, default: 0] += 1 }
      for status in FogNode.Status.allCases { figures.nodes[status] = 0 }
      for node in state.known {
        figures.nodes[node.status(now, patience: patience), default: 0] += 1
        figures.trust.append((node.id.short, node.trust.score(Int64(now.wall))))
      }
      let active = state.known.filter { $0.status(now, patience: patience) == .active }
      let total = active.reduce(Capacity()) { $0 + Capacity($1.report) }
      let leased = active.reduce(Capacity()) { $0 + $1.leased }
      figures.utilisation = zip(Capacity.names, zip(leased.values, total.values)).map {
        ($0, $1.1 > 0 ? Double($1.0) / Double($1.1) : 0)
      }
      return figures
    }
    let counts = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT state, count(*), min(created_at) FROM fog_settlements
        WHERE state IN ('waiting', 'refused') GROUP BY state
        """
      ) { (state: $0.text(0), count: $0.count(1), oldest: $0.integer(2)) }
    }
    for row in counts {
      if row.state == "refused" {
        figures.settlementsRefused = row.count
      } else {
        figures.settlementsWaiting = row.count
        figures.oldestSettlement = max(0, Int64(now.wall) - row.oldest)
      }
    }
    return figures
  }

  /// What the check `fog` says: degraded when nodes are lost or money waits, never unhealthy for that.
  func health() throws -> Health {
    let figures = try figures()
    func count(_ status: FogNode.Status) -> JSON { .integer(Int64(figures.nodes[status] ?? 0)) }
    func jobs(_ status: FogJob.Status) -> JSON { .integer(Int64(figures.jobs[status] ?? 0)) }
    var why: [JSON] = []
    // Nodes need a moment to find a coordinator that was restarted.
    let isFresh = figures.age < 2 * patience
    if let lost = figures.nodes[.offline], lost > 0, !isFresh {
      why.append("\(lost) nodes are offline; remove those that will not come back")
    }
    // One that was just written is on its way.
    if figures.settlementsWaiting > 0, figures.oldestSettlement > 10_000 {
      why.append("\(figures.settlementsWaiting) settlements wait for the plugin tokens")
    }
    if figures.settlementsRefused > 0 {
      why.append("\(figures.settlementsRefused) settlements were refused by the ledger for good")
    }
    let detail: JSON = [
      "reasons": .array(why), "nodes_active": count(.active), "nodes_draining": count(.draining),
      "nodes_offline": count(.offline), "jobs_queued": jobs(.queued),
      "jobs_assigned": jobs(.assigned), "jobs_running": jobs(.running),
      "settlements_waiting": .integer(Int64(figures.settlementsWaiting)),
    ]
    return why.isEmpty ? .healthy(detail) : .degraded(detail)
  }
}
