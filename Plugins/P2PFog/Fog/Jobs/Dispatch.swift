import GatewayPlugin
import Peering
import PluginStorage
import Synchronization

/// How waiting jobs come to nodes.
extension Coordinator {
  /// Pairs of job and node looked at in one pass, so that the lock is never held for long.
  private static let mostPairs = 65_536
  /// Jobs looked at in one pass.
  private static let tries = 16...256
  /// Jobs of one user looked at in one pass.
  private static let mostTriesPerUser = 32

  /// Places what can be placed, and makes the offers; soon, on any thread.
  func advance() {
    guard !rests else { return }
    do throws(StorageError) {
      try change { (state, effects) throws(StorageError) in
        guard state.isDirty, state.waitingCount > 0 else { return }
        state.isDirty = false
        state.placedAt = around.now().monotonic
        try place(&state, &effects)
      }
    } catch {
      around.warn("Jobs could not be placed.", "\(error)")
    }
    startOffers()
  }

  private func place(
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    let now = around.now()
    let total = state.total(now, patience: patience)
    // Each user's place in the own queue, and the users that have nothing more to try.
    var passed: [String: Int] = [:]
    var reserved: PeerID?
    let order = state.known.map(\.id)
    let pairs = Self.mostPairs / max(1, order.count)
    for _ in 0..<min(max(pairs, Self.tries.lowerBound), Self.tries.upperBound) {
      var heads: [String: Int] = [:]
      for (owner, line) in state.waiting {
        let index = passed[owner] ?? 0
        guard index < min(line.count, Self.mostTriesPerUser),
          state.running[owner] ?? 0 < settings.maxRunningPerUser
        else { continue }
        heads[owner] = line[index].number
      }
      guard let owner = state.share.next(heads), let line = state.waiting[owner],
        let job = state.jobs[line[passed[owner] ?? 0].job]
      else { return }
      let placement = placement(of: job, reserved: reserved, now, state)
      let nodes = order.compactMap { state.nodes[$0] }
      guard let choice = placement.choose(nodes) else {
        let waited = Int64(now.wall) - job.submittedAt
        if reserved == nil, waited >= Int64(settings.reserveSeconds) * 1000 {
          reserved = Self.reservation(for: job, placement, state)
        }
        passed[owner, default: 0] += 1
        continue
      }
      let share = placement.need.capacity.dominantShare(of: total)
      let explained = Self.explain(placement, choice, nodes)
      try assign(job, choice.node.id, explained, share: share, now, &state, &effects)
    }
    // More may fit; the next tick goes on.
    state.isDirty = true
  }

  /// How a job looks for its node now.
  func placement(
    of job: FogJob,
    reserved: PeerID?,
    _ now: Moment,
    _ state: FogState
  ) -> Placement {
    var placement = Placement(Placement.Need(job), now: now, patience: patience)
    placement.reserved = reserved
    placement.asksOwnModels = ownModels(placement.need.model, state.known)
    let avoided = state.avoided[job.id] ?? []
    // Others go first, as long as there are others that could ever have it.
    let hasOthers =
      !avoided.isEmpty
      && state.known.contains { node in
        !avoided.contains(node.id) && placement.lastingObstacle(node) == nil
          && node.status(now, patience: patience) == .active
      }
    placement.avoided = hasOthers ? avoided : []
    return placement
  }

  /// The own node, when a model is asked that no node shares: then it can be the submitter's alone.
  func ownModels(_ model: String?, _ nodes: [FogNode]) -> PeerID? {
    guard let model, !nodes.contains(where: { $0.report.capabilities.contains(model) }) else {
      return nil
    }
    return around.calls.own
  }

  /// The node that is kept free for a job that has waited long: the one with the most room of those that could have it.
  private static func reservation(
    for job: FogJob,
    _ placement: Placement,
    _ state: FogState
  ) -> PeerID? {
    state.known.filter { node in
      node.status(placement.now, patience: placement.patience) == .active
        && placement.lastingObstacle(node) == nil && !placement.avoided.contains(node.id)
    }.min { left, right in
      let shares = [left, right].map { $0.leased.dominantShare(of: Capacity($0.report)) }
      return (shares[0], left.id) < (shares[1], right.id)
    }?.id
  }

  // MARK: - Explaining

  /// Nodes named in an explanation.
  private static let mostConsidered = 32

  static func explain(
    _ placement: Placement,
    _ choice: (node: FogNode, score: Placement.Score),
    _ nodes: [FogNode]
  ) -> JSON {
    func rounded(_ value: Double) -> JSON { .number((value * 1000).rounded() / 1000) }
    let score = choice.score
    let percent = choice.node.report.pricePercent
    return [
      "node_id": .string("\(choice.node.id)"), "score": rounded(score.total),
      "reasons": [
        "price": [
          "score": rounded(score.price), "weight": 0.4,
          "why": .string("it asks \(percent) % of the market's price"),
        ],
        "trust": ["score": rounded(score.trust), "weight": 0.3, "why": "its record"],
        "load": [
          "score": rounded(score.load), "weight": 0.2, "why": "what stays free with this job",
        ],
        "locality": [
          "score": rounded(score.locality), "weight": 0.1,
          "why": "how much of the job's data it has already",
        ],
      ],
      "considered": considered(placement, nodes),
    ]
  }

  static func considered(_ placement: Placement, _ nodes: [FogNode]) -> JSON {
    .array(
      nodes.prefix(mostConsidered).map { node in
        let obstacle = placement.obstacle(node)
        return [
          "node_id": .string("\(node.id)"), "fits": .bool(obstacle == nil),
          "why": .string(obstacle?.sentence ?? "it has all that the job needs"),
        ]
      }
    )
  }

  // MARK: - Offers

  /// Nodes asked at once; each may hold a thread for as long as it does not answer.
  private static let mostAsked = 16

  private func startOffers() {
    let nodes = state.withLock { state -> [PeerID] in
      let ready = state.offers.keys.filter { node in
        !state.asked.contains(node) && state.offers[node]?.isEmpty == false
      }.prefix(max(0, Self.mostAsked - state.asked.count))
      state.asked.formUnion(ready)
      return Array(ready)
    }
    for node in nodes where !around.later({ [weak self] in self?.offer(to: node) }) {
      // No thread just now; the next tick tries again.
      state.withLock { _ = $0.asked.remove(node) }
    }
  }

  /// Makes all offers of a node, one after another: a node that hangs holds one thread.
  private func offer(to node: PeerID) {
    while let (lease, offer) = nextOffer(node) {
      let answer: Result<CallBody, CallFailure>
      do throws(CallFailure) {
        let body = CallBody(offer.json)
        answer = .success(try around.calls.call(node, "fog.lease", body, timeout: .seconds(5)))
      } catch {
        answer = .failure(error)
      }
      do throws(StorageError) {
        try change { (state, effects) throws(StorageError) in
          try take(answer, lease, &state, &effects)
        }
      } catch {
        // The lease stays as it is: the node's heartbeats renew it, or it is lost in time.
        around.warn("The answer to an offer could not be kept.", "\(error)")
      }
    }
    advance()
  }

  private func nextOffer(_ node: PeerID) -> (lease: String, offer: LeaseOffer)? {
    state.withLock { state in
      while let id = state.offers[node]?.first {
        state.offers[node]?.removeFirst()
        guard let lease = state.leases[id], let job = state.jobs[lease.job] else { continue }
        let isOwn = node == around.calls.own
        return (id, job.offer(id, seconds: settings.leaseSeconds, isOwn: isOwn))
      }
      state.offers[node] = nil
      state.asked.remove(node)
      return nil
    }
  }

  /// Refusals that say nothing of the job: no room, no new work, not registered here just now, or no thread for the call.
  private static let passing: Set<String> = ["NO_ROOM", "DRAINING", "NOT_ADMITTED", "BUSY"]
  /// Refusals of a node that cannot do what its last report says.
  private static let unable: Set<String> = ["CANNOT_ISOLATE", "NO_CAPABILITY"]

  private func take(
    _ answer: Result<CallBody, CallFailure>,
    _ id: String,
    _ state: inout FogState,
    _ effects: inout Effects
  ) throws(StorageError) {
    let now = around.now()
    guard let lease = state.leases[id], let job = state.jobs[lease.job] else { return }
    let failure: CallFailure
    switch answer {
    case .success:
      state.leases[id]?.renewedAt = now.monotonic
      state.nodes[lease.node]?.refusals = 0
      if lease.state == .offered { state.leases[id]?.state = .preparing }
      let waited = Double(Int64(now.wall) - job.submittedAt) / 1000
      if job.attempts == 1 { effects.measures.append(.placed(seconds: max(0, waited))) }
      return
    case .failure(let why): failure = why
    }
    // It runs already, whatever became of the answer.
    guard lease.state == .offered else { return }
    effects.measures.append(.offerRefused)
    let refusals = state.nodes[lease.node]?.refusals ?? 0
    let (loss, rest) = Self.loss(of: failure, refusals, leaseSeconds: settings.leaseSeconds)
    if case .refused(let code, _) = failure, Self.unable.contains(code) {
      // What the node has lost since its last report, its next one says as well; until then nobody asks for it again.
      state.nodes[lease.node]?.report.capabilities.removeAll { $0 == job.type.rawValue }
    }
    state.nodes[lease.node]?.refusals = refusals + 1
    let until = now.monotonic + rest * 1_000_000
    let earlier = state.nodes[lease.node]?.restUntil ?? 0
    state.nodes[lease.node]?.restUntil = max(earlier, until)
    try lose(lease, loss, now, &state, &effects)
  }

  /// What the job loses with an offer that was not taken, and for how many milliseconds its node gets no other.
  ///
  /// - Parameters:
  ///   - failure: What the node said, or what became of the call.
  ///   - refusals: Offers in a row that the node had not taken before.
  ///   - leaseSeconds: How long a lease lasts without a word of its node.
  /// - Returns: Both.
  private static func loss(of failure: CallFailure, _ refusals: Int, leaseSeconds: Int)
    -> (Loss, rest: UInt64)
  {
    // A node often says that it has no room while it still clears away the job before: soon it has.
    let soon = UInt64(250 << min(refusals, 4))
    func refused(_ reason: String, counts: Bool) -> Loss {
      Loss(reason: "node: \(reason)", isNodeFault: false, counts: counts, state: "refused")
    }
    switch failure {
    case .refused(let code, let message):
      let isPassing = passing.contains(code)
      // Where nothing was tried, no attempt is used up.
      let counts = !isPassing && !unable.contains(code)
      return (refused("\(code): \(message)", counts: counts), isPassing ? soon : 0)
    case .unreachable(let why): return (refused("unreachable: \(why)", counts: false), soon)
    case .timeout:
      let late = Loss(reason: "node: it did not answer the offer in time")
      return (late, UInt64(leaseSeconds) * 1000)
    }
  }
}
