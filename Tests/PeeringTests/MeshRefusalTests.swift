import Peering
import Testing

@Suite("Mesh: what is refused")
struct MeshRefusalTests {
  private static func network() -> SimulatedNetwork {
    let network = SimulatedNetwork(seed: 41)
    network.addAcquainted(3)
    network.run(5 * SimulatedNetwork.second)
    return network
  }

  @Test("a well-made packet is delivered once, however often and in however many attempts it comes")
  func replay() {
    let network = Self.network()
    var intruder = Intruder(network)
    let packet = intruder.packet()
    for _ in 0..<5 { intruder.send(packet.frame()) }
    for attempt in 2..<6 as Range<UInt8> {
      intruder.send(intruder.packet(attempt: attempt).frame())
      intruder.send(intruder.packet(attempt: attempt).frame(.stored))
    }
    #expect(network.peers[0].received.count == 1)
    #expect(network.peers[0].mesh.counters.duplicates >= 4)
  }

  @Test("a packet in another's name is refused, whatever byte of it was changed")
  func forged() {
    let network = Self.network()
    var intruder = Intruder(network)
    let honest = intruder.packet(by: network.peers[1].identity).frame()
    let before = network.peers[0].mesh.counters.drops
    // Past the hops, which are not signed; a second apart, or forgeries would no longer be looked at.
    for index in stride(from: 3, to: honest.count, by: 7) {
      var changed = honest
      changed[index] ^= 0x40
      intruder.send(changed)
      network.run(2 * SimulatedNetwork.second)
    }
    #expect(network.peers[0].received.isEmpty)
    let drops = network.peers[0].mesh.counters.drops
    #expect(drops[.forged, default: 0] > before[.forged, default: 0] + 10)
    intruder.send(intruder.packet(by: network.peers[1].identity).frame())
    #expect(network.peers[0].received.map(\.sender) == [network.peers[1].id])
  }

  @Test("who brings many forged packets is not listened to for a while")
  func forger() {
    let network = Self.network()
    var intruder = Intruder(network)
    for number in 0..<50 as Range<UInt8> {
      var frame = intruder.packet(id: number).frame()
      frame[frame.count - 1] ^= 1
      intruder.send(frame)
    }
    let drops = network.peers[0].mesh.counters.drops
    #expect(drops[.forged] == 8 && drops[.rate] == 42)
    network.send(from: 1, to: 0)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[0].received.count == 1)
  }

  @Test("packets of somebody who is not let in go nowhere")
  func stranger() {
    let network = Self.network()
    var intruder = Intruder(network)
    intruder.send(intruder.packet(by: SimulatedNetwork.identity(501)).frame())
    #expect(network.peers[0].received.isEmpty)
    #expect(network.peers[0].mesh.counters.drops[.unknownPeer] == 1)
  }

  @Test(
    "five minutes of difference are taken, a millisecond more is not",
    arguments: [(-300_000, true), (-300_001, false), (300_000, true), (300_001, false)]
      as [(Int64, Bool)]
  )
  func time(_ offset: Int64, _ isTaken: Bool) {
    let network = Self.network()
    var intruder = Intruder(network)
    intruder.send(intruder.packet(timeOffset: offset).frame())
    #expect(network.peers[0].received.count == (isTaken ? 1 : 0))
  }

  @Test("what was kept for a peer may be an hour older, and no more")
  func storedAge() {
    let network = Self.network()
    network.run(10 * SimulatedNetwork.second)
    var intruder = Intruder(network)
    let hour: Int64 = 3_600_000
    intruder.send(intruder.packet(id: 1, timeOffset: -hour, sentOffset: -hour).frame(.stored))
    #expect(network.peers[0].received.count == 1)
    let older = -hour - 300_001
    intruder.send(intruder.packet(id: 2, timeOffset: older, sentOffset: 0).frame(.stored))
    intruder.send(intruder.packet(id: 3, timeOffset: 0, sentOffset: older).frame())
    #expect(network.peers[0].received.count == 1)
    #expect(network.peers[0].mesh.counters.drops[.time] == 2)
  }

  @Test(
    "hops that no path allows are malformed",
    arguments: [(0, 0), (8, 0), (7, 1), (1, 7), (255, 255)] as [(UInt8, UInt8)]
  )
  func hops(_ left: UInt8, _ passed: UInt8) {
    let network = Self.network()
    var intruder = Intruder(network)
    var packet = intruder.packet()
    packet.hopsLeft = left
    packet.hops = passed
    intruder.send(packet.frame())
    #expect(network.peers[0].received.isEmpty)
    #expect(network.peers[0].mesh.counters.drops[.malformed] == 1)
  }

  @Test("no frame cut anywhere is delivered, and the whole one is")
  func cut() {
    let network = Self.network()
    var intruder = Intruder(network)
    let frame = intruder.packet().frame()
    for count in 1..<frame.count { intruder.send(Array(frame.prefix(count))) }
    #expect(network.peers[0].received.isEmpty)
    intruder.send(frame)
    #expect(network.peers[0].received.count == 1)
  }

  @Test("random frames of every kind from a peer that is let in change nothing for the others")
  func random() {
    let network = Self.network()
    var intruder = Intruder(network)
    var random = SeededRandom(seed: 42)
    for number in 0..<5000 {
      let size = Int.random(in: 0...400, using: &random)
      let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
      intruder.send([UInt8(number % 24)] + bytes)
      if number % 50 == 0 { network.run(100_000_000) }
    }
    network.run(10 * SimulatedNetwork.second)
    let id = network.send(from: 1, to: 0)
    network.run(2 * SimulatedNetwork.second)
    #expect(network.peers[0].received.map(\.id) == [id])
    for other in 1...2 {
      #expect(network.peers[0].mesh.member(network.peers[other].id)?.state == .alive)
    }
  }

  @Test("random datagrams from anywhere change nothing, nor does one that is too long")
  func datagrams() {
    let network = Self.network()
    var random = SeededRandom(seed: 43)
    let from = SimulatedNetwork.endpoint(900)
    for number in 0..<20_000 {
      var bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if bytes.count > 1 {
        bytes[0] = 1
        bytes[1] = UInt8(number % 9)
      }
      network.inject(bytes, from: from, to: network.peers[0].endpoint)
    }
    network.inject([UInt8](repeating: 1, count: 1201), from: from, to: network.peers[0].endpoint)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[0].mesh.counters.drops[.oversized] == 1)
    let id = network.send(from: 1, to: 0)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[0].received.map(\.id) == [id])
  }

  @Test("a flood of one peer is cut to its limit, and the others' messages come through")
  func flood() {
    let network = Self.network()
    var intruder = Intruder(network)
    let frame = intruder.packet().frame()
    for _ in 0..<12_000 { intruder.side.sessions.send(frame, to: network.peers[0].id) }
    intruder.exchange()
    #expect((network.peers[0].mesh.counters.drops[.rate] ?? 0) >= 4000)
    let id = network.send(from: 1, to: 0)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[0].received.map(\.id).contains(id))
  }

  @Test("one origin has so many packets per second, whoever brings them")
  func originRate() {
    let network = SimulatedNetwork(seed: 44)
    var settings = MeshSettings()
    settings.originRate = 10
    network.addAcquainted(2, settings: settings)
    network.run(5 * SimulatedNetwork.second)
    var intruder = Intruder(network)
    for id in 0..<100 as Range<UInt8> { intruder.send(intruder.packet(id: id).frame()) }
    #expect(network.peers[0].received.count == 20)
    #expect(network.peers[0].mesh.counters.drops[.rate] == 80)
  }

  @Test(
    "a sender of whom enough is kept is told so at once, whichever way its message came",
    arguments: [SendOptions.Route.auto, .mesh]
  )
  func quota(_ route: SendOptions.Route) {
    let network = Self.network()
    network.peers[0].roster.overQuota = [network.peers[1].id]
    var options = SendOptions()
    options.route = route
    // Of several packets, so that it is put together before it is refused.
    let refused = network.send(from: 1, to: 0, bytes: 3000, options: options)
    network.send(from: 1, to: nil)
    network.run(2 * SimulatedNetwork.second)
    #expect(network.peers[0].received.isEmpty)
    #expect(network.peers[1].undelivered == [.recipientQuota])
    #expect(network.peers[1].receipts.isEmpty)
    #expect(network.peers[0].mesh.counters.drops[.full] == 2)
    // What everyone got, others have taken.
    #expect(network.peers[2].received.count == 1)
    let other = network.send(from: 2, to: 0, options: options)
    network.peers[0].roster.overQuota = []
    let next = network.send(from: 1, to: 0, options: options)
    network.run(2 * SimulatedNetwork.second)
    #expect(Set(network.peers[0].received.map(\.id)) == [other, next])
    #expect(network.peers[1].receipts == [next] && next != refused)
  }

  @Test("a refusal of a message counts from its recipient alone, and with a reason that is known")
  func forgedRefusal() {
    let network = Self.network()
    var intruder = Intruder(network)
    network.peers[1].isUp = false
    let id = network.send(from: 0, to: 1)
    func refusal(by origin: Identity, _ body: [UInt8], attempt: UInt8) -> [UInt8] {
      MeshPacket(
        origin,
        kind: .refused,
        id: id,
        attempt: attempt,
        recipient: network.peers[0].id,
        priority: 5,
        time: network.now.wall,
        body: body
      ).frame()
    }
    let quota = [MessageRefusal.quota.rawValue]
    intruder.send(refusal(by: intruder.identity, quota, attempt: 1))
    for (attempt, body) in [[], [0], [9], quota + quota].enumerated() {
      intruder.send(refusal(by: network.peers[1].identity, body, attempt: UInt8(attempt + 1)))
    }
    #expect(network.peers[0].undelivered.isEmpty)
    intruder.send(refusal(by: network.peers[1].identity, quota, attempt: 5))
    #expect(network.peers[0].undelivered == [.recipientQuota])
  }

  @Test("who the roster has banned is not listened to any more")
  func banned() {
    let network = Self.network()
    let id = network.peers[1].id
    network.with(0) {
      $0.roster.ban(id)
      $0.mesh.forget(id)
    }
    network.send(from: 1, to: 0)
    network.run(20 * SimulatedNetwork.second)
    #expect(network.peers[0].received.isEmpty)
    #expect(!network.peers[0].mesh.isConnected(id) && network.peers[0].mesh.member(id) == nil)
  }

  @Test("what is no longer remembered as delivered is refused by its age")
  func forgotten() {
    var delivered = DeliveredMessages()
    let origin = SimulatedNetwork.identity(1).id
    for number in 0...DeliveredMessages.limit {
      var id = [UInt8](repeating: 0, count: 16)
      id[0] = UInt8(number >> 16)
      id[1] = UInt8(number >> 8 & 255)
      id[2] = UInt8(number & 255)
      let key = MessageKey(id, origin)
      delivered.insert(key, origin: origin, sentAt: UInt64(1000 + number), attempt: 1)
    }
    let first = MessageKey([UInt8](repeating: 0, count: 16), origin)
    #expect(!delivered.contains(first))
    #expect(delivered.mayBeForgotten(origin, sentAt: 1000))
    #expect(!delivered.mayBeForgotten(origin, sentAt: 1001))
  }

  @Test("the cache of packets holds its bound")
  func cacheBound() {
    var cache = PacketCache()
    let identity = SimulatedNetwork.identity(1)
    let whole = MeshPacket(
      identity,
      kind: .message,
      id: [UInt8](repeating: 0, count: 16),
      attempt: 1,
      recipient: nil,
      priority: 1,
      time: 0,
      body: []
    )
    cache.insert(whole, from: identity.id)
    #expect(cache.contains(whole))
    var bytes = Array(whole.frame().dropFirst())
    for number in 1...PacketCache.limit {
      bytes[3] = UInt8(number >> 8)
      bytes[4] = UInt8(number & 255)
      var reader = ByteReader(bytes)
      guard let packet = try? MeshPacket(from: &reader) else { continue }
      cache.insert(packet, from: identity.id)
    }
    #expect(cache.count == PacketCache.limit)
    #expect(!cache.contains(whole))
  }
}
