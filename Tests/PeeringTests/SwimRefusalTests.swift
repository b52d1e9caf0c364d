import Peering
import Testing

@Suite("SWIM: what a member that lies can do")
struct SwimRefusalTests {
  private static func network(admitsIntroduced: Bool = true) -> SimulatedNetwork {
    let network = SimulatedNetwork(seed: 61)
    for _ in 0..<3 { network.add(admitsIntroduced: admitsIntroduced) }
    let records = network.peers.map(\.mesh.record)
    for peer in network.peers {
      for record in records where record.id != peer.id { peer.roster.restore(record) }
    }
    network.run(5 * SimulatedNetwork.second)
    return network
  }

  private static func gone(_ state: MemberState, _ id: PeerID, _ sequence: UInt64) -> [UInt8] {
    var writer = FrameKind.gossip.writer()
    writer.number(UInt8(1))
    writer.number(state.rawValue)
    writer.raw(id.bytes)
    writer.number(sequence)
    return writer.bytes
  }

  private static func alive(_ record: [UInt8]) -> [UInt8] {
    var writer = FrameKind.gossip.writer()
    writer.number(UInt8(1))
    writer.number(MemberState.alive.rawValue)
    writer.counted(record)
    return writer.bytes
  }

  @Test(
    "who is said to be dead or gone says otherwise under a new signature",
    arguments: [MemberState.dead, .left]
  )
  func refuted(_ state: MemberState) {
    let network = Self.network()
    var intruder = Intruder(network)
    let before = network.peers[0].mesh.record
    intruder.send(Self.gone(state, before.id, before.sequence))
    #expect(network.peers[0].mesh.record.sequence > before.sequence)
    let other = network.peers[1].mesh.record
    intruder.send(Self.gone(state, other.id, other.sequence))
    #expect(network.peers[0].mesh.member(other.id)?.state == state)
    network.run(3 * SimulatedNetwork.second)
    #expect(SwimTests.agree(network, 0..<3, with: [intruder.identity.id]))
  }

  @Test(
    "news of another incarnation than the signed one is not believed",
    arguments: [UInt64.max, 0]
  )
  func incarnation(_ sequence: UInt64) {
    let network = Self.network()
    var intruder = Intruder(network)
    let id = network.peers[1].id
    intruder.send(Self.gone(.dead, id, sequence))
    #expect(network.peers[0].mesh.member(id)?.state == .alive)
  }

  @Test("nobody else can make a record, whatever byte of it they change")
  func forged() {
    let network = Self.network()
    var intruder = Intruder(network)
    let held = network.peers[1].mesh.record
    for index in 64..<held.bytes.count {
      var changed = held.bytes
      // A higher sequence, or it would be passed over as old.
      changed[64] = 1
      if index > 64 { changed[index] ^= 1 }
      intruder.send(Self.alive(changed))
    }
    #expect(network.peers[0].mesh.member(held.id)?.sequence == held.sequence)
    #expect(network.peers[0].roster.record(of: held.id) == held)
    #expect(network.peers[0].mesh.counters.drops[.malformed] == UInt64(held.bytes.count - 64))
  }

  @Test(
    "a member's word makes another peer a member only where that is allowed",
    arguments: [true, false]
  )
  func introduced(_ isAllowed: Bool) {
    let network = Self.network(admitsIntroduced: isAllowed)
    var intruder = Intruder(network)
    let stranger = SimulatedNetwork.identity(700)
    let record = PeerRecord(
      stranger,
      sequence: 1,
      endpoint: SimulatedNetwork.endpoint(700),
      name: "stranger"
    )
    intruder.send(Self.alive(record.bytes))
    #expect(network.peers[0].roster.isKnown(stranger.id) == isAllowed)
    #expect((network.peers[0].mesh.member(stranger.id) != nil) == isAllowed)
  }
}
