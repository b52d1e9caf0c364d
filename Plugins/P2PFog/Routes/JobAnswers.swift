import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers
import Synchronization

/// Jobs as clients see them.
extension Coordinator {
  /// What POST /v1/fog/jobs says.
  func submissionAnswer(_ job: FogJob, isRepeated: Bool) -> JSON {
    let now = around.now()
    let (live, placement) = state.withLock { state in
      let live = state.jobs[job.id] ?? job
      return (live, live.status == .queued ? explanation(live, now, state) : live.placement)
    }
    // Begins now or at a time that nobody knows; ends at the latest when its longest duration is over.
    let isPlaced = live.status != .queued
    let start = isPlaced ? Int64(now.wall) : nil
    return [
      "job_id": .string(job.id), "status": .string(live.status.rawValue),
      "assigned_node": live.node.map { .string("\($0)") } ?? .null,
      "estimated_start_time": .time(milliseconds: live.startedAt ?? start),
      "estimated_completion_time": .time(
        milliseconds: start.map { $0 + Int64(job.requirements.maxDurationSeconds) * 1000 }
      ),
      "cost_estimate": CostAnswer.estimate(job.requirements, price: job.price),
      "price_per_core_hour": .string(job.price.text), "locked": .bool(job.lockID != nil),
      "progress_url": .string("/v1/fog/jobs/\(job.id)/status"),
      "placement": placement ?? .null, "repeated": .bool(isRepeated),
    ]
  }

  /// Why a queued job has no node yet.
  private func explanation(_ job: FogJob, _ now: Moment, _ state: FogState) -> JSON {
    let placement = placement(of: job, reserved: nil, now, state)
    return [
      "node_id": .null,
      "reasons": state.known.isEmpty ? ["no node is known"] : ["it waits for a node that fits"],
      "considered": Self.considered(placement, state.known),
    ]
  }

  /// A job on a list.
  func summary(_ job: FogJob) -> JSON {
    let lease = state.withLock { $0.lease(of: job) }
    return .object(basics(job, lease))
  }

  private func basics(_ job: FogJob, _ lease: FogLease?) -> [JSON.Member] {
    let fields: [(String, JSON)] = [
      ("job_id", .string(job.id)), ("job_name", .string(job.name)),
      ("job_type", .string(job.type.rawValue)), ("tier", .string(job.tier.rawValue)),
      ("privacy_tier", .string(job.tier.rawValue)), ("status", .string(job.status.rawValue)),
      ("assigned_node", job.node.map { .string("\($0)") } ?? .null),
      ("attempt", .integer(Int64(job.attempts))),
      ("progress", progress(job, lease)), ("created_at", .time(milliseconds: job.submittedAt)),
      ("started_at", .time(milliseconds: job.startedAt)),
      ("completed_at", .time(milliseconds: job.finishedAt)),
      ("deadline", .time(milliseconds: job.deadline)), ("reason", .string(job.reason)),
      ("exit_code", job.exitCode.map { .integer(Int64($0)) } ?? .null),
      ("user_id", .string(job.owner)),
    ]
    return fields.map { JSON.Member(name: $0.0, value: $0.1) }
  }

  private func progress(_ job: FogJob, _ lease: FogLease?) -> JSON {
    let stages = ["queued", "assigned", "running"]
    let current = job.status.rawValue
    let reached: Int
    switch job.status {
    case .pending, .withdrawn, .queued: reached = 0
    case .assigned: reached = 1
    case .running: reached = 2
    case .completed: reached = 3
    case .failed, .cancelled: reached = job.startedAt == nil ? 1 : 2
    }
    let share = lease?.progress ?? job.progress
    var remaining = JSON.null
    if job.status == .running, let lease, share > 0.01 {
      let used = Double(lease.usage.wallMilliseconds) / 1000
      remaining = .number((used / share * (1 - share) * 10).rounded() / 10)
    }
    return [
      "percentage": .number((share * 1000).rounded() / 10), "current_stage": .string(current),
      "stages_completed": .array(stages.prefix(reached).map { .string($0) }),
      "estimated_time_remaining": remaining,
    ]
  }

  /// A job with all that is known of it.
  func detail(_ job: FogJob) throws -> JSON {
    let now = around.now()
    let (lease, live, node, waits) = state.withLock { state in
      let live = state.jobs[job.id]
      let waits = live.flatMap { $0.status == .queued ? explanation($0, now, state) : nil }
      return (state.lease(of: job), live, job.node.flatMap { state.nodes[$0] }, waits)
    }
    let (attempts, settlement) = try answering { () throws(StorageError) in
      try history(job.id)
    }
    let usage = lease?.usage ?? job.usage
    let more: [(String, JSON)] = [
      ("requirements", job.requirements.json),
      ("resource_usage", Self.usage(usage, job)),
      ("costs", costs(job, lease, node, settlement, now)),
      ("sla", Self.promise(job)), ("placement", waits ?? job.placement ?? .null),
      ("attempts", .array(attempts)), ("lease", lease.map { leaseJSON($0, now) } ?? .null),
      ("inputs", .array(job.inputs.map(\.json))), ("parameters", job.parameters),
      ("logs_url", .string("/v1/fog/jobs/\(job.id)/logs")),
      ("files_url", .string("/v1/fog/jobs/\(job.id)/files")),
    ]
    return .object(
      basics(live ?? job, lease) + more.map { JSON.Member(name: $0.0, value: $0.1) }
    )
  }

  private func history(
    _ job: String
  ) throws(StorageError) -> (attempts: [JSON], settlement: JSON) {
    try database.read { (connection) throws(StorageError) in
      let attempts = try connection.rows(
        """
        SELECT lease, node, number, state, leased_at, ended_at, reason FROM fog_attempts
        WHERE job = ? ORDER BY number DESC LIMIT 100
        """,
        [.text(job)]
      ) { row -> JSON in
        [
          "lease_id": .string(row.text(0)), "node_id": .string(row.text(1)),
          "number": .integer(row.integer(2)), "state": .string(row.text(3)),
          "leased_at": .time(milliseconds: row.integer(4)),
          "ended_at": .time(milliseconds: row.optionalInteger(5)), "reason": .string(row.text(6)),
        ]
      }
      let settlement = try connection.first(
        "SELECT method, state, answer FROM fog_settlements WHERE job = ?",
        [.text(job)]
      ) { row -> JSON in
        let answer = row.optionalText(2).flatMap { try? JSON.parse($0) }
        return [
          "method": .string(row.text(0)), "state": .string(row.text(1)), "answer": answer ?? .null,
        ]
      }
      return (attempts.reversed(), settlement ?? .null)
    }
  }

  private static func usage(_ usage: Usage, _ job: FogJob) -> JSON {
    // Doubles: what a node says of its time need not fit, times its cores.
    let held = Double(usage.wallMilliseconds) * Double(job.requirements.cpuMillicores) / 1000
    return [
      "cpu_utilization": held > 0
        ? .number(Double(usage.cpuMilliseconds) / held) : .null,
      // Of inference nobody measures it: the model answers others as well.
      "memory_usage_gb": usage.memoryPeakMegabytes > 0
        ? .number(Double(usage.memoryPeakMegabytes) / 1024) : .null,
      // Nobody measures these two.
      "gpu_utilization": .null, "network_io_mbps": .null,
      "cpu_ms": .integer(Int64(usage.cpuMilliseconds)),
      "wall_ms": .integer(Int64(usage.wallMilliseconds)),
      "output_bytes": .integer(Int64(usage.outputBytes)),
    ]
  }

  private func costs(
    _ job: FogJob,
    _ lease: FogLease?,
    _ node: FogNode?,
    _ settlement: JSON,
    _ now: Moment
  ) -> JSON {
    var current = job.cost ?? .zero
    if let lease, job.cost == nil, job.lockID != nil {
      let used = Cost.of(
        size: lease.need.coreEquivalent,
        milliseconds: min(lease.usage.wallMilliseconds, lease.held(now.monotonic)),
        price: job.price,
        percent: node?.report.pricePercent ?? 100
      )
      current = min(used, job.estimate)
    }
    let credit = job.cost.map { Settlement.credit($0, job) } ?? .zero
    return [
      "current_cost": .string(current.text),
      // At the most; what is not used goes back.
      "estimated_final_cost": .string((job.cost ?? job.estimate).text),
      "locked": job.lockID == nil ? "0" : .string(job.estimate.text),
      "price_per_core_hour": .string(job.price.text),
      "final_cost": job.cost.map { .string($0.text) } ?? .null,
      "sla_credit": .string(credit.text), "settlement": settlement,
    ]
  }

  private static func promise(_ job: FogJob) -> JSON {
    [
      "promised_start_ms": .integer(Int64(job.tier.startMilliseconds)),
      "start_ms": job.startMilliseconds.map { .integer(Int64($0)) } ?? .null,
      "missed": job.startMilliseconds.map { .bool($0 > job.tier.startMilliseconds) } ?? .null,
    ]
  }

  private func leaseJSON(_ lease: FogLease, _ now: Moment) -> JSON {
    let age = Int64((max(now.monotonic, lease.renewedAt) - lease.renewedAt) / 1_000_000)
    return [
      "lease_id": .string(lease.id), "job_id": .string(lease.job),
      "node_id": .string("\(lease.node)"), "state": .string(lease.state.rawValue),
      "renewed_ms_ago": .integer(age),
      "expires_in_ms": .integer(max(0, Int64(settings.leaseSeconds) * 1000 - age)),
      "progress": .number(lease.progress), "held": Self.capacity(lease.need),
    ]
  }

  /// What GET /v1/fog/leases says.
  func leasesAnswer() -> JSON {
    let now = around.now()
    let leases = state.withLock { state in state.leases.values.sorted { $0.id < $1.id } }
    return [
      "leases": .array(leases.map { leaseJSON($0, now) }),
      "total_count": .integer(Int64(leases.count)),
    ]
  }
}
