import GatewayPlugin
import Peering
import PluginStorage

/// The steps of a job's life; each is in the database before it is in memory.
extension Coordinator {
  /// How a lease came to its end without a result.
  struct Loss: Sendable {
    let reason: String
    /// It was the node's fault, which its trust shows.
    var isNodeFault = true
    /// One attempt less is left.
    var counts = true
    /// What is written in the attempt's row.
    var state = "lost"
  }

  /// Gives a queued job to a node; the offer is still to be made.
  func assign(
    _ job: FogJob,
    _ node: PeerID,
    _ placement: JSON,
    share: Double,
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    var job = job
    let lease = FogLease(
      id: UUID4.make(),
      job: job.id,
      node: node,
      need: Capacity(job.requirements),
      share: share,
      since: now.monotonic
    )
    job.status = .assigned
    job.lease = lease.id
    job.node = node
    job.leasedAt = Int64(now.wall)
    job.attempts += 1
    job.placement = placement
    let isStored = try database.write { (connection) throws(StorageError) in
      guard try job.update(from: [.queued], &connection) else { return false }
      try connection.run(
        """
        INSERT INTO fog_attempts (lease, job, node, number, state, leased_at)
        SELECT ?1, ?2, ?3, coalesce(max(number), 0) + 1, 'leased', ?4 FROM fog_attempts WHERE job = ?2
        """,
        [.text(lease.id), .text(job.id), .text("\(node)"), .integer(Int64(now.wall))]
      )
      return true
    }
    guard isStored else { return try reload(job.id, now, &state) }
    state.unqueue(job)
    state.jobs[job.id] = job
    state.add(lease, owner: job.owner)
    state.share.charge(
      job.owner,
      share: share,
      seconds: job.requirements.maxDurationSeconds,
      job.tier
    )
    state.offers[node, default: []].append(lease.id)
    effects.tell(job)
  }

  /// The node has begun, as long ago as its usage says.
  func begin(
    _ lease: FogLease,
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    guard var job = state.jobs[lease.job], job.status == .assigned else { return }
    job.status = .running
    let ran = min(lease.usage.wallMilliseconds, lease.held(now.monotonic))
    if job.startedAt == nil {
      job.startedAt = Int64(now.wall) - Int64(ran)
      job.startMilliseconds = max(0, Int(Int64(now.wall) - job.submittedAt) - ran)
    }
    job.reason = ""
    let isStored = try database.write { (connection) throws(StorageError) in
      try job.update(from: [.assigned], &connection)
    }
    guard isStored else { return try reload(job.id, now, &state) }
    state.jobs[job.id] = job
    state.leases[lease.id]?.run(now.monotonic)
    effects.tell(job)
  }

  /// A lease ended without a result: its job waits again, or fails when it was the last attempt.
  func lose(
    _ lease: FogLease,
    _ loss: Loss,
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    guard var job = state.jobs[lease.job], job.lease == lease.id else { return }
    var node = state.nodes[lease.node]
    if loss.isNodeFault {
      job.losses.append(lease.node)
      node?.trust.fail(Int64(now.wall))
      if loss.state == "lost" { node?.lost += 1 } else { node?.failed += 1 }
    }
    if loss.counts, job.attempts >= settings.maxAttempts {
      let reason = "\(loss.reason); it was attempt \(job.attempts) of \(settings.maxAttempts)"
      let ending = JobEnding(status: .failed, reason: reason, attemptState: loss.state)
      if loss.state == "lost" { effects.measures.append(.leaseLost) }
      return try end(job, ending, node, now, &state, &effects)
    }
    if !loss.counts { job.attempts -= 1 }
    job.status = .queued
    job.reason = loss.reason
    job.lease = nil
    job.node = nil
    job.leasedAt = nil
    job.usage = Usage()
    job.progress = 0
    let (queued, changed) = (job, node)
    let isStored = try database.write { (connection) throws(StorageError) in
      guard try queued.update(from: [.assigned, .running], &connection) else { return false }
      if loss.state == "refused", !loss.counts {
        // It never began, and may be refused for hours: rows of that would have no bound.
        try connection.run("DELETE FROM fog_attempts WHERE lease = ?", [.text(lease.id)])
      } else {
        try Self.close(lease.id, loss.state, loss.reason, now, &connection)
      }
      if loss.isNodeFault, let changed { try NodeTable.put(changed, &connection) }
      return true
    }
    guard isStored else { return try reload(job.id, now, &state) }
    if let node { state.nodes[node.id] = node }
    release(lease, job, now, &state)
    state.avoided[job.id, default: []].insert(lease.node)
    state.queue(job)
    if loss.state == "lost" { effects.measures.append(.leaseLost) }
    effects.cancels.append((lease.node, lease.id, loss.reason))
    effects.tell(job)
  }

  /// Takes a lease away from memory.
  func release(_ lease: FogLease, _ job: FogJob, _ now: Moment, _ state: inout FogState) {
    state.drop(lease, owner: job.owner)
    state.offers[lease.node]?.removeAll { $0 == lease.id }
    state.share.settle(
      job.owner,
      share: lease.share,
      seconds: job.requirements.maxDurationSeconds,
      usedSeconds: Double(lease.held(now.monotonic)) / 1000,
      job.tier
    )
  }

  static func close(
    _ lease: String,
    _ state: String,
    _ reason: String,
    _ now: Moment,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run(
      "UPDATE fog_attempts SET state = ?2, reason = ?3, ended_at = ?4 WHERE lease = ?1",
      [.text(lease), .text(state), .text(reason), .integer(Int64(now.wall))]
    )
  }
}

extension Coordinator.Effects {
  /// Tells a job's owner where it is now.
  mutating func tell(_ job: FogJob) {
    news.append(
      (
        [
          "event": "job", "job_id": .string(job.id), "name": .string(job.name),
          "status": .string(job.status.rawValue),
          "node_id": job.node.map { .string("\($0)") } ?? .null,
          "attempt": .integer(Int64(job.attempts)), "progress": .number(job.progress),
          "reason": .string(job.reason),
        ],
        job.owner
      )
    )
  }
}
