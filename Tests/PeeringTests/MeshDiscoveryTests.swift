import Peering
import Testing

@Suite("Mesh: discovery on the local network")
struct MeshDiscoveryTests {
  private static let second = SimulatedNetwork.second

  private static func found(_ peer: SimulatedNetwork.Peer) -> [(PeerID, Endpoint, Bool)] {
    peer.actions.compactMap {
      if case .found(let id, let endpoint, _, let isKnown) = $0 {
        (id, endpoint, isKnown)
      } else {
        nil
      }
    }
  }

  @Test("peers of one secret find each other by beacons, and become members")
  func secret() {
    let network = SimulatedNetwork(seed: 51)
    var settings = MeshSettings()
    settings.networkSecret = [UInt8](repeating: 3, count: 32)
    for _ in 0..<5 { network.add(settings: settings) }
    network.run(35 * Self.second)
    #expect(SwimTests.agree(network, 0..<5))
  }

  @Test("a stranger is only reported")
  func stranger() {
    let network = SimulatedNetwork(seed: 52)
    for _ in 0..<2 { network.add() }
    network.run(35 * Self.second)
    let found = Self.found(network.peers[0])
    #expect(!found.isEmpty)
    #expect(
      found.allSatisfy { $0.0 == network.peers[1].id && $0.1 == network.peers[1].endpoint && !$0.2 }
    )
    #expect(network.peers[0].mesh.connectedCount == 0)
    #expect(network.peers[1].mesh.counters.traffic[.handshake] == nil)
  }

  @Test(
    "a probe is answered by who shows itself, and not by who does not",
    arguments: [true, false]
  )
  func probe(_ isDiscoverable: Bool) {
    let network = SimulatedNetwork(seed: 53)
    var settings = MeshSettings()
    settings.isDiscoverable = isDiscoverable
    network.add(settings: settings)
    settings.isDiscoverable = false
    network.add(settings: settings)
    network.run(Self.second)
    network.peers[1].actions = []
    network.with(1) { $0.mesh.discover(now: network.now) }
    network.run(Self.second)
    #expect(Self.found(network.peers[1]).count == (isDiscoverable ? 1 : 0))
  }

  @Test("probes are answered at a bounded rate and never by more than was asked")
  func rate() {
    let network = SimulatedNetwork(seed: 54)
    network.add()
    network.run(Self.second)
    var answers: [Int] = []
    network.tap = { bytes, _, _ in
      answers.append(bytes.count)
      return true
    }
    var probe = [UInt8](repeating: 0, count: 256)
    (probe[0], probe[1]) = (1, Datagram.Kind.probe.rawValue)
    let from = SimulatedNetwork.endpoint(90)
    for _ in 0..<100 { network.inject(probe, from: from, to: network.peers[0].endpoint) }
    network.inject(Array(probe.prefix(255)), from: from, to: network.peers[0].endpoint)
    network.run(1_000_000)
    #expect(answers.count == 10 && answers.allSatisfy { $0 <= 256 })
  }

  @Test("a beacon cut or changed anywhere, or of another day, is not reported")
  func forged() throws {
    let network = SimulatedNetwork(seed: 55)
    for _ in 0..<2 { network.add() }
    var beacon: [UInt8] = []
    network.tap = { bytes, from, _ in
      if from == SimulatedNetwork.endpoint(1), beacon.isEmpty { beacon = bytes }
      return false
    }
    network.run(Self.second)
    try #require(!beacon.isEmpty)
    let to = network.peers[0].endpoint
    let from = network.peers[1].endpoint
    for index in beacon.indices {
      network.inject(Array(beacon.prefix(index)), from: from, to: to)
      var changed = beacon
      changed[index] ^= 1
      network.inject(changed, from: from, to: to)
      network.run(100_000_000)
      #expect(Self.found(network.peers[0]).isEmpty, "byte \(index) of \(beacon.count)")
    }
    network.inject(beacon, from: from, to: to)
    network.run(1_000_000)
    #expect(Self.found(network.peers[0]).count == 1)
    network.run(301 * Self.second)
    network.peers[0].actions = []
    network.inject(beacon, from: from, to: to)
    network.run(1_000_000)
    #expect(Self.found(network.peers[0]).isEmpty)
  }
}
