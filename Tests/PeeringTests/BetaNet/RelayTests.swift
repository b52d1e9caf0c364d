import Testing

@testable import Peering

@Suite struct RelayTests {
  /// A network with a circuit of three hops from 0 to its last peer, and the relays in order.
  private static func circuit(_ count: Int = 6) throws -> (network: VirtualNetwork, relays: [Int]) {
    let network = VirtualNetwork(count)
    network.send(network.message(from: 0, to: count - 1), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    let path = try #require(network.peers[0].overlay.circuits.origins.values.first).path
    return (network, path.dropLast().compactMap { network.index(of: $0.id) })
  }

  /// Every place in `bytes` where `part` stands.
  private static func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    guard let first = part.first else { return false }
    var index = 0
    while let next = bytes[index...].firstIndex(of: first) {
      if bytes[next...].starts(with: part) { return true }
      index = next + 1
    }
    return false
  }

  @Test("The wire shows neither plaintext nor any peer, nor anything of them in parts")
  func wire() throws {
    let network = VirtualNetwork(6)
    let text = Array("the plaintext that no wire may show".utf8)
    let payload = Array((0..<200).map { _ in text }.joined())
    network.send(network.message(from: 0, to: 5, payload), from: 0, hops: 4)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    let bytes = network.wire.values.reduce(into: 0) { $0 += $1.count }
    // Four hops' cells, there; so the message really went through what is searched.
    #expect(bytes > 4 * payload.count)
    for stream in network.wire.values {
      for part in [Array(text.prefix(12)), Array("anna".utf8) + [0], Array("note".utf8) + [5]] {
        #expect(!Self.holds(stream, part))
      }
      for peer in network.peers {
        #expect(!Self.holds(stream, Array(peer.id.bytes.prefix(8))))
        #expect(!Self.holds(stream, Array(peer.identity.agreement.publicKey.prefix(8))))
      }
    }
  }

  @Test(
    "A relay that reads all it decrypts finds no plaintext, and of the peers its neighbours alone"
  )
  func relayView() throws {
    let network = VirtualNetwork(6)
    var seen: [Int: [UInt8]] = [:]
    network.decrypted = { peer, cell in seen[peer, default: []] += cell }
    network.unlayered = { peer, plain in seen[peer, default: []] += plain }
    let text = Array("the plaintext that no relay may see".utf8)
    network.send(
      network.message(from: 0, to: 5, Array((0..<100).map { _ in text }.joined())),
      from: 0,
      hops: 4
    )
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    let origin = try #require(network.peers[0].overlay.circuits.origins.values.first)
    let path = origin.path.compactMap { network.index(of: $0.id) }
    for (place, relay) in path.dropLast().enumerated() {
      let view = try #require(seen[relay])
      #expect(view.count > 100 * text.count)
      #expect(!Self.holds(view, Array(text.prefix(12))))
      // CREATE names the relay itself; EXTEND named the next one, in the layer that this relay took off.
      let neighbours = [place == 0 ? 0 : path[place - 1], relay, path[place + 1]]
      for index in network.peers.indices where !neighbours.contains(index) {
        #expect(!Self.holds(view, network.peers[index].id.bytes), "relay \(place) knows \(index)")
      }
      if place > 0 { #expect(!Self.holds(view, network.peers[0].id.bytes)) }
      if place < 2 { #expect(!Self.holds(view, network.peers[5].id.bytes)) }
    }
    // And the reading itself can find what is there.
    #expect(seen[path[2]].map { Self.holds($0, network.peers[5].id.bytes) } == true)
  }

  @Test("All cells on a link have one length on the wire, whatever they are")
  func oneLength() {
    var settings = OverlaySettings()
    settings.cover = 5
    let network = VirtualNetwork(5, settings: settings)
    network.send(network.message(from: 0, to: 4, [UInt8](repeating: 1, count: 3000)), from: 0)
    network.run(for: 3 * VirtualNetwork.second)
    var lengths: [Int: Int] = [:]
    for stream in network.wire.values {
      var index = 1
      var number = 0
      while index + 2 <= stream.count {
        let length = Int(stream[index]) << 8 | Int(stream[index + 1])
        // Each side's handshake aside.
        if number >= 2 { lengths[length, default: 0] += 1 }
        index += 2 + length
        number += 1
      }
      #expect(index == stream.count)
    }
    // Pings (5 + 9 + 16) and cells (5 + 517 + 16).
    #expect(Set(lengths.keys) == [30, 538])
    #expect(lengths[538, default: 0] > 40)
  }

  @Test(
    "A relay that garbles cells is noticed at the end, the circuit torn down, and the message sent over another"
  )
  func garbles() throws {
    for place in 0...1 {
      for isForward in [true, false] {
        let (network, relays) = try Self.circuit()
        let relay = network.peers[relays[place]]
        let serial = try #require(relay.overlay.circuits.transits.keys.first)
        var layer = try #require(relay.overlay.circuits.transits[serial]?.layer)
        let other = CircuitLayer(keys: [UInt8](repeating: 1, count: 128))
        if isForward { layer.forward = other.forward } else { layer.backward = other.backward }
        relay.overlay.circuits.transits[serial]?.layer = layer
        let id = network.send(
          network.message(from: 0, to: 5, [UInt8](repeating: 2, count: 5000)),
          from: 0
        )
        #expect(network.wait(30) { network.receipts(0).contains(id) })
        #expect(network.received(5).filter { $0.id == id }.count == 1)
        let failures = network.circuits(0).count { if case .failed = $0 { true } else { false } }
        #expect(failures >= 1)
      }
    }
  }

  @Test("A relay that plays a cell again ends the circuit, and the message still comes once")
  func replays() throws {
    let (network, relays) = try Self.circuit()
    let relay = relays[0]
    let transit = try #require(network.peers[relay].overlay.circuits.transits.values.first)
    let next = try #require(transit.next)
    var copies = 0
    network.decrypted = { peer, cell in
      guard peer == relays[1], copies == 0 else { return }
      copies += 1
      network.with(relay) { overlay, _, now in
        _ = overlay.send(.relay, Array(cell[5...]), next)
        overlay.settle(now)
      }
    }
    let id = network.send(
      network.message(from: 0, to: 5, [UInt8](repeating: 2, count: 5000)),
      from: 0
    )
    #expect(network.wait(30) { network.receipts(0).contains(id) })
    network.run(for: VirtualNetwork.second)
    #expect(copies == 1)
    #expect(network.received(5).filter { $0.id == id }.count == 1)
    #expect(network.circuits(0).contains(.failed(recipient: network.peers[5].id, .malformed)))
  }

  @Test("A relay that answers for another hop is not believed")
  func impostor() throws {
    let network = VirtualNetwork(4)
    // The relay puts its own request in place of the one it was asked to pass on.
    network.peers[0].overlay.alive = [network.peers[1].id]
    network.link(0, 1)
    network.link(1, 3)
    network.with(0) { overlay, roster, now in
      overlay.prepare(network.peers[3].id, hops: 2, roster: roster, now: now)
    }
    let mine = CircuitHandshake(with: network.peers[3].overlay.record).request
    #expect(
      network.wait(1) {
        guard let serial = network.peers[1].overlay.circuits.transits.keys.first,
          let extending = network.peers[1].overlay.circuits.transits[serial]?.extending,
          let next = network.peers[1].overlay.circuits.transits[serial]?.next
        else { return false }
        network.peers[1].overlay.drop(next, .finished)
        network.peers[1].overlay.circuits.transits[serial]?.next = nil
        network.peers[1].overlay.circuits.transits[serial]?.extending = TransitCircuit.Extending(
          peer: extending.peer,
          request: mine,
          deadline: extending.deadline
        )
        network.with(1) { overlay, _, now in
          overlay.create(serial, now)
          overlay.settle(now)
        }
        return true
      }
    )
    network.run(for: VirtualNetwork.second)
    #expect(network.peers[0].overlay.activeCircuits == 0)
    #expect(network.circuits(0) == [.failed(recipient: network.peers[3].id, .malformed)])
  }

  @Test(
    "A relay that floods a circuit backwards, or forwards, ends it at its limit and leaves others be"
  )
  func queueLimit() {
    var queue = CellQueue()
    for number in 0..<CellQueue.circuitLimit {
      let hasRoom = queue.append([UInt8(truncatingIfNeeded: number)], circuit: 1)
      #expect(hasRoom)
    }
    let tooMany = queue.append([0], circuit: 1)
    let other = queue.append([99], circuit: 2)
    #expect(!tooMany && other)
    let firsts = (0..<3).compactMap { _ in queue.next() }
    #expect(firsts == [[0], [99], [1]])
    queue.discard(circuit: 1)
    #expect(queue.isEmpty && queue.next() == nil)
  }

  @Test("Messages of many senders at once all come, each once, over shared relays")
  func crowd() {
    let network = VirtualNetwork(10)
    var sent: [Int: Int] = [:]
    for from in 0..<10 {
      for to in 0..<10 where to != from {
        network.send(
          network.message(from: from, to: to, [UInt8](repeating: 3, count: 2000)),
          from: from
        )
        sent[to, default: 0] += 1
      }
    }
    #expect(network.wait(60) { (0..<10).allSatisfy { network.receipts($0).count == 9 } })
    for to in 0..<10 { #expect(network.received(to).count == sent[to]) }
    #expect(network.peers.allSatisfy { $0.overlay.counters.undeliveredMessages == 0 })
  }

  @Test("Relays that come and go cost tries, and no message is lost or comes twice")
  func churn() {
    let network = VirtualNetwork(10)
    var ids: [[UInt8]] = []
    for round in 0..<6 {
      for _ in 0..<5 {
        ids.append(
          network.send(
            network.message(from: 0, to: 9, [UInt8](repeating: 1, count: 20_000)),
            from: 0
          )
        )
      }
      network.run(for: 3 * network.latency)
      let relay = network.relays.first { $0 != 0 && $0 != 9 && network.peers[$0].isUp }
      if round < 5, let relay { network.kill(relay) }
      network.run(for: VirtualNetwork.second)
    }
    #expect(network.wait(60) { network.receipts(0).count == ids.count })
    #expect(Set(network.receipts(0)) == Set(ids))
    #expect(network.received(9).count == ids.count)
    #expect(network.undelivered(0).isEmpty)
  }
}
