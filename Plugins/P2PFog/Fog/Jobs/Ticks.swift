import GatewayPlugin
import Peering
import PluginStorage

/// What happens by itself.
extension Coordinator {
  /// Ends leases and jobs whose time is over, and places what waits; a few times a second.
  package func tick() {
    let now = around.now()
    do throws(StorageError) {
      try change { (state, effects) throws(StorageError) in
        for id in state.nodes.keys { tellStatus(of: id, now, &state, &effects) }
        try expire(now, &state, &effects)
        try passDeadlines(now, &state, &effects)
        // A node that rested may have another offer, and a job that waited long a node kept free.
        let placedAt = state.placedAt
        let hasRested = state.nodes.values.contains {
          $0.restUntil > placedAt && $0.restUntil <= now.monotonic
        }
        if hasRested || now.monotonic >= placedAt + 1_000_000_000 { state.isDirty = true }
      }
    } catch {
      around.warn("Leases could not be ended.", "\(error)")
    }
    advance()
  }

  private func expire(
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    for lease in state.leases.values {
      guard let job = state.jobs[lease.job],
        let why = lease.loss(
          now.monotonic,
          settings,
          maxDuration: job.requirements.maxDurationSeconds
        )
      else { continue }
      var loss = Loss(reason: why)
      if lease.isInherited {
        loss = Loss(
          reason: "the coordinator was restarted, and the node did not come back to the lease",
          isNodeFault: false,
          counts: false
        )
      }
      try lose(lease, loss, now, &state, &effects)
    }
  }

  private func passDeadlines(
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    for job in state.jobs.values {
      guard let deadline = job.deadline, deadline <= Int64(now.wall) else { continue }
      let hadBegun = job.status == .running
      var ending = JobEnding(
        status: .failed,
        reason: hadBegun
          ? "deadline: it had not ended by its deadline"
          : "deadline: it had not begun by its deadline",
        attemptState: "stopped"
      )
      ending.isPaid = hadBegun
      try end(job, ending, job.node.flatMap { state.nodes[$0] }, now, &state, &effects)
    }
  }

  /// Tells of a node's status when it has changed.
  func tellStatus(
    of id: PeerID,
    _ now: Moment,
    _ state: inout FogState,
    _ effects: inout Effects
  ) {
    guard let node = state.nodes[id] else { return }
    let status = node.status(now, patience: patience)
    guard status != node.told else { return }
    state.nodes[id]?.told = status
    state.isDirty = true
    guard node.removedAt == nil else { return }
    effects.news.append(
      (
        [
          "event": "node", "node_id": .string("\(id)"), "name": .string(node.report.name),
          "status": .string(status.rawValue),
        ],
        nil
      )
    )
  }

  /// Moves prices, keeps what memory knows of nodes, drops what lost leases have made; every ten seconds.
  package func keepHouse() {
    let now = around.now()
    do throws(StorageError) {
      try change { (state, _) throws(StorageError) in
        let nodes = Array(state.nodes.values)
        let prices = stepped(now, state)
        try database.write { (connection) throws(StorageError) in
          for node in nodes where node.heard != nil { try NodeTable.put(node, &connection) }
          try PriceTable.put(prices, at: Int64(now.wall), &connection)
          try connection.run(
            "DELETE FROM fog_quotes WHERE expires_at < ?",
            [
              .integer(Int64(now.wall) - 3_600_000)
            ]
          )
        }
        state.prices = prices
        state.pricesSteppedAt = Int64(now.wall)
      }
      try results.dropAbandoned()
    } catch {
      around.warn("What the fog knows could not be kept.", "\(error)")
    }
  }

  private func stepped(_ now: Moment, _ state: FogState) -> [FogTier: Amount] {
    let elapsed = Int64(now.wall) - state.pricesSteppedAt
    return Dictionary(
      uniqueKeysWithValues: FogTier.allCases.map { tier in
        let price = state.prices[tier] ?? settings.prices.start(tier)
        let conditions = self.conditions(tier, now, state)
        return (tier, settings.prices.step(price, tier, conditions, elapsed: elapsed))
      }
    )
  }

  /// Removes ended jobs beyond what is kept, whose settlement the ledger has, a hundred at a time; every minute.
  package func forget() {
    do throws(StorageError) {
      try forgetOld(around.now())
    } catch {
      around.warn("Old jobs could not be forgotten.", "\(error)")
    }
  }

  private func forgetOld(_ now: Moment) throws(StorageError) {
    let old = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT id FROM (
          SELECT id, number, finished_at,
            row_number() OVER (PARTITION BY owner ORDER BY number DESC) AS place
          FROM fog_jobs WHERE status IN ('completed', 'failed', 'cancelled')) j
        WHERE (finished_at < ?1 OR place > ?2) AND NOT EXISTS
          (SELECT 1 FROM fog_settlements s WHERE s.job = j.id AND s.state = 'waiting')
        ORDER BY number LIMIT 100
        """,
        [
          .integer(Int64(now.wall) - Int64(settings.keptDays) * 86_400_000),
          .count(settings.keptJobsPerUser),
        ]
      ) { $0.text(0) }
    }
    for id in old {
      try dropFiles(of: id, logsToo: true)
      try database.write { (connection) throws(StorageError) in
        try connection.run("DELETE FROM fog_settlements WHERE job = ?", [.text(id)])
        try connection.run("DELETE FROM fog_jobs WHERE id = ?", [.text(id)])
      }
    }
  }

  /// Removes what a job has made.
  func dropFiles(of job: String, logsToo: Bool) throws(StorageError) {
    let leases = try database.read { (connection) throws(StorageError) in
      try connection.rows("SELECT lease FROM fog_attempts WHERE job = ?", [.text(job)]) {
        $0.text(0)
      }
    }
    for lease in leases { try results.drop(job, lease) }
    if logsToo { try results.dropLogs(job, leases: leases) }
  }
}
