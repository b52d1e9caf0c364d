import Peering

/// What the coordinator holds in memory: nodes, live jobs, leases, the queue.
///
/// Behind the coordinator's lock. Everything here that must outlive the process is in the database first.
struct FogState: Sendable {
  /// A place in a user's queue.
  struct Place: Sendable, Comparable {
    /// Milliseconds since 1970, less the tier's head start.
    let rank: Int64
    let number: Int
    let job: String

    static func < (left: Place, right: Place) -> Bool {
      (left.rank, left.number) < (right.rank, right.number)
    }
  }

  var nodes: [PeerID: FogNode] = [:]
  /// Queued, assigned and running.
  var jobs: [String: FogJob] = [:]
  var leases: [String: FogLease] = [:]
  /// Of each user, the next first.
  private(set) var waiting: [String: [Place]] = [:]
  private(set) var waitingCount = 0
  /// Jobs of each user that have a lease.
  private(set) var running: [String: Int] = [:]
  var share = FairShare()
  var prices: [FogTier: Amount] = [:]
  var pricesSteppedAt: Int64 = 0
  /// Something changed since jobs were last placed.
  var isDirty = true
  /// When that was; monotonic nanoseconds.
  var placedAt: UInt64 = 0
  /// When this life of the process began; likewise.
  var activatedAt: UInt64 = 0
  /// Leases of an earlier life whose offers may never have reached their nodes.
  var unanswered: Set<String> = []
  /// Offers that are still to be made, by node; and the nodes that are being asked.
  var offers: [PeerID: [String]] = [:]
  var asked: Set<PeerID> = []
  /// Submissions under way, by job.
  var submitting: Set<String> = []
  /// Nodes that failed or refused a job, by job.
  var avoided: [String: Set<PeerID>] = [:]

  /// Puts a job into its user's queue.
  mutating func queue(_ job: FogJob) {
    jobs[job.id] = job
    let place = Place(
      rank: job.submittedAt - FairShare.headStart(job.tier),
      number: job.number,
      job: job.id
    )
    if waiting[job.owner] == nil {
      share.arrive(job.owner, waiting: waiting.keys, running: running.keys)
    }
    var line = waiting[job.owner] ?? []
    let index = line.firstIndex { place < $0 } ?? line.endIndex
    line.insert(place, at: index)
    waiting[job.owner] = line
    waitingCount += 1
    isDirty = true
  }

  /// Takes a job out of its user's queue.
  mutating func unqueue(_ job: FogJob) {
    guard var line = waiting[job.owner], let index = line.firstIndex(where: { $0.job == job.id })
    else { return }
    line.remove(at: index)
    waiting[job.owner] = line.isEmpty ? nil : line
    waitingCount -= 1
  }

  /// Enters a lease; its job and its node hold it from now on.
  mutating func add(_ lease: FogLease, owner: String) {
    leases[lease.id] = lease
    running[owner, default: 0] += 1
    guard var node = nodes[lease.node] else { return }
    node.leased = node.leased + lease.need
    node.leases += 1
    nodes[lease.node] = node
  }

  /// Takes a lease away.
  mutating func drop(_ lease: FogLease, owner: String) {
    guard leases.removeValue(forKey: lease.id) != nil else { return }
    let left = (running[owner] ?? 1) - 1
    running[owner] = left > 0 ? left : nil
    isDirty = true
    guard var node = nodes[lease.node] else { return }
    node.leased = node.leased - lease.need
    node.leases -= 1
    nodes[lease.node] = node
  }

  /// The lease that a live job has.
  func lease(of job: FogJob) -> FogLease? { job.lease.flatMap { leases[$0] } }

  /// What all active nodes have together.
  func total(_ now: Moment, patience: UInt64) -> Capacity {
    nodes.values.reduce(Capacity()) { sum, node in
      node.removedAt == nil && node.status(now, patience: patience) == .active
        ? sum + Capacity(node.report) : sum
    }
  }

  /// Nodes that were not sent away, by identity.
  var known: [FogNode] {
    nodes.values.filter { $0.removedAt == nil }.sorted { $0.id < $1.id }
  }
}
