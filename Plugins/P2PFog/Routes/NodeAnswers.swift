import GatewayPlugin
import Peering
import Synchronization

/// Nodes as clients see them.
extension Coordinator {
  /// What a listing of nodes asks for.
  struct NodeListing: Sendable {
    var statuses: [FogNode.Status] = FogNode.Status.allCases
    var isBusyWanted = false
    var tier: FogTier?
    var capabilities: [String] = []
    var region: String?
    var limit = 100
    var offset = 0
  }

  /// What GET /v1/fog/nodes says.
  func nodesAnswer(_ listing: NodeListing) -> JSON {
    let now = around.now()
    let (nodes, prices) = state.withLock { ($0.known, $0.prices) }
    let active = nodes.filter { $0.status(now, patience: patience) == .active }
    let found = nodes.filter { node in
      let capabilities = node.report.capabilities
      return listing.statuses.contains(node.status(now, patience: patience))
        && (!listing.isBusyWanted || node.leases > 0)
        && (listing.tier.map { node.trust.score(Int64(now.wall)) >= $0.minimumTrust } ?? true)
        && listing.capabilities.allSatisfy(capabilities.contains)
        && (listing.region.map { $0 == node.report.region } ?? true)
    }
    let page = found.dropFirst(listing.offset).prefix(listing.limit)
    let loads = active.map { $0.leased.dominantShare(of: Capacity($0.report)) }
    let total = active.reduce(Capacity()) { $0 + Capacity($1.report) }
    return [
      "total_nodes": .integer(Int64(nodes.count)), "active_nodes": .integer(Int64(active.count)),
      "nodes": .array(page.map { nodeJSON($0, prices, now) }),
      "summary": [
        "total_cpu_cores": .number(Double(total.cpuMillicores) / 1000),
        "total_memory_gb": .number(Double(total.memoryMegabytes) / 1024),
        "total_gpu_count": .integer(Int64(total.gpus)),
        "average_load": active.isEmpty
          ? .null : .number(loads.reduce(0, +) / Double(active.count)),
      ],
      "total_count": .integer(Int64(found.count)), "limit": .integer(Int64(listing.limit)),
      "offset": .integer(Int64(listing.offset)),
    ]
  }

  /// What GET /v1/fog/nodes/{id} says; `nil` for an unknown one.
  func nodeAnswer(_ id: PeerID) -> JSON? {
    let now = around.now()
    let (node, prices) = state.withLock { ($0.nodes[id], $0.prices) }
    return node.map { nodeJSON($0, prices, now) }
  }

  private func nodeJSON(_ node: FogNode, _ prices: [FogTier: Amount], _ now: Moment) -> JSON {
    let report = node.report
    let whole = Capacity(report)
    let trust = node.trust.score(Int64(now.wall))
    let percent = report.pricePercent
    let pricing = FogTier.allCases.map { tier in
      let price = (prices[tier] ?? settings.prices.start(tier)).percent(percent)
      return JSON.Member(name: "\(tier.rawValue)_tier", value: .number(price.number))
    }
    let status: JSON =
      node.removedAt == nil
      ? .string(node.status(now, patience: patience).rawValue) : "removed"
    return [
      "node_id": .string("\(node.id)"), "name": .string(report.name), "status": status,
      "type": node.id == around.calls.own ? "coordinator" : "worker",
      "location": ["region": .string(report.region)],
      "resources": Self.resources(report), "pricing": .object(pricing),
      "capabilities": .array(report.capabilities.map { .string($0) }),
      "isolation_refusal": report.isolationRefusal.isEmpty
        ? .null : .string(report.isolationRefusal),
      "current_load": .number(node.leased.dominantShare(of: whole)),
      "cpu_load": .number(report.cpuLoad), "leases": .integer(Int64(node.leases)),
      "max_jobs": .integer(Int64(report.maxJobs)),
      "leased": Self.capacity(node.leased), "trust_score": .number(trust),
      "trust": [
        "score": .number(trust), "completed": .integer(Int64(node.completed)),
        "failed": .integer(Int64(node.failed)), "leases_lost": .integer(Int64(node.lost)),
        "average_start_ms": node.trust.latencyMilliseconds.map { .number($0) } ?? .null,
      ],
      "price_percent": .integer(Int64(percent)),
      "draining": .bool(node.isDraining), "registered_at": .time(milliseconds: node.registeredAt),
      "last_seen_at": .time(milliseconds: node.seenAt),
      "uptime_percent": .number(node.uptimePercent(Int64(now.wall))),
      "removed_at": .time(milliseconds: node.removedAt),
    ]
  }

  private static func resources(_ report: NodeReport) -> JSON {
    [
      "cpu_cores": .number(Double(report.cpuMillicores) / 1000),
      "memory_gb": .number(Double(report.memoryMegabytes) / 1024),
      "storage_gb": .number(Double(report.diskMegabytes) / 1024),
      "gpu_count": .integer(Int64(report.gpus.count)),
      "gpu_type": report.gpus.first.map { .string($0) } ?? .null,
      "memory_free_gb": .number(Double(report.memoryFreeMegabytes) / 1024),
      "storage_free_gb": .number(Double(report.diskFreeMegabytes) / 1024),
    ]
  }

  static func capacity(_ capacity: Capacity) -> JSON {
    [
      "cpu_cores": .number(Double(capacity.cpuMillicores) / 1000),
      "memory_gb": .number(Double(capacity.memoryMegabytes) / 1024),
      "storage_gb": .number(Double(capacity.diskMegabytes) / 1024),
      "gpu_count": .integer(Int64(capacity.gpus)),
    ]
  }

  /// What GET /v1/fog/resources says: of active nodes.
  func resourcesAnswer() -> JSON {
    let now = around.now()
    return state.withLock { state in
      let active = state.known.filter { $0.status(now, patience: patience) == .active }
      let total = active.reduce(Capacity()) { $0 + Capacity($1.report) }
      let leased = active.reduce(Capacity()) { $0 + $1.leased }
      let shares = zip(Capacity.names, zip(leased.values, total.values)).map { name, pair in
        JSON.Member(
          name: name,
          value: pair.1 > 0 ? .number(Double(pair.0) / Double(pair.1)) : .null
        )
      }
      let load = active.reduce(0.0) {
        $0 + $1.report.cpuLoad * Double($1.report.cpuMillicores)
      }
      let running = state.jobs.values.count { $0.status == .running }
      return [
        "total": Self.capacity(total), "leased": Self.capacity(leased),
        "available": Self.capacity(total - leased), "utilization": .object(shares),
        "cpu_load": total.cpuMillicores > 0
          ? .number(load / Double(total.cpuMillicores)) : .null,
        "nodes": Self.nodeCounts(state.known, now, patience),
        "jobs": [
          "queued": .integer(Int64(state.waitingCount)),
          "assigned": .integer(Int64(state.leases.count - running)),
          "running": .integer(Int64(running)),
        ],
        "largest": Self.capacity(
          state.known.reduce(Capacity()) { $0.maximum(Capacity($1.report)) }
        ),
      ]
    }
  }

  static func nodeCounts(_ nodes: [FogNode], _ now: Moment, _ patience: UInt64) -> JSON {
    .object(
      FogNode.Status.allCases.map { status in
        let count = nodes.count { $0.status(now, patience: patience) == status }
        return .init(name: status.rawValue, value: .integer(Int64(count)))
      }
    )
  }
}
