import Testing

@testable import Peering

@Suite struct CircuitTests {
  @Test(
    "A message crosses a circuit of every allowed length and comes with a receipt",
    arguments: 2...6
  )
  func delivers(hops: Int) {
    let network = VirtualNetwork(7)
    let message = network.message(from: 0, to: 6)
    network.send(message, from: 0, hops: hops)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    #expect(network.received(6) == [message])
    #expect(network.receipts(0) == [message.id])
    #expect(network.relays.count == hops - 1)
    #expect(network.peers[0].overlay.activeCircuits == 1)
    #expect(network.peers[6].overlay.endingCircuits == 1)
    guard case .built(let recipient, let built, let duration) = network.circuits(0).first else {
      Issue.record("no circuit was built")
      return
    }
    #expect(recipient == network.peers[6].id && built == hops)
    // A dialled link takes three ways, CREATE and its answer two; and the relays between once more each.
    #expect(duration >= 2 * network.latency * UInt64(hops))
  }

  @Test("One and seven hops are refused")
  func hopLimits() {
    let network = VirtualNetwork(8)
    for hops in [1, 7] { network.send(network.message(from: 0, to: 1), from: 0, hops: hops) }
    #expect(network.undelivered(0) == [.invalid, .invalid])
  }

  @Test("The longest message goes over in cells, one byte more is refused")
  func longest() {
    let network = VirtualNetwork(4)
    let payload = (0..<PeerMessage.payloadLimit).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    network.send(network.message(from: 0, to: 3, payload), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    #expect(network.received(3).first?.payload == payload)
    network.send(network.message(from: 0, to: 3, payload + [0]), from: 0)
    #expect(network.undelivered(0) == [.invalid])
  }

  @Test("An empty message goes over")
  func empty() {
    let network = VirtualNetwork(4)
    network.send(network.message(from: 0, to: 3, []), from: 0)
    #expect(network.wait(10) { network.received(3).first?.payload == [] })
  }

  @Test("Messages keep to one circuit, and a hundred need no second")
  func reuses() {
    let network = VirtualNetwork(4)
    let sent = (0..<100).map { number in
      network.send(
        network.message(from: 0, to: 3, [UInt8](repeating: number, count: 3000)),
        from: 0
      )
    }
    #expect(network.wait(30) { network.receipts(0).count == 100 })
    #expect(Set(network.receipts(0)) == Set(sent))
    #expect(network.received(3).count == 100)
    #expect(network.circuits(0).count == 1)
  }

  @Test("Too few peers are said, with their number, unless fewer hops are allowed")
  func tooFew() {
    let network = VirtualNetwork(3)
    network.send(network.message(from: 0, to: 2), from: 0, hops: 4)
    #expect(network.undelivered(0) == [.tooFewPeers(needed: 3, known: 1)])
    var settings = OverlaySettings()
    settings.minimumHops = 2
    let lenient = VirtualNetwork(3, settings: settings)
    lenient.send(lenient.message(from: 0, to: 2), from: 0, hops: 4)
    #expect(lenient.wait(10) { !lenient.receipts(0).isEmpty })
    #expect(lenient.relays == [1])
    let lonely = VirtualNetwork(2, settings: settings)
    lonely.send(lonely.message(from: 0, to: 1), from: 0, hops: 4)
    #expect(lonely.undelivered(0) == [.tooFewPeers(needed: 1, known: 0)])
  }

  @Test("A recipient that is not known is said")
  func unknownRecipient() {
    let network = VirtualNetwork(4)
    let stranger = network.add(seed: 99, OverlaySettings())
    network.send(network.message(from: 0, to: stranger), from: 0)
    #expect(network.undelivered(0) == [.unknownRecipient])
  }

  @Test("Paths go through no peer that membership holds for dead")
  func alive() {
    let network = VirtualNetwork(6)
    network.peers[0].overlay.alive = [network.peers[1].id, network.peers[2].id]
    for _ in 0..<20 { network.send(network.message(from: 0, to: 5), from: 0) }
    #expect(network.wait(10) { network.receipts(0).count == 20 })
    #expect(network.relays == [1, 2])
    network.send(network.message(from: 0, to: 5), from: 0, hops: 4)
    #expect(network.undelivered(0) == [.tooFewPeers(needed: 3, known: 2)])
  }

  @Test(
    "A relay killed in mid-stream costs a new circuit, and the message comes once",
    arguments: 0..<12
  )
  func killed(cut: Int) {
    let network = VirtualNetwork(6)
    network.send(network.message(from: 0, to: 5), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    let payload = [UInt8](repeating: 7, count: PeerMessage.payloadLimit)
    let id = network.send(network.message(from: 0, to: 5, payload), from: 0)
    // From before the first relay has the cells to after the receipt has passed the last one.
    network.run(for: UInt64(cut) * network.latency / 2)
    let relays = network.relays
    network.kill(relays[cut % relays.count])
    #expect(network.wait(20) { network.receipts(0).contains(id) })
    network.run(for: 30 * VirtualNetwork.second)
    #expect(network.received(5).filter { $0.id == id }.count == 1)
    #expect(network.receipts(0).filter { $0 == id }.count == 1)
    #expect(network.undelivered(0).isEmpty)
  }

  @Test("A relay that falls silent is noticed by the missing receipt, and passed over")
  func frozen() {
    let network = VirtualNetwork(6)
    network.send(network.message(from: 0, to: 5), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    let relay = network.relays[0]
    network.freeze(relay)
    let id = network.send(network.message(from: 0, to: 5), from: 0)
    #expect(network.wait(60) { network.receipts(0).contains(id) })
    #expect(network.received(5).filter { $0.id == id }.count == 1)
    #expect(!network.relays.filter { network.peers[$0].isUp }.contains(relay))
  }

  @Test("A recipient that is gone ends the message after so many tries, with the reason")
  func recipientGone() {
    let network = VirtualNetwork(5)
    network.kill(4)
    network.send(network.message(from: 0, to: 4), from: 0)
    #expect(network.wait(120) { !network.undelivered(0).isEmpty })
    #expect(network.undelivered(0) == [.gaveUp(tries: 5, .unreachable)])
    #expect(network.peers[0].overlay.waitingMessages == 0)
    #expect(network.peers[0].overlay.counters.retriedMessages == 4)
  }

  @Test("The end of a circuit reaches every hop, and an idle one ends by itself")
  func idle() {
    var settings = OverlaySettings()
    settings.originIdle = 20 * VirtualNetwork.second
    let network = VirtualNetwork(5, settings: settings)
    network.send(network.message(from: 0, to: 4), from: 0, hops: 4)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    #expect(network.relays.count == 3)
    network.run(for: 21 * VirtualNetwork.second)
    #expect(network.peers.allSatisfy { $0.overlay.circuits.transits.isEmpty })
    #expect(network.peers[0].overlay.activeCircuits == 0)
    #expect(network.circuits(0).last == .closed(recipient: network.peers[4].id, .idle))
  }

  @Test("A relay ends a circuit whose sender never comes back")
  func transitIdle() {
    var settings = OverlaySettings()
    settings.transitIdle = 20 * VirtualNetwork.second
    let network = VirtualNetwork(5, settings: settings)
    network.send(network.message(from: 0, to: 4), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    network.run(for: 21 * VirtualNetwork.second)
    #expect(network.peers.allSatisfy { $0.overlay.circuits.transits.isEmpty })
    #expect(network.peers[0].overlay.activeCircuits == 0)
  }

  @Test("A circuit is changed after so many messages, and after so long")
  func rotates() {
    var settings = OverlaySettings()
    settings.rotateMessages = 10
    let network = VirtualNetwork(6, settings: settings)
    for _ in 0..<10 {
      network.send(network.message(from: 0, to: 5), from: 0)
      network.run(for: VirtualNetwork.second)
    }
    #expect(network.circuits(0).count { if case .built = $0 { true } else { false } } == 1)
    network.send(network.message(from: 0, to: 5), from: 0)
    network.run(for: VirtualNetwork.second)
    #expect(network.circuits(0).count { if case .built = $0 { true } else { false } } == 2)
    network.run(for: 200 * VirtualNetwork.second)
    network.send(network.message(from: 0, to: 5), from: 0)
    network.run(for: 200 * VirtualNetwork.second)
    network.send(network.message(from: 0, to: 5), from: 0)
    network.run(for: 201 * VirtualNetwork.second)
    network.send(network.message(from: 0, to: 5), from: 0)
    network.run(for: VirtualNetwork.second)
    #expect(network.circuits(0).count { if case .built = $0 { true } else { false } } == 3)
    #expect(network.receipts(0).count == 14)
    #expect(network.peers[0].overlay.activeCircuits == 1)
  }

  @Test("A prepared circuit is there before the message")
  func prepares() {
    let network = VirtualNetwork(5)
    network.with(0) { overlay, roster, now in
      _ = overlay.prepare(network.peers[4].id, roster: roster, now: now)
    }
    #expect(network.wait(10) { network.peers[0].overlay.activeCircuits == 1 })
    let before = network.time
    network.send(network.message(from: 0, to: 4), from: 0)
    #expect(network.wait(10) { !network.receipts(0).isEmpty })
    #expect(network.time - before <= 6 * network.latency)
    #expect(network.circuits(0).count == 1)
  }

  @Test("The more important message goes first")
  func priority() {
    let network = VirtualNetwork(4)
    let large = [UInt8](repeating: 1, count: 60_000)
    for priority in [5, 1, 10, 7] as [UInt8] {
      network.send(network.message(from: 0, to: 3, large, priority: priority), from: 0)
    }
    #expect(network.wait(10) { network.receipts(0).count == 4 })
    #expect(network.received(3).map(\.priority) == [10, 7, 5, 1])
  }
}
