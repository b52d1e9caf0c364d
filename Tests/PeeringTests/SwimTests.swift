import Peering
import Testing

@Suite("SWIM: who is in the network")
struct SwimTests {
  private static let second = SimulatedNetwork.second

  /// Whether each peer of `indices` takes exactly the others of them for alive.
  static func agree(
    _ network: SimulatedNetwork,
    _ indices: Range<Int>,
    with others: Set<PeerID> = []
  ) -> Bool {
    let ids = Set(indices.map { network.peers[$0].id })
    return indices.allSatisfy { index in
      let peer = network.peers[index]
      return Set(peer.mesh.members.filter { $0.state == .alive }.map(\.id)).union([peer.id])
        .subtracting(others) == ids
    }
  }

  @Test("20 peers that have only heard of one of them by a shared secret come to know all")
  func join() throws {
    let network = SimulatedNetwork(seed: 3)
    network.conditions.loss = 0.05
    var settings = MeshSettings()
    settings.networkSecret = [UInt8](repeating: 7, count: 32)
    settings.isDiscoverable = false
    for _ in 0..<20 { network.add(settings: settings) }
    for index in 1..<20 {
      network.with(index) {
        $0.mesh.connect(SimulatedNetwork.endpoint(0), expecting: nil, now: network.now)
      }
    }
    let took = network.run(limit: 30 * Self.second) { Self.agree(network, 0..<20) }
    print("20 peers met after", took.map { Double($0) / 1e9 } ?? -1, "s")
    #expect(try #require(took) < 10 * Self.second)
  }

  @Test(
    "halves of 20 peers that were apart for a minute, or so long that no session is left, agree in under 5 s",
    arguments: [
      (0, 1, 11), (0.05, 1, 13), (0.05, 1, 14), (0.05, 7, 16),
    ] as [(Double, UInt64, UInt64)]
  )
  func heal(loss: Double, minutes: UInt64, seed: UInt64) throws {
    let network = SimulatedNetwork(seed: seed)
    network.conditions = .init(loss: loss, delay: 1_000_000...20_000_000)
    network.addAcquainted(20)
    #expect(network.run(limit: 10 * Self.second) { Self.agree(network, 0..<20) } != nil)
    network.passes = { ($0 < 10) == ($1 < 10) }
    let parted = network.run(limit: 120 * Self.second, every: Self.second) {
      Self.agree(network, 0..<10) && Self.agree(network, 10..<20)
    }
    #expect(parted != nil)
    network.run(minutes * 60 * Self.second)
    let other = network.peers[15].id
    #expect(network.peers[..<10].allSatisfy { $0.mesh.member(other)?.state == .dead })
    network.passes = { _, _ in true }
    let healed = network.run(limit: 60 * Self.second) { Self.agree(network, 0..<20) }
    print(
      "loss \(loss) \(minutes) min seed \(seed): parted",
      parted.map { Double($0) / 1e9 } ?? -1,
      "healed",
      healed.map { Double($0) / 1e9 } ?? -1
    )
    #expect(try #require(healed) < 5 * Self.second)
  }

  @Test("two peers alone that were apart for 20 minutes find each other in under 5 s")
  func pair() throws {
    let network = SimulatedNetwork(seed: 17)
    network.addAcquainted(2)
    network.run(5 * Self.second)
    network.passes = { _, _ in false }
    network.run(1200 * Self.second)
    #expect(network.peers[0].mesh.member(network.peers[1].id)?.state == .dead)
    #expect(network.peers[0].mesh.connectedCount == 0)
    let before = network.peers[0].mesh.counters.total.bytesOut
    network.run(60 * Self.second)
    // What a dead peer costs: one datagram of 512 bytes every four seconds.
    #expect(network.peers[0].mesh.counters.total.bytesOut - before <= 16 * 512 + 3 * 256)
    network.passes = { _, _ in true }
    let healed = network.run(limit: 60 * Self.second) { Self.agree(network, 0..<2) }
    print("two peers healed", healed.map { Double($0) / 1e9 } ?? -1)
    #expect(try #require(healed) < 5 * Self.second)
  }

  @Test("a peer that stops is suspected, then dead to all; when it is back all take it for alive")
  func crash() throws {
    let network = SimulatedNetwork(seed: 4)
    network.conditions.loss = 0.02
    network.addAcquainted(8)
    #expect(network.run(limit: 10 * Self.second) { Self.agree(network, 0..<8) } != nil)
    network.peers[7].isUp = false
    let id = network.peers[7].id
    let took = network.run(limit: 120 * Self.second) {
      network.peers[..<7].allSatisfy { $0.mesh.member(id)?.state == .dead }
    }
    print("death of 1 of 8 known after", took.map { Double($0) / 1e9 } ?? -1, "s")
    for peer in network.peers[..<7] {
      let states = peer.actions.compactMap { action -> MemberState? in
        if case .member(id, let state) = action { state } else { nil }
      }
      #expect(states.suffix(2) == [.suspect, .dead])
    }
    #expect(try #require(took) < 40 * Self.second)
    network.wake(7)
    #expect(network.run(limit: 10 * Self.second) { Self.agree(network, 0..<8) } != nil)
  }

  @Test("at 10 % loss nobody of 20 is taken for dead in five minutes")
  func steady() {
    let network = SimulatedNetwork(seed: 5)
    network.conditions = .init(loss: 0.1, delay: 1_000_000...50_000_000)
    network.addAcquainted(20)
    network.run(300 * Self.second)
    for peer in network.peers {
      #expect(!peer.actions.contains { if case .member(_, .dead) = $0 { true } else { false } })
    }
  }

  @Test("who leaves is left at once, and is not tried again")
  func leave() {
    let network = SimulatedNetwork(seed: 6)
    network.addAcquainted(5)
    network.run(10 * Self.second)
    network.with(4) { $0.mesh.leave(now: network.now) }
    network.run(2 * Self.second)
    let id = network.peers[4].id
    for peer in network.peers[..<4] { #expect(peer.mesh.member(id)?.state == .left) }
    #expect(network.peers[4].mesh.deadline == nil)
  }

  @Test("round trip and loss of a member are measured")
  func quality() throws {
    let network = SimulatedNetwork(seed: 7)
    network.conditions = .init(loss: 0.1, delay: 10_000_000...10_000_000)
    network.addAcquainted(2)
    network.run(600 * Self.second)
    let quality = try #require(network.peers[0].mesh.member(network.peers[1].id)).quality
    #expect(quality.roundTrip == 20_000_000)
    let share = Double(quality.lost) / Double(quality.sent)
    print("measured loss of pings", share, quality.loss)
    // Lost on either way: 1 - 0.9^2.
    #expect((0.13...0.25).contains(share))
  }
}
