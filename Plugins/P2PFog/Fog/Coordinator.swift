import GatewayPlugin
import Peering
package import PluginStorage
import Synchronization

/// Where fog jobs are submitted: it holds the nodes, the queue, the leases, the results and the market.
///
/// One lock guards what is in memory. Each step of a job's life is written to the database under it before memory changes, so
/// that the process may end between any two steps; calls to nodes, to the ledger and to other plugins are made without it.
/// Any function may be called from any thread, and blocks for as long as the disk takes.
package final class Coordinator: Sendable {
  /// What is to be done once the lock is open again.
  struct Effects: Sendable {
    /// Events, each to one user or to everyone.
    var news: [News] = []
    /// Leases whose nodes shall stop.
    var cancels: [(node: PeerID, lease: String, reason: String)] = []
    var measures: [Surroundings.Measure] = []
  }

  typealias News = (payload: JSON, subject: String?)

  let around: Surroundings
  let database: Database
  let results: ResultFiles
  let settings: FogSettings
  let state = Mutex(FogState())
  // Events in the order of what they tell, and whether a thread publishes them just now.
  private let outbox = Mutex((news: [News](), isTelling: false))
  private let isResting = Atomic<Bool>(false)

  /// Opens the coordinator of a database; nothing happens before `activate`.
  ///
  /// - Parameters:
  ///   - around: What it asks of others.
  ///   - database: With `FogTables.create`.
  ///   - directory: For logs and results; made when absent.
  ///   - settings: What the operator has decided.
  /// - Throws: `StorageError`.
  package init(
    around: Surroundings,
    database: Database,
    directory: String,
    settings: FogSettings
  ) throws(StorageError) {
    self.around = around
    self.database = database
    self.settings = settings
    results = try ResultFiles(directory: directory, database: database, settings: settings)
    serve()
  }

  /// Nanoseconds without a heartbeat after which a node is offline.
  var patience: UInt64 { UInt64(3 * settings.heartbeatSeconds) * 1_000_000_000 }

  /// Whether `quiesce` was called: nothing further is placed.
  var rests: Bool { isResting.load(ordering: .acquiring) }

  /// Takes up what an earlier life of the process has left.
  ///
  /// - Throws: `StorageError`.
  package func activate() throws(StorageError) {
    let now = around.now()
    let (nodes, jobs, prices) = try database.read { (connection) throws(StorageError) in
      (
        try NodeTable.all(&connection),
        try connection.rows(
          """
          SELECT \(FogJob.columns) FROM fog_jobs WHERE status IN ('queued', 'assigned', 'running')
          ORDER BY number
          """,
          [],
          FogJob.init
        ).compactMap(\.self),
        try PriceTable.all(&connection)
      )
    }
    state.withLock { state in
      state = FogState()
      state.activatedAt = now.monotonic
      for node in nodes { state.nodes[node.id] = node }
      for tier in FogTier.allCases {
        state.prices[tier] = prices.prices[tier] ?? settings.prices.start(tier)
      }
      state.pricesSteppedAt = prices.steppedAt ?? Int64(now.wall)
      for job in jobs { Self.restore(job, now, &state) }
    }
    isResting.store(false, ordering: .releasing)
  }

  /// Takes a live job of the database into memory.
  static func restore(_ job: FogJob, _ now: Moment, _ state: inout FogState) {
    state.avoided[job.id] = job.losses.isEmpty ? nil : Set(job.losses)
    guard job.status != .queued, let id = job.lease, let node = job.node else {
      return state.queue(job)
    }
    state.jobs[job.id] = job
    let need = Capacity(job.requirements)
    var lease = FogLease(
      id: id,
      job: job.id,
      node: node,
      need: need,
      share: 0,
      since: now.monotonic
    )
    lease.heldBefore = max(0, Int64(now.wall) - (job.leasedAt ?? Int64(now.wall)))
    lease.isInherited = true
    lease.usage = job.usage
    lease.progress = job.progress
    state.add(lease, owner: job.owner)
    if job.status == .assigned { state.unanswered.insert(id) }
  }

  /// Places nothing further; leases go on, and the next `activate` finds them.
  package func quiesce() { isResting.store(true, ordering: .releasing) }

  /// Changes what is in memory, then does what follows from it.
  func change<Value: Sendable, Fault: Error>(
    _ body: (inout FogState, inout Effects) throws(Fault) -> Value
  ) throws(Fault) -> Value {
    var effects = Effects()
    // Also after a fault: what was written before it has happened.
    defer { perform(effects) }
    return try state.withLock { (state) throws(Fault) -> Value in
      // Under this lock, so that events have the order of the changes that they tell.
      defer { outbox.withLock { $0.news += effects.news } }
      return try body(&state, &effects)
    }
  }

  /// Publishes events, one thread at a time; whoever comes meanwhile leaves its own to that thread.
  private func tell() {
    let isFirst = outbox.withLock { outbox in
      defer { outbox.isTelling = true }
      return !outbox.isTelling
    }
    guard isFirst else { return }
    while true {
      let news = outbox.withLock { outbox in
        defer { outbox.news = [] }
        outbox.isTelling = !outbox.news.isEmpty
        return outbox.news
      }
      if news.isEmpty { return }
      for (payload, subject) in news { around.publish(payload, subject) }
    }
  }

  private func perform(_ effects: Effects) {
    for measure in effects.measures { around.measure(measure) }
    tell()
    guard !effects.cancels.isEmpty else { return }
    let calls = around.calls
    let cancels = effects.cancels
    // Not needed for correctness: the node's next heartbeat is told the same.
    _ = around.later {
      var silent: Set<PeerID> = []
      for (node, lease, reason) in cancels where !silent.contains(node) {
        let body = CallBody(["lease_id": .string(lease), "reason": .string(reason)])
        do throws(CallFailure) {
          _ = try calls.call(node, "fog.cancel", body, timeout: .seconds(2))
        } catch .refused {
          continue
        } catch {
          // One that is away holds this thread for one call, not for each of its leases.
          silent.insert(node)
        }
      }
    }
  }
}
