import Peering
import Testing

@Suite("Mesh: where not everybody reaches everybody")
struct MeshTopologyTests {
  private static let second = SimulatedNetwork.second

  /// Peers in a row, of which each reaches only the next.
  private static func row(_ count: Int, loss: Double = 0) -> SimulatedNetwork {
    let network = SimulatedNetwork(seed: 21)
    network.conditions.loss = loss
    network.passes = { abs($0 - $1) <= 1 }
    network.addAcquainted(count)
    network.run(60 * second)
    return network
  }

  @Test("over seven links a message and its receipt come through, and say so")
  func seven() throws {
    let network = Self.row(8)
    let id = network.send(from: 0, to: 7)
    network.run(20 * Self.second)
    #expect(network.peers[7].received.map(\.id) == [id])
    let hops = network.peers[0].actions.compactMap { action -> Int? in
      if case .receipt(id, let hops, _) = action { hops } else { nil }
    }
    #expect(hops == [7])
  }

  @Test("over eight links nothing comes through")
  func eight() {
    let network = Self.row(9)
    var options = SendOptions()
    options.lifetime = 20 * Self.second
    network.send(from: 0, to: 8, options: options)
    network.run(30 * Self.second)
    #expect(network.peers[8].received.isEmpty)
    #expect(network.peers[0].undelivered.count == 1)
  }

  @Test("a hop limit holds", arguments: [1, 2, 3] as [UInt8])
  func limit(_ limit: UInt8) {
    let network = Self.row(5)
    var options = SendOptions()
    options.hopLimit = limit
    options.lifetime = 10 * Self.second
    for to in 1..<5 { network.send(from: 0, to: to, options: options) }
    network.run(20 * Self.second)
    for to in 1..<5 { #expect(network.peers[to].received.count == (to <= Int(limit) ? 1 : 0)) }
  }

  @Test("over four links at 5 % loss, 64 KiB arrive whole and once")
  func large() throws {
    let network = Self.row(5, loss: 0.05)
    let ids = (0..<5).map { _ in network.send(from: 0, to: 4, bytes: PeerMessage.payloadLimit) }
    network.run(60 * Self.second)
    let received = network.peers[4].received
    #expect(Set(received.map(\.id)) == Set(ids) && received.count == ids.count)
    #expect(received.allSatisfy { $0.payload.count == PeerMessage.payloadLimit })
    #expect(received.first?.payload[1000] == UInt8(truncatingIfNeeded: 7000))
  }

  @Test("only fragments that are lacking are sent again")
  func selective() {
    let network = SimulatedNetwork(seed: 22)
    network.addAcquainted(2)
    network.run(5 * Self.second)
    network.conditions.loss = 0.1
    let before = network.peers[0].mesh.counters.traffic[.bitchat]?.packetsOut ?? 0
    network.send(from: 0, to: 1, bytes: PeerMessage.payloadLimit)
    network.run(20 * Self.second)
    #expect(network.peers[1].received.count == 1)
    let sent = (network.peers[0].mesh.counters.traffic[.bitchat]?.packetsOut ?? 0) - before
    // 66 fragments, a tenth of them again, and a tenth of these.
    #expect((66...110).contains(sent))
  }

  @Test("one byte more than 64 KiB is refused")
  func tooLong() {
    let network = SimulatedNetwork(seed: 23)
    network.addAcquainted(2)
    network.run(5 * Self.second)
    network.send(from: 0, to: 1, bytes: PeerMessage.payloadLimit + 1)
    #expect(network.peers[0].undelivered == [.refused])
  }

  @Test("a broadcast reaches each of 25 peers once, also in pieces", arguments: [100, 20_000])
  func broadcast(_ bytes: Int) {
    let network = SimulatedNetwork(seed: 24)
    network.conditions.loss = 0.05
    network.addAcquainted(25)
    network.run(10 * Self.second)
    for _ in 0..<5 { network.send(from: 3, to: nil, bytes: bytes) }
    network.run(15 * Self.second)
    for peer in network.peers where peer.index != 3 { #expect(peer.received.count == 5) }
    #expect(network.peers[3].received.isEmpty)
  }

  @Test("the mesh of 40 peers is in one piece and no peer has more than 20 neighbours")
  func connected() {
    let network = SimulatedNetwork(seed: 25)
    network.addAcquainted(40)
    network.run(30 * Self.second)
    var reached: Set<PeerID> = [network.peers[0].id]
    var edge = [network.peers[0]]
    while let peer = edge.popLast() {
      let neighbours = peer.mesh.neighbours(now: network.now)
      #expect((2...20).contains(neighbours.count))
      for other in network.peers where neighbours.contains(other.id) {
        if reached.insert(other.id).inserted { edge.append(other) }
      }
    }
    #expect(reached.count == 40)
  }

  @Test("one seed gives one run")
  func deterministic() {
    let counts = (0..<2).map { _ -> [Int] in
      let network = SimulatedNetwork(seed: 26)
      network.conditions = .init(loss: 0.1, duplication: 0.05, delay: 100_000...90_000_000)
      network.addAcquainted(12)
      network.run(10 * Self.second)
      for number in 0..<20 { network.send(from: number % 12, to: (number + 5) % 12, bytes: 3000) }
      network.run(20 * Self.second)
      return [network.datagrams] + network.peers.map(\.actions.count)
    }
    #expect(counts[0] == counts[1])
  }
}
