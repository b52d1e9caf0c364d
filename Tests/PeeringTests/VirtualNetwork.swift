import TestSupport

@testable import Peering

/// Peers whose overlays are connected in memory, with time that passes only here.
final class VirtualNetwork {
  final class Peer {
    let identity: Identity
    var overlay: Overlay
    var roster: Roster
    var told: [Overlay.Action] = []
    var isUp = true
    /// Answers calls at once; without it they stay open.
    var serve: ((String, CallContent) -> Result<CallContent, CallRefusal>)?

    init(_ identity: Identity, _ overlay: Overlay, _ roster: Roster) {
      self.identity = identity
      self.overlay = overlay
      self.roster = roster
    }

    var id: PeerID { identity.id }
  }

  /// One end of a connection.
  struct End: Hashable {
    let peer: Int
    let link: Int
  }

  struct Delivery {
    let at: UInt64
    let to: End
    /// `nil` ends the connection.
    let bytes: [UInt8]?
  }

  var peers: [Peer] = []
  /// Monotonic nanoseconds.
  var time: UInt64 = 1_000_000_000
  /// Nanoseconds from end to end.
  var latency: UInt64 = 1_000_000
  /// The longest piece in which bytes arrive.
  var piece = Int.max
  /// All that went over each connection, by the end that received it.
  var wire: [End: [UInt8]] = [:]
  /// Changes bytes on their way.
  var tamper: ((End, [UInt8]) -> [UInt8])?
  /// Sees every cell that a peer has decrypted, before it does anything with it.
  var decrypted: ((Int, [UInt8]) -> Void)?
  /// Sees every payload from which a peer has taken its layer.
  var unlayered: ((Int, [UInt8]) -> Void)?
  /// Holds back what is written, so that queues fill.
  var isStalled = false

  private var other: [End: End] = [:]
  private var nextLink = 1
  private var deliveries: [Delivery] = []

  init(_ count: Int, settings: OverlaySettings = OverlaySettings()) {
    for index in 0..<count { add(seed: UInt8(index + 1), settings) }
    for peer in peers {
      for other in peers where other !== peer { peer.roster.restore(other.overlay.record) }
    }
  }

  @discardableResult
  func add(seed: UInt8, _ settings: OverlaySettings) -> Int {
    let identity = Identity(seed: [UInt8](repeating: seed, count: 32))
    guard let endpoint = Endpoint(address: [10, 0, 0, seed], port: 7946) else {
      preconditionFailure("four bytes are an address")
    }
    let record = PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "peer\(seed)")
    let overlay = Overlay(identity: identity, record: record, settings: settings)
    peers.append(Peer(identity, overlay, Roster(own: identity.id, admitsIntroduced: false)))
    return peers.count - 1
  }

  var now: Moment { Moment(monotonic: time, wall: 1_700_000_000_000 + time / 1_000_000) }

  func index(of id: PeerID) -> Int? { peers.firstIndex { $0.id == id } }

  /// Connects two peers, `from` having dialled.
  func connect(_ from: Int, _ to: Int, expecting: PeerID?, invitation: [UInt8]? = nil) {
    let near = End(peer: from, link: nextLink)
    let far = End(peer: to, link: nextLink + 1)
    nextLink += 2
    other[near] = far
    other[far] = near
    peers[to].overlay.opened(far.link, isInitiator: false, now: now)
    peers[from].overlay.opened(
      near.link,
      isInitiator: true,
      expecting: expecting,
      invitation: invitation,
      now: now
    )
    drain(to)
    drain(from)
  }

  /// Connects two peers and waits for the link.
  func link(_ from: Int, _ to: Int) {
    connect(from, to, expecting: peers[to].id)
    run(for: 10 * latency)
  }

  /// Does something with a peer's overlay, and what it asks for.
  func with(_ peer: Int, _ body: (inout Overlay, inout Roster, Moment) -> Void) {
    body(&peers[peer].overlay, &peers[peer].roster, now)
    drain(peer)
  }

  /// A peer that is gone: its connections end, and nobody can connect to it.
  func kill(_ peer: Int) {
    peers[peer].isUp = false
    for end in other.keys where end.peer == peer {
      if let far = other.removeValue(forKey: end) {
        other[far] = nil
        deliveries.append(Delivery(at: time + latency, to: far, bytes: nil))
      }
    }
  }

  /// A peer from whom nothing comes any more, without its connections ending.
  func freeze(_ peer: Int) { peers[peer].isUp = false }

  /// Ends one connection, both ends of which notice.
  func cut(_ generator: inout SeededGenerator) {
    let ends = other.keys.sorted { ($0.peer, $0.link) < ($1.peer, $1.link) }
    guard let near = ends.randomElement(using: &generator),
      let far = other.removeValue(forKey: near)
    else { return }
    other[far] = nil
    for end in [near, far] { deliveries.append(Delivery(at: time + latency, to: end, bytes: nil)) }
  }

  func run(for duration: UInt64) { run(until: time + duration) { false } }

  /// Lets time pass until `isDone` or the limit; whether it was done.
  @discardableResult
  func run(until limit: UInt64, _ isDone: () -> Bool) -> Bool {
    while !isDone() {
      let timers = peers.filter(\.isUp).compactMap(\.overlay.deadline)
      guard let next = (timers + deliveries.map(\.at)).min(), next <= limit else {
        time = limit
        return isDone()
      }
      time = max(time, next)
      deliver()
      for index in peers.indices where peers[index].isUp {
        if let deadline = peers[index].overlay.deadline, deadline <= time {
          peers[index].overlay.advance(roster: peers[index].roster, now: now)
          drain(index)
        }
      }
    }
    return true
  }

  /// Lets at most `seconds` pass until `isDone`.
  @discardableResult
  func wait(_ seconds: UInt64, _ isDone: () -> Bool) -> Bool {
    run(until: time + seconds * 1_000_000_000, isDone)
  }

  private func deliver() {
    let due = deliveries.filter { $0.at <= time }
    deliveries.removeAll { $0.at <= time }
    for delivery in due {
      let peer = peers[delivery.to.peer]
      guard peer.isUp else { continue }
      guard let bytes = delivery.bytes else {
        peer.overlay.closed(delivery.to.link, now: now)
        drain(delivery.to.peer)
        continue
      }
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + min(piece, bytes.count))
        let part = Array(bytes[start..<end])
        if decrypted != nil || unlayered != nil { watch(part, delivery.to) }
        peer.overlay.receive(part, on: delivery.to.link, roster: &peer.roster, now: now)
        drain(delivery.to.peer)
        start = end
      }
    }
  }

  // The same bytes through copies of the link and of the circuits' layers, which are values.
  private func watch(_ bytes: [UInt8], _ end: End) {
    guard var link = peers[end.peer].overlay.links[end.link] else { return }
    var roster = peers[end.peer].roster
    var circuits = peers[end.peer].overlay.circuits
    for case .cell(let bytes) in link.receive(bytes, roster: &roster, now: now).events {
      decrypted?(end.peer, bytes)
      guard let cell = try? Cell(bytes), cell.command == .relay,
        case .previous(let serial)? = circuits.role(
          CircuitTable.Leg(link: end.link, circuit: cell.circuit)
        ),
        let plain = circuits.transits[serial]?.layer.forward.open(cell.payload).plain
      else { continue }
      unlayered?(end.peer, plain)
    }
  }

  private func drain(_ index: Int) {
    let peer = peers[index]
    while !peer.overlay.actions.isEmpty {
      let actions = peer.overlay.actions
      peer.overlay.actions = []
      for action in actions { perform(action, index) }
    }
  }

  private func perform(_ action: Overlay.Action, _ index: Int) {
    let peer = peers[index]
    switch action {
    case .write(let link, let bytes):
      guard let far = other[End(peer: index, link: link)], !isStalled else { return }
      let changed = tamper?(far, bytes) ?? bytes
      wire[far, default: []] += changed
      deliveries.append(Delivery(at: time + latency, to: far, bytes: changed))
      peer.overlay.wrote(bytes.count, on: link, now: now)
    case .close(let link, _):
      peer.told.append(action)
      let near = End(peer: index, link: link)
      guard let far = other.removeValue(forKey: near) else { return }
      other[far] = nil
      deliveries.append(Delivery(at: time + latency, to: far, bytes: nil))
    case .dial(_, let id):
      peer.told.append(action)
      guard let target = self.index(of: id), peers[target].isUp else {
        peer.overlay.dialFailed(id, now: now)
        return
      }
      connect(index, target, expecting: id)
    case .called(let token, _, let method, let body):
      peer.told.append(action)
      if let answer = peer.serve?(method, body) {
        peer.overlay.answer(token, answer, now: now)
      }
    default: peer.told.append(action)
    }
  }
}
