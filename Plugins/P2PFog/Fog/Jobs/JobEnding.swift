import GatewayPlugin
import Peering
import PluginStorage

/// How a job is over.
struct JobEnding: Sendable {
  let status: FogJob.Status
  var reason = ""
  var exitCode: Int?
  /// Of its lease; `nil` keeps what the last heartbeat said.
  var usage: Usage?
  /// Whether the node is paid for what was used.
  var isPaid = false
  /// What is written in the attempt's row.
  var attemptState: String
  /// Whether the node shall be told to stop.
  var stopsNode = true
}

extension Coordinator {
  /// Ends a live job, once: end, settlement and the node's record are one transaction.
  ///
  /// - Parameters:
  ///   - job: As it is in memory, with what its last lease has changed.
  ///   - ending: How.
  ///   - node: Whose lease it had, with what this end has changed already.
  ///   - now: The present.
  ///   - state: Memory.
  ///   - effects: What follows.
  /// - Throws: `StorageError`; then nothing has happened.
  func end(
    _ job: FogJob,
    _ ending: JobEnding,
    _ node: FogNode?,
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    let lease = state.lease(of: job)
    var job = job
    job.status = ending.status
    job.reason = ending.reason
    job.exitCode = ending.exitCode
    job.usage = ending.usage ?? lease?.usage ?? job.usage
    job.progress = ending.status == .completed ? 1 : (lease?.progress ?? job.progress)
    job.finishedAt = Int64(now.wall)
    var node = node
    if ending.status == .completed {
      node?.completed += 1
      node?.trust.succeed(
        startMilliseconds: lease.map { Self.startLatency($0) } ?? 0,
        promised: job.tier.startMilliseconds,
        Int64(now.wall)
      )
    }
    let settlement = try settle(&job, ending, node, lease, now, state.nodes)
    let (ended, changed) = (job, node)
    let isStored = try database.write { (connection) throws(StorageError) in
      guard try ended.update(from: [.queued, .assigned, .running], &connection) else {
        return false
      }
      if let lease {
        try Self.close(lease.id, ending.attemptState, ending.reason, now, &connection)
      }
      if let changed { try NodeTable.put(changed, &connection) }
      try settlement?.insert(at: Int64(now.wall), &connection)
      return true
    }
    guard isStored else { return try reload(job.id, now, &state) }
    if let node { state.nodes[node.id] = node }
    forget(job, lease, now, &state)
    if let lease, ending.stopsNode {
      effects.cancels.append((lease.node, lease.id, ending.reason))
    }
    effects.measures.append(.ended(job.status))
    effects.tell(job)
  }

  /// Takes a job out of memory.
  func forget(
    _ job: FogJob,
    _ lease: FogLease?,
    _ now: Moment,
    _ state: inout FogState
  ) {
    if let lease { release(lease, job, now, &state) } else { state.unqueue(job) }
    state.jobs[job.id] = nil
    state.avoided[job.id] = nil
    state.isDirty = true
  }

  /// From lease to running.
  private static func startLatency(_ lease: FogLease) -> Int {
    Int(((lease.runningSince ?? lease.since) - lease.since) / 1_000_000)
  }

  /// Works out the cost, which becomes the job's, and what the ledger is told.
  private func settle(
    _ job: inout FogJob,
    _ ending: JobEnding,
    _ node: FogNode?,
    _ lease: FogLease?,
    _ now: Moment,
    _ nodes: [PeerID: FogNode]
  ) throws(StorageError) -> Settlement? {
    var account = Settlement.Ending(job: job, now: Int64(now.wall))
    if ending.isPaid, let lease, let node {
      // A node says what it has used; it cannot have used more time than it had the lease.
      account.milliseconds = min(
        job.usage.wallMilliseconds,
        lease.held(now.monotonic),
        job.requirements.maxDurationSeconds * 1000
      )
      account.node = node
      if job.lockID != nil {
        let cost = Cost.of(
          size: lease.need.coreEquivalent,
          milliseconds: account.milliseconds,
          price: job.price,
          percent: node.report.pricePercent
        )
        account.cost = min(cost, job.estimate)
        let files = try results.list(lease.id).filter(\.isComplete)
        account.receivedBytes = files.reduce(0) { $0 + $1.size }
      }
    }
    job.cost = account.cost
    account.job = job
    account.penalty = penalty(job, nodes)
    return Settlement(account)
  }

  /// What is due for lost leases: one settlement takes one penalty, so it falls on the node that lost most of them.
  private func penalty(
    _ job: FogJob,
    _ nodes: [PeerID: FogNode]
  ) -> (from: String, amount: Amount)? {
    guard settings.lostLeasePenalty > .zero, !job.losses.isEmpty else { return nil }
    let counts = Dictionary(grouping: job.losses, by: \.self).mapValues(\.count)
    let worst = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    guard let worst else { return nil }
    let account = nodes[worst.key]?.account ?? "fog:\(worst.key)"
    return (account, settings.lostLeasePenalty.scaled(worst.value, over: 1))
  }
}
