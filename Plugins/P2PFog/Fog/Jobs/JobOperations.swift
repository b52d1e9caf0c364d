import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers
import Synchronization

/// What owners do with their jobs.
extension Coordinator {
  /// What a listing asks for.
  struct Listing: Sendable {
    /// `nil` for everyone's.
    var owner: String?
    var status: FogJob.Status?
    var type: JobType?
    var tier: FogTier?
    var limit = 20
    var offset = 0
  }

  /// Jobs, the newest first.
  func list(_ listing: Listing) throws(StorageError) -> (jobs: [FogJob], total: Int) {
    var conditions = ["status NOT IN ('pending', 'withdrawn')"]
    var values: [SQLValue] = []
    func add(_ column: String, _ value: String?) {
      guard let value else { return }
      conditions.append("\(column) = ?")
      values.append(.text(value))
    }
    add("owner", listing.owner)
    add("status", listing.status?.rawValue)
    add("type", listing.type?.rawValue)
    add("tier", listing.tier?.rawValue)
    let filter = conditions.joined(separator: " AND ")
    let bound = values
    return try database.read { (connection) throws(StorageError) in
      let (jobs, total) = try connection.page(
        FogJob.columns,
        from: "fog_jobs WHERE \(filter)",
        bound,
        orderedBy: "number DESC",
        limit: listing.limit,
        offset: listing.offset,
        FogJob.init
      )
      return (jobs.compactMap(\.self), total)
    }
  }

  /// One job, live or over.
  ///
  /// - Parameters:
  ///   - id: Its id.
  ///   - owner: Whose it must be; `nil` for anyone's.
  /// - Returns: It.
  /// - Throws: 404 `Failure`, `StorageError`.
  func job(_ id: String, owner: String?) throws -> FogJob {
    let job = try answering { () throws(StorageError) in
      try database.read { (connection) throws(StorageError) in
        try FogJob.find(id, &connection)
      }
    }
    guard let job, job.status.isTaken, owner == nil || job.owner == owner else {
      throw Failure.noJob(id)
    }
    return job
  }

  /// Cancels a live job; what it has used is paid.
  ///
  /// - Throws: 404 and 409 `Failure`, `StorageError`.
  func cancel(_ id: String, owner: String?) throws -> FogJob {
    let found = try job(id, owner: owner)
    let now = around.now()
    let hasEnded = try answering { () throws(StorageError) in
      try change { (state, effects) throws(StorageError) in
        guard let job = state.jobs[id] else { return false }
        var ending = JobEnding(
          status: .cancelled,
          reason: "cancelled by its submitter",
          attemptState: "stopped"
        )
        ending.isPaid = true
        try end(job, ending, job.node.flatMap { state.nodes[$0] }, now, &state, &effects)
        return true
      }
    }
    guard hasEnded else {
      throw Failure.conflict("The job is \(try job(id, owner: owner).status.rawValue) already.")
    }
    advance()
    return try job(found.id, owner: owner)
  }

  /// Removes the results of a job that is over.
  ///
  /// - Returns: How many files there were.
  /// - Throws: 404 and 409 `Failure`, `StorageError`.
  func deleteResults(_ id: String, owner: String?) throws -> Int {
    let job = try job(id, owner: owner)
    guard job.status.isOver else {
      throw Failure.conflict("The job is \(job.status.rawValue); cancel it first.")
    }
    return try answering { () throws(StorageError) in
      let count = try results.list(job.lease).count
      try dropFiles(of: id, logsToo: false)
      return count
    }
  }

  /// Files of a job that are there whole.
  func resultFiles(_ job: FogJob) throws -> [ResultFile] {
    try answering { () throws(StorageError) in
      try results.list(job.lease).filter(\.isComplete)
    }
  }
}

/// What operators do with nodes.
extension Coordinator {
  /// Lets a node end what it has, or lets it have work again.
  func drain(_ id: PeerID, _ isDraining: Bool) throws -> FogNode {
    let node = try update(id) { $0.isDraining = isDraining }
    advance()
    return node
  }

  /// Lets a node that was sent away register again.
  ///
  /// Until it has done so it is offline: it may have heard that it is not wanted, and refuses work.
  func admit(_ id: PeerID) throws -> FogNode {
    try update(id) { node in
      if node.removedAt != nil { node.heard = nil }
      node.removedAt = nil
    }
  }

  /// Sends a node away; its leases are lost by nobody's fault.
  func remove(_ id: PeerID) throws -> FogNode {
    let now = around.now()
    let node = try update(id) { $0.removedAt = Int64(now.wall) }
    try answering { () throws(StorageError) in
      try change { (state, effects) throws(StorageError) in
        let loss = Loss(reason: "node: it was removed", isNodeFault: false, counts: false)
        for lease in state.leases.values where lease.node == id {
          try lose(lease, loss, now, &state, &effects)
        }
        effects.news.append(
          (["event": "node", "node_id": .string("\(id)"), "status": "removed"], nil)
        )
      }
    }
    advance()
    return node
  }

  private func update(_ id: PeerID, _ body: (inout FogNode) -> Void) throws -> FogNode {
    let now = around.now()
    let node = try answering { () throws(StorageError) in
      try change { (state, effects) throws(StorageError) -> FogNode? in
        guard var node = state.nodes[id] else { return nil }
        body(&node)
        let changed = node
        try database.write { (connection) throws(StorageError) in
          try NodeTable.put(changed, &connection)
        }
        state.nodes[id] = node
        state.isDirty = true
        tellStatus(of: id, now, &state, &effects)
        return node
      }
    }
    guard let node else { throw Failure.noNode("\(id)") }
    return node
  }
}
