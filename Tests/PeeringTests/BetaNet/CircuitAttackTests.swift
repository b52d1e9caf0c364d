import Testing

@testable import Peering

@Suite struct CircuitAttackTests {
  private static func create(_ circuit: UInt32, for identity: Identity) -> Cell {
    let handshake = CircuitHandshake(with: RawPeer.record(identity))
    return Cell(circuit: circuit, command: .create, payload: handshake.request)
  }

  /// A raw peer with a circuit of one hop to the overlay, and its layer.
  private static func opened(
    _ settings: OverlaySettings = OverlaySettings()
  ) throws -> (peer: RawPeer, layer: CircuitLayer) {
    let peer = RawPeer(settings)
    peer.exchange()
    let handshake = CircuitHandshake(with: RawPeer.record(peer.overlayIdentity))
    peer.send(Cell(circuit: 0x8000_0001, command: .create, payload: handshake.request))
    let reply = try #require(peer.cells.first)
    #expect(reply.command == .created && reply.circuit == 0x8000_0001)
    return (peer, try handshake.finish(reply.payload))
  }

  private static func say(_ content: RelayContent, _ peer: RawPeer, _ layer: inout CircuitLayer) {
    let payload = layer.forward.pass(layer.forward.tagged(content))
    peer.send(Cell(circuit: 0x8000_0001, command: .relay, payload: payload))
  }

  private static func heard(_ peer: RawPeer, _ layer: inout CircuitLayer) throws -> [RelayContent] {
    try peer.cells.filter { $0.command == .relay }.map { cell in
      let content = layer.backward.open(cell.payload).content
      return try RelayContent(try #require(content))
    }
  }

  private static func message(
    _ peer: RawPeer,
    sender: PeerID? = nil,
    sentAt: UInt64? = nil,
    id: UInt8 = 1
  ) -> PeerMessage {
    PeerMessage(
      id: [UInt8](repeating: id, count: 16),
      sender: sender ?? peer.identity.id,
      recipient: peer.overlayIdentity.id,
      user: "",
      senderUser: "",
      kind: "note",
      priority: 5,
      sentAt: sentAt ?? peer.now.wall,
      payload: [UInt8](repeating: 1, count: 1000)
    )
  }

  private static func deliver(
    _ message: PeerMessage,
    by identity: Identity,
    _ peer: RawPeer,
    _ layer: inout CircuitLayer
  ) {
    for content in MessageEnvelope.contents(MessageEnvelope.seal(message, identity)) {
      say(content, peer, &layer)
    }
  }

  private static func received(_ peer: RawPeer) -> Int {
    peer.overlayActions.count { if case .received = $0 { true } else { false } }
  }

  @Test("A message by its sender is taken, and the same again is confirmed but not given out")
  func replayedMessage() throws {
    var (peer, layer) = try Self.opened()
    for _ in 0..<3 { Self.deliver(Self.message(peer), by: peer.identity, peer, &layer) }
    #expect(Self.received(peer) == 1)
    let receipt = RelayContent(.receipt, [UInt8](repeating: 1, count: 16))
    #expect(try Self.heard(peer, &layer) == [receipt, receipt, receipt])
    #expect(peer.overlay.counters.repeatedMessages == 2)
  }

  @Test("A message in another's name ends the circuit and is not given out")
  func forgedSender() throws {
    var (peer, layer) = try Self.opened()
    let known = Identity.random()
    peer.overlayRoster.restore(RawPeer.record(known))
    Self.deliver(Self.message(peer, sender: known.id), by: peer.identity, peer, &layer)
    #expect(Self.received(peer) == 0)
    #expect(peer.cells.last?.command == .destroy)
    #expect(peer.overlay.counters.refusedMessages == ["forged": 1])
    #expect(peer.refused == nil)
  }

  @Test("A sender that is not known, and a time that is too far off, are refused with the reason")
  func refusals() throws {
    var (peer, layer) = try Self.opened()
    let stranger = Identity.random()
    Self.deliver(Self.message(peer, sender: stranger.id, id: 2), by: stranger, peer, &layer)
    let skew = OverlaySettings().skewLimit
    let times: [(UInt64, Bool)] = [
      (peer.now.wall - skew - 1, false), (peer.now.wall - skew, true), (peer.now.wall + skew, true),
      (peer.now.wall + skew + 1, false), (0, false), (.max, false),
    ]
    for (index, (time, _)) in times.enumerated() {
      let message = Self.message(peer, sentAt: time, id: UInt8(10 + index))
      Self.deliver(message, by: peer.identity, peer, &layer)
    }
    #expect(Self.received(peer) == 2)
    let refused = [UInt8](repeating: 2, count: 16) + [MessageRefusal.unknownSender.rawValue]
    let heard = try Self.heard(peer, &layer)
    #expect(heard.first == RelayContent(.refused, refused))
    #expect(heard.dropFirst().map(\.command) == times.map { $0.1 ? .receipt : .refused })
    #expect(peer.overlay.counters.refusedMessages == ["unknown_sender": 1, "stale": 4])
  }

  @Test("One message more than a sender's burst is refused, and is taken later")
  func messageFlood() throws {
    var settings = OverlaySettings()
    settings.senderBurst = 5
    settings.senderPerSecond = 1
    var (peer, layer) = try Self.opened(settings)
    for id in 1...6 as ClosedRange<UInt8> {
      Self.deliver(Self.message(peer, id: id), by: peer.identity, peer, &layer)
    }
    #expect(Self.received(peer) == 5)
    let flood = [UInt8](repeating: 6, count: 16) + [MessageRefusal.flood.rawValue]
    #expect(try Self.heard(peer, &layer).last == RelayContent(.refused, flood))
    peer.now = Moment(monotonic: peer.now.monotonic + 1_000_000_000, wall: peer.now.wall)
    Self.deliver(Self.message(peer, id: 6), by: peer.identity, peer, &layer)
    #expect(Self.received(peer) == 6)
  }

  @Test("A sender of whom enough is kept is told so at once, and does not try again")
  func quota() {
    let network = VirtualNetwork(4)
    let sender = network.peers[0].id
    network.peers[3].roster.overQuota = [sender]
    let refused = network.message(from: 0, to: 3)
    network.send(refused, from: 0)
    #expect(network.wait(2) { network.undelivered(0) == [.refused(.quota)] })
    #expect(network.received(3).isEmpty)
    #expect(network.peers[3].overlay.counters.refusedMessages == ["quota": 1])
    // Another's is taken, and the first one's again when there is room.
    network.send(network.message(from: 1, to: 3), from: 1)
    #expect(network.wait(5) { network.receipts(1).count == 1 })
    network.peers[3].roster.overQuota = []
    network.send(refused, from: 0)
    #expect(network.wait(5) { network.receipts(0) == [refused.id] })
  }

  @Test("A sender that is refused for a flood tries again until it is taken")
  func floodIsRetried() {
    var settings = OverlaySettings()
    settings.senderBurst = 5
    settings.senderPerSecond = 2
    let network = VirtualNetwork(4, settings: settings)
    for _ in 0..<7 { network.send(network.message(from: 0, to: 3), from: 0) }
    #expect(network.wait(30) { network.receipts(0).count == 7 })
    #expect(network.received(3).count == 7)
  }

  @Test("A cell that was changed, or comes again, ends the circuit at its end", arguments: [0, 1])
  func tamperedCell(attack: Int) throws {
    var (peer, layer) = try Self.opened()
    var payload = layer.forward.pass(
      layer.forward.tagged(MessageEnvelope.contents([UInt8](repeating: 1, count: 2000))[0])
    )
    if attack == 0 {
      payload[100] ^= 1
    } else {
      peer.send(Cell(circuit: 0x8000_0001, command: .relay, payload: payload))
      #expect(peer.overlay.endingCircuits == 1)
    }
    peer.send(Cell(circuit: 0x8000_0001, command: .relay, payload: payload))
    #expect(peer.cells.last == Cell(circuit: 0x8000_0001, command: .destroy, payload: [1]))
    #expect(peer.overlay.endingCircuits == 0)
    #expect(peer.refused == nil)
  }

  @Test("Contents that do not fit the state of a circuit end it")
  func misfits() throws {
    let contents: [RelayContent] = [
      RelayContent(.data, [1]), RelayContent(.begin, [0, 0, 0, 0]), RelayContent(.begin, []),
      RelayContent(.begin, [0xFF, 0, 0, 0, 1]), RelayContent(.extended, []),
      RelayContent(.truncated, [1]), RelayContent(.receipt, [UInt8](repeating: 0, count: 16)),
      RelayContent(.refused, []), RelayContent(.extend, []),
      RelayContent(.extend, [UInt8](repeating: 1, count: 95)),
      RelayContent(.extend, [UInt8](repeating: 1, count: 97)),
    ]
    for content in contents {
      var (peer, layer) = try Self.opened()
      Self.say(content, peer, &layer)
      #expect(peer.cells.last?.command == .destroy, "\(content.command) was taken")
      #expect(peer.overlay.circuits.transits.isEmpty)
    }
    var (peer, layer) = try Self.opened()
    for _ in 0..<2 { Self.say(RelayContent(.begin, [0, 0, 1, 0, 1]), peer, &layer) }
    #expect(peer.cells.last?.command == .destroy)
  }

  @Test("A circuit is not led back to where it came from, nor to this hop itself")
  func loops() throws {
    for isSelf in [true, false] {
      var (peer, layer) = try Self.opened()
      let target = isSelf ? peer.overlayIdentity : peer.identity
      let request = CircuitHandshake(with: RawPeer.record(target)).request
      Self.say(RelayContent(.extend, request), peer, &layer)
      #expect(peer.cells.last?.command == .destroy)
    }
  }

  @Test("A next hop that is not known, and one that cannot be reached, are said by the hop before")
  func truncated() throws {
    var (peer, layer) = try Self.opened()
    let stranger = CircuitHandshake(with: RawPeer.record(.random())).request
    Self.say(RelayContent(.extend, stranger), peer, &layer)
    #expect(
      try Self.heard(peer, &layer)
        == [RelayContent(.truncated, [CircuitEnd.unknownPeer.rawValue])]
    )
    var (other, otherLayer) = try Self.opened()
    let known = Identity.random()
    other.overlayRoster.restore(RawPeer.record(known))
    let request = CircuitHandshake(with: RawPeer.record(known)).request
    Self.say(RelayContent(.extend, request), other, &otherLayer)
    #expect(other.overlayActions.contains(.dial(RawPeer.record(known).endpoint, known.id)))
    other.overlay.dialFailed(known.id, now: other.now)
    other.exchange()
    #expect(
      try Self.heard(other, &otherLayer)
        == [RelayContent(.truncated, [CircuitEnd.unreachable.rawValue])]
    )
  }

  @Test("A next hop that never answers is given up after its limit")
  func extendTimeout() throws {
    var (peer, layer) = try Self.opened()
    let known = Identity.random()
    peer.overlayRoster.restore(RawPeer.record(known))
    let request = CircuitHandshake(with: RawPeer.record(known)).request
    Self.say(RelayContent(.extend, request), peer, &layer)
    peer.now = Moment(monotonic: peer.now.monotonic + 10_000_000_000, wall: peer.now.wall)
    peer.overlay.advance(roster: peer.overlayRoster, now: peer.now)
    peer.exchange()
    #expect(
      try Self.heard(peer, &layer)
        == [RelayContent(.truncated, [CircuitEnd.unreachable.rawValue])]
    )
  }

  @Test("One circuit more than a link may open, and openings beyond the rate, are refused")
  func openings() {
    var settings = OverlaySettings()
    settings.transitsPerLink = 10
    let peer = RawPeer(settings)
    peer.exchange()
    for circuit in 1...11 as ClosedRange<UInt32> {
      peer.send(Self.create(0x8000_0000 | circuit, for: peer.overlayIdentity))
    }
    #expect(peer.cells.map(\.command) == Array(repeating: .created, count: 10) + [.destroy])
    #expect(peer.overlay.counters.refusedTransits == 1)
    settings.transitsPerLink = 1000
    let fast = RawPeer(settings)
    fast.exchange()
    for circuit in 1...101 as ClosedRange<UInt32> {
      fast.send(Self.create(0x8000_0000 | circuit, for: fast.overlayIdentity))
    }
    #expect(fast.cells.map(\.command) == Array(repeating: .created, count: 100) + [.destroy])
  }

  @Test("A flood of openings ends the link")
  func openingFlood() {
    let peer = RawPeer()
    peer.exchange()
    let cell = Self.create(0x8000_0001, for: peer.overlayIdentity)
    for circuit in 1...1100 as ClosedRange<UInt32> where peer.refused == nil {
      peer.send(Cell(circuit: 0x8000_0000 | circuit, command: .create, payload: cell.payload))
    }
    #expect(peer.refused == .flood("opens too many circuits"))
    #expect(peer.overlay.counters.refusedTransits == 1000)
    #expect(peer.overlay.circuits.transits.isEmpty)
  }

  @Test("Circuits that wait for their next hop are bounded per link")
  func extending() throws {
    var settings = OverlaySettings()
    settings.extendingPerLink = 3
    let peer = RawPeer(settings)
    peer.exchange()
    let known = Identity.random()
    peer.overlayRoster.restore(RawPeer.record(known))
    let request = CircuitHandshake(with: RawPeer.record(known)).request
    for circuit in 1...4 as ClosedRange<UInt32> {
      let handshake = CircuitHandshake(with: RawPeer.record(peer.overlayIdentity))
      peer.send(Cell(circuit: 0x8000_0000 | circuit, command: .create, payload: handshake.request))
      var layer = try handshake.finish(try #require(peer.cells.last).payload)
      let payload = layer.forward.pass(layer.forward.tagged(RelayContent(.extend, request)))
      peer.send(Cell(circuit: 0x8000_0000 | circuit, command: .relay, payload: payload))
      let answers = peer.cells.filter { $0.command == .relay }
      #expect(answers.count == (circuit == 4 ? 1 : 0))
    }
  }

  @Test("Messages that are arriving are bounded over all circuits, and in time")
  func arriving() throws {
    var settings = OverlaySettings()
    settings.arrivingBytes = 1000
    var (peer, layer) = try Self.opened(settings)
    Self.say(RelayContent(.begin, [0, 0, 3, 0xE9, 1]), peer, &layer)
    #expect(peer.cells.last == Cell(circuit: 0x8000_0001, command: .destroy, payload: [2]))
    (peer, layer) = try Self.opened(settings)
    Self.say(RelayContent(.begin, [0, 0, 3, 0xE8, 1]), peer, &layer)
    #expect(peer.overlay.endingCircuits == 1)
    peer.now = Moment(monotonic: peer.now.monotonic + settings.arrivalLimit, wall: peer.now.wall)
    peer.overlay.advance(roster: peer.overlayRoster, now: peer.now)
    peer.exchange()
    #expect(peer.cells.last == Cell(circuit: 0x8000_0001, command: .destroy, payload: [7]))
  }

  @Test("Cells that break the rules of a link end it")
  func rules() {
    let own = Self.create(0x8000_0001, for: RawPeer().overlayIdentity)
    let cells: [[Cell]] = [
      // A number of the other side's.
      [Self.create(1, for: RawPeer().overlayIdentity)],
      [own, own],
      [own, Cell(circuit: 0x8000_0001, command: .created, payload: [])],
    ]
    for cells in cells {
      let peer = RawPeer()
      peer.exchange()
      for cell in cells { peer.send(cell) }
      guard case .malformed? = peer.refused else {
        Issue.record("\(cells.map(\.command)) was taken")
        continue
      }
    }
    let raw: [[UInt8]] = [
      [UInt8](repeating: 0, count: Cell.size),
      [0, 0, 0, 1, 9] + [UInt8](repeating: 0, count: 512),
    ]
    for bytes in raw {
      let peer = RawPeer()
      peer.exchange()
      peer.send(HTXFrame(stream: 0, kind: .data, payload: bytes))
      guard case .malformed? = peer.refused else {
        Issue.record("a cell that is none was taken")
        continue
      }
    }
  }

  @Test("Cells of circuits that are not are counted, and nothing else")
  func strays() {
    let peer = RawPeer()
    peer.exchange()
    for command in [.created, .relay, .destroy] as [Cell.Command] {
      peer.send(Cell(circuit: 77, command: command, payload: []))
    }
    #expect(peer.overlay.counters.strayCells == 3)
    #expect(peer.refused == nil && peer.cells.isEmpty)
  }

  @Test("An opening meant for another peer is refused, and the link stays")
  func foreignOpening() {
    let peer = RawPeer()
    peer.exchange()
    peer.send(Self.create(0x8000_0001, for: .random()))
    #expect(peer.cells == [Cell(circuit: 0x8000_0001, command: .destroy, payload: [1])])
    #expect(peer.refused == nil)
  }
}
