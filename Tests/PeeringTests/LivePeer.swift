import Foundation

@testable import Peering

/// A peer with real sockets on loopback and a thread of its own.
final class LivePeer: @unchecked Sendable {
  let identity = Identity.random()
  let network: PeerNetwork

  // All below is guarded by `condition`.
  private let condition = NSCondition()
  private var arrivals: [PeerMessage] = []
  private var deliveries: [[UInt8]] = []
  private var answers: [UInt64: CallResult] = [:]
  private var warnings: [String] = []
  private var failuresLeft = 0
  private var mustStop = false
  private var isOver = true

  init(_ change: (inout NetworkSettings) -> Void = { _ in }) throws {
    guard let loopback = Endpoint(text: "127.0.0.1:0") else { fatalError("an address") }
    var settings = NetworkSettings(listen: loopback)
    change(&settings)
    network = try PeerNetwork(identity, settings)
  }

  var id: PeerID { identity.id }

  /// Opens the sockets and begins; every call answers with its own body.
  func start(
    preferring port: UInt16 = 0,
    _ prepare: @escaping @Sendable (PeerLoop) -> Void = { _ in }
  ) throws {
    try network.open(preferring: port)
    condition.withLock {
      mustStop = false
      isOver = false
    }
    let surroundings = PeerNetwork.Surroundings(
      store: { [self] in try store($0) },
      tell: { [self] in take($0) },
      warn: { [self] text in note { warnings.append(text) } }
    )
    Thread.detachNewThread { [self] in
      network.run(
        roster: Roster(own: id, admitsIntroduced: false),
        surroundings,
        prepare: prepare
      ) { condition.withLock { mustStop } }
      note { isOver = true }
    }
  }

  /// Ends the loop; false when it has not ended in time.
  func stop() -> Bool {
    condition.withLock { mustStop = true }
    return wait { $0.isOver }
  }

  /// The next batches with messages or receipts cannot be stored.
  func refuseToStore(_ count: Int) { note { failuresLeft = count } }

  func hasTaken(_ id: [UInt8], times: Int = 1) -> Bool {
    wait { $0.arrivals.count { $0.id == id } == times }
  }

  func hasDelivered(_ id: [UInt8]) -> Bool { wait { $0.deliveries.contains(id) } }

  func answer(to call: UInt64) -> CallResult? {
    _ = wait { $0.answers[call] != nil }
    return condition.withLock { answers[call] }
  }

  var told: [String] { condition.withLock { warnings } }

  /// Whether `isSo` of the loop within a limit.
  func comes(_ isSo: @escaping @Sendable (PeerLoop) -> Bool) -> Bool {
    let end = Date(timeIntervalSinceNow: 20)
    while Date() < end {
      let seen = Seen()
      network.post { seen.value = isSo($0) }
      let found = seen.wait(until: end)
      if found { return true }
    }
    return false
  }

  func message(to peer: PeerID, _ payload: [UInt8] = [1, 2, 3]) -> PeerMessage {
    PeerMessage(
      id: RandomBytes.make(PeerMessage.idSize),
      sender: id,
      recipient: peer,
      user: "ada",
      senderUser: "bob",
      kind: "text",
      priority: 5,
      sentAt: UInt64(Date().timeIntervalSince1970 * 1000),
      payload: payload
    )
  }

  /// Meets another peer, which knows this one.
  func meet(_ other: LivePeer) -> Bool {
    guard let endpoint = other.network.local else { return false }
    let seen = Seen()
    network.post { [id = other.id] loop in
      loop.know(id)
      loop.connect(to: endpoint, expecting: id, invitation: nil) {
        seen.value = $0 == .success(id)
      }
    }
    return seen.wait(until: Date(timeIntervalSinceNow: 20))
  }

  private func store(_ batch: NetworkBatch) throws -> Set<PeerID>? {
    try condition.withLock {
      if !batch.arrivals.isEmpty || !batch.outcomes.isEmpty, failuresLeft > 0 {
        failuresLeft -= 1
        throw CocoaError(.fileWriteOutOfSpace)
      }
      arrivals += batch.arrivals.map(\.message)
      deliveries += batch.outcomes.filter { $0.failure == nil }.map(\.id)
      condition.broadcast()
      return nil
    }
  }

  private func take(_ event: NetworkEvent) {
    switch event {
    case .answered(let call, let result): note { answers[call] = result }
    case .called(let token, _, _, let body): network.post { $0.answer(token, .success(body)) }
    default: break
    }
  }

  private func note(_ change: () -> Void) {
    condition.withLock {
      change()
      condition.broadcast()
    }
  }

  private func wait(_ isSo: (LivePeer) -> Bool) -> Bool {
    let end = Date(timeIntervalSinceNow: 20)
    condition.lock()
    defer { condition.unlock() }
    while !isSo(self) {
      guard condition.wait(until: end) else { return isSo(self) }
    }
    return true
  }
}

/// One answer of another thread.
final class Seen: @unchecked Sendable {
  // Guarded by `condition`.
  private let condition = NSCondition()
  private var answer: Bool?

  var value: Bool {
    get { condition.withLock { answer ?? false } }
    set {
      condition.withLock {
        answer = newValue
        condition.broadcast()
      }
    }
  }

  func wait(until end: Date) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while answer == nil { guard condition.wait(until: end) else { return false } }
    return answer ?? false
  }
}
