package import GatewayPlugin
package import Peering
package import PluginStorage
import Synchronization

/// This gateway as a peer: its identity, its network, and what it keeps of others.
package final class PeerService: Sendable {
  /// The topic of events about peers and messages.
  package static let topic = "p2p_event"
  /// Nanoseconds that the network stays for others' last words when it should stop.
  private static let lingerLimit: UInt64 = 3_000_000_000
  /// Nanoseconds that the loop may take for its first turn.
  private static let startLimit: UInt64 = 5_000_000_000

  /// This peer.
  package let identity: Identity
  /// Peers and invitations.
  package let store: PeerStore
  /// Messages of this gateway's users.
  package let messages: MessageStore
  /// Calls to and from other peers.
  package let calls: NetworkCalls
  let settings: P2PFogSettings
  let network: PeerNetwork
  let receipts = Receipts()
  let discoveries = Discoveries()
  private let host: Host
  private let kept: KeptValues
  private let metrics: PeerMetrics
  private let lastFailure = Mutex<String?>(nil)
  private let refused = Mutex<Set<PeerID>>([])
  private let activatedAt = Atomic<UInt64>(0)
  private let isStopping = Atomic<Bool>(false)
  private let lingering = Mutex<@Sendable () -> Bool>({ false })

  /// Makes the peer; nothing is bound or sent before `activate`.
  ///
  /// - Parameters:
  ///   - host: What the gateway offers.
  ///   - settings: Of the operator.
  ///   - database: With the tables of `DatabaseSchema.p2pFog`.
  /// - Throws: `PluginFailure`, `StorageError` or `NetworkError`.
  package init(host: Host, settings: P2PFogSettings, database: Database) throws {
    identity = try IdentityFile.load(host.dataDirectory + "/identity")
    self.host = host
    self.settings = settings
    store = PeerStore(database)
    messages = MessageStore(database)
    kept = KeptValues(database)
    metrics = try PeerMetrics(host)
    network = try PeerNetwork(identity, settings.network)
    calls = NetworkCalls(own: identity.id, network: network)
    if host.events.isAvailable { try host.events.declare(Self.topic, scope: .read) }
    if host.jobs.isAvailable {
      try host.jobs.every(.seconds(1), name: "count what peers do") { [metrics, network] _ in
        metrics.show(network.status)
      }
      try host.jobs.every(.seconds(5), name: "send again") { [self] _ in
        guard network.status.isRunning else { return }
        network.post { [self] loop in
          try? resendUnsettled(on: loop)
          // Users may have deleted messages.
          if let peers = try? overQuota() { loop.refuseMessages(of: peers) }
        }
      }
    }
  }

  /// Opens the sockets and goes on the network.
  ///
  /// - Throws: `PluginFailure` when the address cannot be had.
  package func activate() throws {
    activatedAt.store(Clock.monotonic(), ordering: .relaxed)
    isStopping.store(false, ordering: .releasing)
    do {
      try network.open(preferring: UInt16(try kept.value("port") ?? "") ?? 0)
      if let local = network.local {
        try kept.set("port", to: "\(local.port)")
        host.log.info(
          "The network is open.",
          ["peer": "\(identity.id)", "address": "\(local)", "port": "\(local.port)"]
        )
      }
    } catch {
      throw PluginFailure("The peer cannot go on the network: \(error).")
    }
    try start()
  }

  /// Puts what was stored on the network's loop; called on its thread before the first packet.
  func prepare(_ loop: PeerLoop) {
    do {
      for entry in try store.all() { restore(entry, on: loop) }
      for invitation in try store.invitations() where invitation.redeemedBy == nil {
        guard let digest = Hexadecimal.bytes(invitation.digest) else { continue }
        loop.invite(Roster.Invitation(digest: digest, expiresAt: invitation.expiresAt))
      }
      for peer in settings.peers {
        loop.know(peer.id)
        loop.keepMeeting(peer.id, at: peer.endpoint)
      }
      for link in settings.join {
        loop.know(link.peer)
        loop.keepMeeting(link.peer, at: link.endpoint, invitation: link.secret)
      }
      loop.refuseMessages(of: try overQuota())
      try abandonOld()
      try resendUnsettled(on: loop)
    } catch {
      host.log.error("What is kept of peers cannot be read.", ["why": "\(error)"])
    }
  }

  /// Begins the jobs; also again after a swap that failed.
  func start() throws {
    try host.jobs.start("peer network") { [self] job in
      let roster = Roster(own: identity.id, admitsIntroduced: settings.admitsIntroduced)
      let surroundings = PeerNetwork.Surroundings(
        store: { [self] batch in try store(batch) },
        tell: { [self] event in take(event) },
        warn: { [self] text in host.log.error(text) }
      )
      var stopBy: UInt64?
      network.run(roster: roster, surroundings, prepare: prepare) {
        guard job.shouldStop || isStopping.load(ordering: .acquiring) else { return false }
        let limit = stopBy ?? Clock.monotonic() + Self.lingerLimit
        stopBy = limit
        return Clock.monotonic() >= limit || !lingering.withLock { $0 }()
      }
      // Whoever still waits would hold up the swap.
      calls.end()
      receipts.end()
    }
  }

  /// Goes on the network again with the jobs that a swap had stopped.
  package func resume() {
    do {
      try activate()
    } catch {
      host.log.error("The peer cannot go on the network again.", ["why": "\(error)"])
    }
  }

  /// Has the network stop at once, not at the end of its turn.
  package func stop() {
    isStopping.store(true, ordering: .releasing)
    network.wake()
  }

  /// Keeps the network open, when it should stop, while `isBusy` says so and for a few seconds at most.
  package func linger(while isBusy: @escaping @Sendable () -> Bool) {
    lingering.withLock { $0 = isBusy }
  }

  /// Whether it was activated just now: the loop may not have had its first turn.
  var isStarting: Bool {
    Clock.monotonic() < activatedAt.load(ordering: .relaxed) + Self.startLimit
  }

  /// Whether the disk has room for messages, as the operator wants it.
  func hasRoom() throws(StorageError) -> Bool {
    try Folder.space(host.dataDirectory).free >= settings.minFreeBytes
  }

  /// Why the last batch could not be stored; `nil` when it could.
  var failure: String? { lastFailure.withLock { $0 } }

  private func restore(_ entry: PeerStore.Entry, on loop: PeerLoop) {
    guard !entry.isBanned else { return loop.ban(entry.id) }
    if let record = entry.record { loop.restore(record) } else { loop.know(entry.id) }
    if let endpoint = entry.endpoint {
      loop.keepMeeting(entry.id, at: endpoint)
    } else if let endpoint = entry.record?.endpoint {
      loop.connect(to: endpoint, expecting: entry.id, invitation: nil) { _ in }
    }
  }
}

// MARK: - What the loop tells

extension PeerService {
  /// The peers that have as many messages here as one peer may have; the operator is told of those that had not before.
  private func overQuota() throws(StorageError) -> Set<PeerID> {
    var peers = try messages.overQuota(
      messages: settings.maxMessagesPerPeer,
      bytes: settings.maxMessageBytesPerPeer
    )
    // What this gateway's users write to each other.
    peers.remove(identity.id)
    let added = refused.withLock { [peers] refused in
      defer { refused = peers }
      return peers.subtracting(refused)
    }
    for peer in added {
      host.log.warning(
        "A peer has as many messages here as one may have; further ones are refused until users delete some.",
        ["peer": "\(peer)"]
      )
    }
    return peers
  }

  /// Stores what came, and tells its users; gives whose messages are refused from now on, where messages came.
  private func store(_ batch: NetworkBatch) throws -> Set<PeerID>? {
    let now = UInt64(Clock.wall() / 1_000_000)
    do {
      // First, since they may be stored again: messages that have come are told of, and not taken back.
      try store.apply(batch.changes, now: now)
      for entry in try messages.settle(batch.outcomes) {
        publish(entry, event: entry.status == "delivered" ? "receipt" : "undelivered")
        receipts.settle(entry)
      }
      if !batch.arrivals.isEmpty {
        guard try hasRoom() else { throw StorageError.full }
        let stored = try messages.receive(batch.arrivals, now: now)
        for entry in stored { publish(entry, event: "message") }
      }
      lastFailure.withLock { $0 = nil }
      // What is stored stays stored; a look that fails is taken again within seconds.
      return batch.arrivals.isEmpty ? nil : try? overQuota()
    } catch {
      lastFailure.withLock { $0 = "\(error)" }
      throw error
    }
  }

  private func take(_ event: NetworkEvent) {
    switch event {
    case .member(let peer, let state):
      publish("peer", ["peer_id": .string("\(peer)"), "state": .string(state)])
    case .link(let peer, let isUp, let reason):
      let state: JSON = isUp ? "up" : "down"
      publish("link", ["peer_id": .string("\(peer)"), "state": state, "reason": .string(reason)])
    case .circuit(let event): publish("circuit", event.json)
    case .found(let peer, let endpoint, let name, let isKnown):
      discoveries.found(peer, endpoint, name: name, isKnown: isKnown)
    case .called(let token, let peer, let method, let body): answer(token, peer, method, body)
    case .answered(let number, let result): calls.ended(number, result)
    }
  }

  private func answer(
    _ token: CallToken,
    _ peer: PeerID,
    _ method: String,
    _ body: CallContent
  ) {
    do throws(HostRefusal) {
      try host.jobs.submit { [self] _ in
        let answer = calls.serve(peer, method, body)
        network.post { $0.answer(token, answer) }
      }
    } catch {
      let refusal = CallRefusal(
        code: "BUSY",
        message: "This gateway has no thread free; try later."
      )
      network.post { $0.answer(token, .failure(refusal)) }
    }
  }

  /// Publishes an event for the user of a message; one of the peer itself is the operators' alone, and not published.
  func publish(_ entry: MessageStore.Entry, event: String) {
    guard host.events.isAvailable, !entry.user.isEmpty else { return }
    let payload = JSON.object([.init(name: "event", value: .string(event))] + entry.members)
    // Refused only when the gateway stops.
    try? host.events.publish(Self.topic, payload, to: entry.user)
  }

  /// Publishes an event about the network for all who may have the topic.
  private func publish(_ event: String, _ payload: JSON) {
    guard host.events.isAvailable else { return }
    let members = [JSON.Member(name: "event", value: .string(event))] + (payload.asMembers ?? [])
    try? host.events.publish(Self.topic, .object(members))
  }
}

extension Overlay.CircuitEvent {
  /// What is told of it: all who have the topic see it, and none of them learns whom another user writes to.
  fileprivate var json: JSON {
    switch self {
    case .built(_, let hops, let duration):
      [
        "state": "built", "hops": .integer(Int64(hops)),
        "duration_ms": .number(Double(duration) / 1_000_000),
      ]
    case .failed(_, let end): ["state": "failed", "reason": .string(end.word)]
    case .closed(_, let end): ["state": "closed", "reason": .string(end.word)]
    }
  }
}
