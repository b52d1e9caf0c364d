import Peering

/// A network of meshes in virtual time, with loss, delay, reordering, duplication and partitions; one seed gives one run.
final class SimulatedNetwork {
  /// What happens to datagrams.
  struct Conditions {
    /// Share that is lost, 0 to 1.
    var loss = 0.0
    /// Share that arrives twice.
    var duplication = 0.0
    /// Shortest and longest way, in nanoseconds; what takes longer is overtaken.
    var delay: ClosedRange<UInt64> = 200_000...2_000_000
  }

  /// One peer with what it has told its loop.
  final class Peer {
    let index: Int
    let identity: Identity
    var endpoint: Endpoint
    var mesh: Mesh
    var roster: Roster
    var isUp = true
    var actions: [Mesh.Action] = []

    init(
      index: Int,
      endpoint: Endpoint,
      settings: MeshSettings,
      admitsIntroduced: Bool,
      wall: UInt64
    ) {
      self.index = index
      self.endpoint = endpoint
      identity = SimulatedNetwork.identity(index)
      let record = PeerRecord(identity, sequence: wall, endpoint: endpoint, name: "peer \(index)")
      mesh = Mesh(identity: identity, record: record, settings: settings, seed: UInt64(index))
      roster = Roster(own: identity.id, admitsIntroduced: admitsIntroduced)
    }

    var id: PeerID { identity.id }

    var received: [PeerMessage] {
      actions.compactMap { if case .received(let message, _, _) = $0 { message } else { nil } }
    }

    var receipts: [[UInt8]] {
      actions.compactMap { if case .receipt(let id, _, _) = $0 { id } else { nil } }
    }

    var undelivered: [Mesh.UndeliveredReason] {
      actions.compactMap { if case .undelivered(_, let reason) = $0 { reason } else { nil } }
    }
  }

  private enum Event {
    case datagram([UInt8], from: Endpoint, to: Endpoint)
    case call(Int)
  }

  static let start: UInt64 = 1_000_000_000
  static let second: UInt64 = 1_000_000_000

  var conditions = Conditions()
  /// Whether a datagram can pass from one peer to another.
  var passes: (Int, Int) -> Bool = { _, _ in true }
  /// Sees every datagram that is sent, and may hold it back by answering false.
  var tap: (([UInt8], Endpoint, Endpoint) -> Bool)?
  /// Whether a peer cannot store what comes, as the loop then has it.
  var refuses: (Int) -> Bool = { _ in false }
  private(set) var peers: [Peer] = []
  private(set) var time = start
  private(set) var datagrams = 0

  private var random: SeededRandom
  private var places: [Endpoint: Int] = [:]
  private var events = EventHeap<Event>()
  private var calls: [UInt64] = []

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  static func identity(_ index: Int) -> Identity {
    Identity(seed: KeyDerivation.sha256(Array("peer \(index)".utf8)))
  }

  static func endpoint(_ index: Int) -> Endpoint {
    guard let place = Endpoint(address: [10, 0, UInt8(index >> 8), UInt8(index & 255)], port: 7946)
    else { preconditionFailure("four bytes are an address") }
    return place
  }

  var now: Moment { Moment(monotonic: time, wall: 1_700_000_000_000 + time / 1_000_000) }

  /// Adds a peer that knows nobody.
  @discardableResult
  func add(settings: MeshSettings = MeshSettings(), admitsIntroduced: Bool = true) -> Peer {
    let index = peers.count
    let endpoint = Self.endpoint(index)
    let peer = Peer(
      index: index,
      endpoint: endpoint,
      settings: settings,
      admitsIntroduced: admitsIntroduced,
      wall: now.wall
    )
    peers.append(peer)
    places[endpoint] = index
    calls.append(0)
    schedule(index)
    return peer
  }

  /// Adds peers of which each has the records of all, as after a restart.
  func addAcquainted(_ count: Int, settings: MeshSettings = MeshSettings()) {
    for _ in 0..<count { add(settings: settings) }
    let records = peers.map(\.mesh.record)
    for peer in peers {
      for record in records where record.id != peer.id { peer.roster.restore(record) }
    }
  }

  /// Runs `body` on a peer, and does what it then wants.
  func with(_ index: Int, _ body: (Peer) -> Void) {
    let peer = peers[index]
    body(peer)
    drain(peer)
    schedule(index)
  }

  /// Sends a message from one peer to another, or to all.
  @discardableResult
  func send(
    from: Int,
    to: Int?,
    bytes: Int = 100,
    priority: UInt8 = 5,
    options: SendOptions = SendOptions()
  ) -> [UInt8] {
    let id = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
    let message = PeerMessage(
      id: id,
      sender: peers[from].id,
      recipient: to.map { peers[$0].id },
      user: "",
      senderUser: "",
      kind: "chat",
      priority: priority,
      sentAt: now.wall,
      payload: (0..<bytes).map { UInt8(truncatingIfNeeded: $0 * 7) }
    )
    with(from) { $0.mesh.send(message, options: options, roster: $0.roster, now: now) }
    return id
  }

  /// Lets time pass.
  func run(_ nanoseconds: UInt64) { _ = run(until: time + nanoseconds) { false } }

  /// Lets time pass until something holds.
  ///
  /// - Returns: How long it took; `nil` when it did not come to hold within `limit`.
  func run(limit: UInt64, every step: UInt64 = 50_000_000, until holds: () -> Bool) -> UInt64? {
    let begun = time
    while time - begun < limit {
      if holds() { return time - begun }
      run(step)
    }
    return holds() ? time - begun : nil
  }

  /// Puts a datagram on the network, as anybody can.
  func inject(_ datagram: [UInt8], from: Endpoint, to: Endpoint) {
    events.add(.datagram(datagram, from: from, to: to), at: time)
  }

  /// Lets a peer that was down go on as it was.
  func wake(_ index: Int) {
    peers[index].isUp = true
    calls[index] = 0
    schedule(index)
  }

  /// Starts a peer anew, with its roster and without its sessions.
  func restart(_ index: Int) {
    let peer = peers[index]
    let record = PeerRecord(
      peer.identity,
      sequence: now.wall,
      endpoint: peer.endpoint,
      name: "again"
    )
    peer.mesh = Mesh(identity: peer.identity, record: record, seed: UInt64(index) + 1000)
    wake(index)
  }

  /// Moves a peer to another address, as a change of network does.
  func move(_ index: Int, to endpoint: Endpoint) {
    places[peers[index].endpoint] = nil
    peers[index].endpoint = endpoint
    places[endpoint] = index
  }

  private func run(until end: UInt64, _ holds: () -> Bool) -> Bool {
    while let next = events.time, next <= end {
      guard let event = events.next() else { break }
      time = max(time, next)
      handle(event)
    }
    time = end
    return holds()
  }

  private func handle(_ event: Event) {
    switch event {
    case .call(let index):
      guard calls[index] <= time, peers[index].isUp else { return }
      calls[index] = .max
      with(index) { $0.mesh.advance(roster: &$0.roster, now: now) }
    case .datagram(let bytes, let from, let to):
      guard let index = places[to], peers[index].isUp else { return }
      with(index) { $0.mesh.receive(bytes, from: from, roster: &$0.roster, now: now) }
    }
  }

  private func schedule(_ index: Int) {
    guard peers[index].isUp, let deadline = peers[index].mesh.deadline else { return }
    let due = max(deadline, time)
    guard calls[index] == 0 || due < calls[index] || calls[index] == .max else { return }
    calls[index] = due
    events.add(.call(index), at: due)
  }

  private func drain(_ peer: Peer) {
    let actions = peer.mesh.actions
    peer.mesh.actions = []
    let arrivals = actions.compactMap { action in
      if case .received(let message, _, _) = action { message } else { nil }
    }
    let isRefused = !arrivals.isEmpty && refuses(peer.index)
    if isRefused { for message in arrivals { peer.mesh.takeBack(message) } }
    for action in actions {
      switch action {
      case .datagram(let bytes, let endpoint):
        if !isRefused { carry(bytes, from: peer, to: endpoint) }
      case .multicast(let bytes):
        for other in peers where other.index != peer.index {
          carry(bytes, from: peer, to: other.endpoint)
        }
      default: peer.actions.append(action)
      }
    }
  }

  private func carry(_ bytes: [UInt8], from peer: Peer, to endpoint: Endpoint) {
    datagrams += 1
    if let tap, !tap(bytes, peer.endpoint, endpoint) { return }
    guard let to = places[endpoint], passes(peer.index, to) else { return }
    let copies = chance(conditions.duplication) ? 2 : 1
    for _ in 0..<copies where !chance(conditions.loss) {
      let delay = UInt64.random(in: conditions.delay, using: &random)
      events.add(.datagram(bytes, from: peer.endpoint, to: endpoint), at: time + delay)
    }
  }

  private func chance(_ share: Double) -> Bool {
    share > 0 && Double.random(in: 0..<1, using: &random) < share
  }
}

/// Events by time, those of one time in the order they were added.
struct EventHeap<Event> {
  private var entries: [(time: UInt64, order: UInt64, event: Event)] = []
  private var order: UInt64 = 0

  var time: UInt64? { entries.first?.time }

  mutating func add(_ event: Event, at time: UInt64) {
    order += 1
    entries.append((time, order, event))
    var child = entries.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> Event? {
    guard let first = entries.first else { return nil }
    let last = entries.removeLast()
    guard !entries.isEmpty else { return first.event }
    entries[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && precedes(child, least) { least = child }
      if least == parent { return first.event }
      entries.swapAt(parent, least)
      parent = least
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (entries[left].time, entries[left].order) < (entries[right].time, entries[right].order)
  }
}
