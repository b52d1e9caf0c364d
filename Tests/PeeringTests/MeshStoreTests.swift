import Peering
import Testing

@Suite("Mesh: messages for peers that are away")
struct MeshStoreTests {
  private static let second = SimulatedNetwork.second

  private static func away(_ count: Int = 6, _ settings: MeshSettings = MeshSettings())
    -> SimulatedNetwork
  {
    let network = SimulatedNetwork(seed: 31)
    network.addAcquainted(count, settings: settings)
    network.run(5 * second)
    network.peers[1].isUp = false
    network.run(120 * second)
    return network
  }

  private static var long: SendOptions {
    var options = SendOptions()
    options.lifetime = 3600 * second
    return options
  }

  @Test("the origin delivers when the recipient is back")
  func origin() {
    let network = Self.away(2)
    let id = network.send(from: 0, to: 1, options: Self.long)
    network.run(600 * Self.second)
    network.wake(1)
    network.run(15 * Self.second)
    #expect(network.peers[1].received.map(\.id) == [id])
    #expect(network.peers[0].receipts == [id])
  }

  @Test(
    "neighbours deliver when the origin is gone too, each message once, and the origin gets its receipt later"
  )
  func neighbours() {
    let network = Self.away()
    let ids = (0..<10).map { network.send(from: 0, to: 1, bytes: $0 * 700, options: Self.long) }
    network.run(5 * Self.second)
    let kept = network.peers[2...].filter { $0.mesh.storedMessages.count == 10 }
    #expect(!kept.isEmpty)
    network.peers[0].isUp = false
    network.run(1200 * Self.second)
    network.wake(1)
    network.run(20 * Self.second)
    let received = network.peers[1].received.map(\.id)
    #expect(Set(received) == Set(ids) && received.count == ids.count)
    network.run(20 * Self.second)
    // Now they keep the receipts for the origin.
    network.wake(0)
    network.run(120 * Self.second)
    for peer in network.peers[2...] { #expect(peer.mesh.storedMessages.count == 0) }
    #expect(Set(network.peers[0].receipts) == Set(ids))
    #expect(network.peers[1].received.count == ids.count)
  }

  @Test("who does not come back in time is said to be away")
  func expired() {
    let network = Self.away()
    var options = SendOptions()
    options.lifetime = 30 * Self.second
    network.send(from: 0, to: 1, options: options)
    network.run(31 * Self.second)
    #expect(network.peers[0].undelivered == [.recipientAway])
  }

  @Test("a recipient without a record is unknown")
  func unknown() {
    let network = Self.away()
    let message = PeerMessage(
      id: [UInt8](repeating: 1, count: 16),
      sender: network.peers[0].id,
      recipient: SimulatedNetwork.identity(99).id,
      user: "",
      senderUser: "",
      kind: "chat",
      priority: 5,
      sentAt: network.now.wall,
      payload: []
    )
    network.with(0) { $0.mesh.send(message, roster: $0.roster, now: network.now) }
    #expect(network.peers[0].undelivered == [.unknownRecipient])
  }

  private static func packet(_ number: Int, priority: UInt8, bytes: Int = 10, origin: Int = 1)
    -> MeshPacket
  {
    var id = [UInt8](repeating: 0, count: 16)
    id[14] = UInt8(number >> 8)
    id[15] = UInt8(number & 255)
    return MeshPacket(
      SimulatedNetwork.identity(origin),
      kind: .message,
      id: id,
      attempt: 1,
      recipient: SimulatedNetwork.identity(2).id,
      priority: priority,
      time: 0,
      body: [UInt8](repeating: 0, count: bytes)
    )
  }

  @Test(
    "the store holds its number of messages; a higher priority makes room, an equal one does not"
  )
  func bounds() {
    let peer = SimulatedNetwork.identity(2).id
    var store = StoredPackets(
      messageLimit: 10,
      byteLimit: 1 << 20,
      originShare: 1,
      timeLimit: 1000
    )
    let kept = (0..<10).map { number in
      store.insert(Self.packet(number, priority: 5), for: peer, now: UInt64(number))
    }
    #expect(kept == [Bool](repeating: true, count: 10))
    let equal = store.insert(Self.packet(10, priority: 5), for: peer, now: 10)
    let higher = store.insert(Self.packet(11, priority: 6), for: peer, now: 11)
    #expect(!equal && higher && store.count == 10)
    let taken = store.take(100, for: peer, now: 12, wait: 1)
    #expect(taken.count == 10 && taken[0].priority == 6)
    // The oldest of the lowest priority went.
    #expect(!taken.contains { $0.id[15] == 0 })
  }

  @Test("the store holds its bytes, and nothing longer than its time")
  func bytesAndTime() {
    let peer = SimulatedNetwork.identity(2).id
    var store = StoredPackets(
      messageLimit: 100,
      byteLimit: 1000,
      originShare: 1,
      timeLimit: 1000
    )
    let first = store.insert(Self.packet(0, priority: 5, bytes: 600), for: peer, now: 0)
    let tooMuch = store.insert(Self.packet(1, priority: 5, bytes: 401), for: peer, now: 0)
    let second = store.insert(Self.packet(2, priority: 5, bytes: 400), for: peer, now: 1)
    #expect(first && !tooMuch && second && store.bytes == 1000)
    let before = store.take(100, for: peer, now: 999, wait: 1)
    let after = store.take(100, for: peer, now: 1000, wait: 1)
    #expect(before.count == 2 && after.map(\.id[15]) == [2] && store.bytes == 400)
  }

  @Test(
    "an origin has its share of the messages, and makes room for a higher priority out of that alone"
  )
  func originMessages() {
    let peer = SimulatedNetwork.identity(2).id
    var store = StoredPackets(
      messageLimit: 12,
      byteLimit: 1 << 20,
      originShare: 4,
      timeLimit: 1000
    )
    let other = store.insert(Self.packet(0, priority: 1, origin: 3), for: peer, now: 0)
    let greedy = (1...4).map { number in
      store.insert(Self.packet(number, priority: 5), for: peer, now: UInt64(number))
    }
    #expect(other && greedy == [true, true, true, false])
    let higher = store.insert(Self.packet(5, priority: 10), for: peer, now: 5)
    let taken = store.take(100, for: peer, now: 6, wait: 1)
    #expect(higher && Set(taken.map(\.id[15])) == [0, 2, 3, 5])
    // What has gone out leaves room again.
    let gone = StoredPackets.Name(
      message: MessageKey(taken[0].id, taken[0].origin),
      kind: .message,
      index: 0
    )
    store.remove(gone, for: peer)
    let next = store.insert(Self.packet(6, priority: 1), for: peer, now: 7)
    let tooMany = store.insert(Self.packet(7, priority: 1), for: peer, now: 7)
    #expect(next && !tooMany && store.count == 4)
  }

  @Test("an origin has its share of the bytes, to the last one, and others have theirs")
  func originBytes() {
    let peer = SimulatedNetwork.identity(2).id
    var store = StoredPackets(
      messageLimit: 100,
      byteLimit: 2000,
      originShare: 4,
      timeLimit: 1000
    )
    let first = store.insert(Self.packet(0, priority: 5, bytes: 400), for: peer, now: 0)
    let tooMuch = store.insert(Self.packet(1, priority: 5, bytes: 101), for: peer, now: 0)
    let second = store.insert(Self.packet(2, priority: 5, bytes: 100), for: peer, now: 0)
    let none = store.insert(Self.packet(3, priority: 5, bytes: 1), for: peer, now: 0)
    #expect(first && !tooMuch && second && !none && store.bytes == 500)
    let others = (3...5).map { origin in
      store.insert(
        Self.packet(origin, priority: 5, bytes: 500, origin: origin),
        for: peer,
        now: 1
      )
    }
    #expect(others == [true, true, true] && store.bytes == 2000)
  }

  @Test("one origin that floods the mesh leaves its neighbours room for what others send")
  func flood() {
    var settings = MeshSettings()
    settings.storeLimit = 40
    let network = Self.away(6, settings)
    for _ in 0..<50 {
      network.send(from: 0, to: 1, bytes: 0, priority: 10, options: Self.long)
    }
    network.run(5 * Self.second)
    let id = network.send(from: 2, to: 1, options: Self.long)
    network.run(5 * Self.second)
    network.peers[0].isUp = false
    network.peers[2].isUp = false
    network.run(60 * Self.second)
    network.wake(1)
    network.run(60 * Self.second)
    #expect(network.peers[1].received.contains { $0.id == id })
  }

  @Test("what waits goes out by priority")
  func order() {
    let network = Self.away(2)
    for priority in [3, 9, 1, 10, 5] as [UInt8] {
      network.send(from: 0, to: 1, priority: priority, options: Self.long)
    }
    network.run(5 * Self.second)
    network.conditions.delay = 1_000_000...1_000_000
    network.wake(1)
    network.run(15 * Self.second)
    #expect(network.peers[1].received.map(\.priority) == [10, 9, 5, 3, 1])
  }
}
