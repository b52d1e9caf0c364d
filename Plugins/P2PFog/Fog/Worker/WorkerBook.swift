import GatewayPlugin
package import Peering

/// Which coordinators this node serves and which leases it holds; no clock, no calls.
package struct WorkerBook: Sendable {
  /// What may be used by all leases together.
  package struct Room: Sendable, Equatable {
    package var millicores: Int
    package var memoryMegabytes: Int
    package var diskMegabytes: Int
    package var gpus: Int
    package var jobs: Int
  }

  private struct Coordinator {
    var isRegistered = false
    var interval: UInt64 = 1_000_000_000
    var nextCall: UInt64 = 0
    var isCalling = false
    var lastAnswer: UInt64?
    var trouble: String?
  }

  /// Leases that are over and remembered, so that an offer repeated late does not run again.
  static let remembered = 1024
  /// Between two tries to register at a coordinator that said no.
  static let refusedPause: UInt64 = 10_000_000_000

  private var coordinators: [PeerID: Coordinator] = [:]
  private var leases: [ActiveLease.Key: ActiveLease] = [:]
  private var over: [ActiveLease.Key] = []
  package var isDraining = false
  /// No further work is begun: the plugin ends.
  package var isResting = true

  package init() {}

  // MARK: - Coordinators

  /// Serves a coordinator from now on.
  package mutating func join(_ peer: PeerID) {
    if coordinators[peer] == nil { coordinators[peer] = Coordinator() }
  }

  /// Serves it no more.
  ///
  /// - Parameter peer: The coordinator.
  /// - Returns: Its leases, which must end.
  package mutating func leave(_ peer: PeerID) -> [ActiveLease] {
    coordinators[peer] = nil
    return held(for: peer)
  }

  /// Coordinators to be called now; each is due again after its answer.
  package mutating func due(at now: UInt64) -> [(peer: PeerID, isRegistered: Bool)] {
    guard !isResting else { return [] }
    var found: [(peer: PeerID, isRegistered: Bool)] = []
    for peer in coordinators.keys.sorted() {
      guard let state = coordinators[peer], !state.isCalling, state.nextCall <= now else {
        continue
      }
      coordinators[peer]?.isCalling = true
      found.append((peer, state.isRegistered))
    }
    return found
  }

  /// A coordinator has taken this node, or a heartbeat of it.
  ///
  /// - Parameters:
  ///   - peer: The coordinator.
  ///   - sent: When the call was made.
  ///   - interval: Nanoseconds between heartbeats; `nil` leaves it.
  package mutating func answered(_ peer: PeerID, sent: UInt64, interval: UInt64? = nil) {
    guard var state = coordinators[peer] else { return }
    state.isCalling = false
    state.isRegistered = true
    state.interval = interval ?? state.interval
    state.nextCall = sent + (interval == nil ? state.interval : 0)
    state.lastAnswer = sent
    state.trouble = nil
    coordinators[peer] = state
  }

  /// A call to a coordinator failed.
  ///
  /// - Parameters:
  ///   - peer: The coordinator.
  ///   - failure: How.
  ///   - now: The moment.
  package mutating func failed(_ peer: PeerID, _ failure: CallFailure, at now: UInt64) {
    guard var state = coordinators[peer] else { return }
    state.isCalling = false
    state.trouble = "\(failure)"
    state.nextCall = now + state.interval
    if case .refused(let code, _) = failure {
      // Known no more: at once. Not wanted: seldom.
      let wasRegistered = state.isRegistered
      state.isRegistered = false
      state.nextCall =
        code == "UNKNOWN_NODE" && wasRegistered ? now : now + Self.refusedPause
    }
    coordinators[peer] = state
  }

  /// For the health: each coordinator, whether it has taken this node, and what is wrong.
  package var standing: [(peer: PeerID, isRegistered: Bool, trouble: String?)] {
    coordinators.keys.sorted().map { peer in
      (peer, coordinators[peer]?.isRegistered ?? false, coordinators[peer]?.trouble)
    }
  }

  // MARK: - Leases

  /// All that are held.
  package var held: [ActiveLease] { Array(leases.values) }

  /// Those of one coordinator.
  package func held(for peer: PeerID) -> [ActiveLease] {
    leases.values.filter { $0.key.coordinator == peer }
  }

  /// The lease of that key.
  package func lease(_ key: ActiveLease.Key) -> ActiveLease? { leases[key] }

  /// Takes an offer.
  ///
  /// - Parameters:
  ///   - offer: What is offered.
  ///   - peer: By whom.
  ///   - room: What all leases may use.
  ///   - now: The moment.
  /// - Returns: The new lease, to be run; `nil` for one that is here or was here already.
  /// - Throws: `CallFailure.refused`.
  package mutating func take(
    _ offer: LeaseOffer,
    from peer: PeerID,
    _ room: Room,
    at now: UInt64
  ) throws(CallFailure) -> ActiveLease? {
    let key = ActiveLease.Key(peer, offer.leaseID)
    if leases[key] != nil || over.contains(key) { return nil }
    guard coordinators[peer]?.isRegistered == true else {
      throw .refused(code: "NOT_ADMITTED", message: "this node does not work for the caller")
    }
    guard !isDraining, !isResting else {
      throw .refused(code: "DRAINING", message: "the node takes nothing new")
    }
    let free = self.free(of: room)
    let wanted = offer.requirements
    let lacking: String? =
      switch true {
      // Each that has ended holds a thread and a folder until its coordinator knows.
      case leases.count >= 2 * room.jobs: "\(leases.count) jobs are not told of yet"
      case free.jobs < 1: "\(room.jobs) jobs run already"
      case free.millicores < wanted.cpuMillicores: "\(free.millicores) millicores are free"
      case free.memoryMegabytes < wanted.memoryMegabytes:
        "\(free.memoryMegabytes) MiB of memory are free"
      case free.diskMegabytes < wanted.diskMegabytes: "\(free.diskMegabytes) MiB of disk are free"
      case free.gpus < wanted.gpuCount: "\(free.gpus) GPUs are free"
      default: nil
      }
    if let lacking { throw .refused(code: "NO_ROOM", message: lacking) }
    let taken = Set(leases.values.flatMap(\.gpus))
    let gpus = (0..<room.gpus).filter { !taken.contains($0) }.prefix(wanted.gpuCount)
    let lease = ActiveLease(key, offer, gpus: Array(gpus), at: now)
    leases[key] = lease
    return lease
  }

  /// What of the room no lease uses; jobs that have ended use none of it.
  package func free(of room: Room) -> Room {
    leases.values.reduce(into: room) { room, lease in
      guard lease.usesRoom else { return }
      room.millicores -= lease.offer.requirements.cpuMillicores
      room.memoryMegabytes -= lease.offer.requirements.memoryMegabytes
      room.diskMegabytes -= lease.offer.requirements.diskMegabytes
      room.gpus -= lease.offer.requirements.gpuCount
      room.jobs -= 1
    }
  }

  /// Leases that no heartbeat has renewed in time.
  package func lost(at now: UInt64) -> [ActiveLease] { leases.values.filter { $0.isLost(at: now) } }

  /// A lease is over: its room is free.
  package mutating func forget(_ key: ActiveLease.Key) {
    guard leases.removeValue(forKey: key) != nil else { return }
    over.append(key)
    if over.count > Self.remembered { over.removeFirst(over.count - Self.remembered) }
  }
}
