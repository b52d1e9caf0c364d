import Foundation
import Testing

@testable import Peering

@Suite("The loop over real sockets", .serialized)
struct PeerNetworkTests {
  /// Two peers that know one another and have met.
  static func pair(
    _ change: (inout NetworkSettings) -> Void = { _ in }
  ) throws -> (LivePeer, LivePeer) {
    let first = try LivePeer(change)
    let second = try LivePeer(change)
    try first.start { [id = second.id] in $0.know(id) }
    try second.start { [id = first.id] in $0.know(id) }
    #expect(first.meet(second))
    return (first, second)
  }

  static func exchange(_ sender: LivePeer, _ recipient: LivePeer, _ payload: [UInt8] = [7]) {
    let message = sender.message(to: recipient.id, payload)
    #expect(sender.network.post { $0.send(message, way: "bitchat", hops: nil) })
    #expect(recipient.hasTaken(message.id))
    #expect(sender.hasDelivered(message.id))
  }

  @Test("two peers meet, exchange messages by datagrams both ways, and call over a link")
  func exchange() throws {
    let (first, second) = try Self.pair()
    Self.exchange(first, second)
    Self.exchange(second, first, [UInt8](repeating: 9, count: PeerMessage.payloadLimit))
    let body = CallContent(json: Array("{}".utf8), bytes: [UInt8](repeating: 3, count: 300_000))
    first.network.post { [id = second.id] in
      $0.call(1, to: id, method: "echo", body: body, timeout: 20_000_000_000)
    }
    #expect(first.answer(to: 1) == .answered(body))
    #expect(first.comes { $0.connections.count == 1 && $0.status().peers.count == 1 })
    #expect(first.stop() && second.stop())
    #expect(!first.network.status.isRunning)
  }

  @Test("a network stops, refuses work meanwhile and keeps none, and begins again at its port")
  func again() throws {
    let (first, second) = try Self.pair()
    Self.exchange(first, second)
    let port = try #require(first.network.local?.port)
    let last = Seen()
    #expect(first.stop())
    var kept: Seen? = Seen()
    weak let remembered = kept
    let isTaken = first.network.post { [kept] _ in kept?.value = true }
    kept = nil
    #expect(!isTaken)
    #expect(remembered == nil, "what is refused is let go")
    try first.start(preferring: port) { [id = second.id] in $0.know(id) }
    #expect(first.network.local?.port == port)
    first.network.post { _ in last.value = true }
    #expect(last.wait(until: Date(timeIntervalSinceNow: 20)))
    #expect(first.meet(second))
    Self.exchange(first, second)
    #expect(first.stop() && second.stop())
  }

  @Test(
    "work that was taken runs before the loop ends, and a meeting that has not ended is told so"
  )
  func lastWork() throws {
    let peer = try LivePeer()
    try peer.start()
    let nobody = try #require(Endpoint(text: "127.0.0.1:9"))
    let id = Identity.random().id
    let ended = Seen()
    peer.network.post { loop in
      loop.connect(to: nobody, expecting: id, invitation: nil) {
        ended.value = $0 == .failure(.noAnswer)
      }
    }
    #expect(peer.comes { !$0.meetings.isEmpty || ended.value })
    #expect(peer.stop())
    #expect(ended.wait(until: Date(timeIntervalSinceNow: 1)))
  }

  @Test("clients that speak garbage, or say nothing, disturb nobody")
  func garbage() throws {
    let (first, second) = try Self.pair { $0.overlay.link.handshakeLimit = 1_000_000_000 }
    let endpoint = try #require(second.network.local)
    var clients: [Connection] = []
    for number in 0..<100 {
      let socket = try Socket(for: endpoint, isStream: true)
      try socket.connect(to: endpoint)
      let client = Connection(socket, dialled: nil, invitation: nil, connectBy: nil)
      if number % 2 == 0 { client.append(RandomBytes.make(5000)) }
      _ = client.flush()
      clients.append(client)
    }
    let stranger = try DatagramSocket(#require(Endpoint(text: "127.0.0.1:0")), group: nil)
    for size in 0..<600 { stranger.send(RandomBytes.make(size * 3), to: endpoint) }
    for _ in 0..<5 { Self.exchange(first, second) }
    // Those that say nothing are let go as well, the link of peers stays out of it.
    #expect(second.comes { $0.connections.isEmpty })
    Self.exchange(second, first)
    withExtendedLifetime(clients) {}
    #expect(first.stop() && second.stop())
  }

  @Test("a message that cannot be stored is not confirmed, comes again, and is taken once")
  func failingStore() throws {
    let (first, second) = try Self.pair()
    second.refuseToStore(2)
    let message = first.message(to: second.id)
    first.network.post { $0.send(message, way: "bitchat", hops: nil) }
    #expect(second.hasTaken(message.id) && first.hasDelivered(message.id))
    #expect(second.told.count == 1, "of trouble that lasts the operator is told from time to time")
    #expect(first.stop() && second.stop())
  }

  @Test("a receipt that cannot be stored waits until it can")
  func failingReceipt() throws {
    let (first, second) = try Self.pair()
    first.refuseToStore(2)
    let message = first.message(to: second.id)
    first.network.post { $0.send(message, way: "bitchat", hops: nil) }
    #expect(second.hasTaken(message.id) && first.hasDelivered(message.id))
    #expect(first.comes { $0.unstored.isEmpty })
    #expect(first.stop() && second.stop())
  }

  @Test("an attempt to connect ends when its time is over, however patient the system is")
  func silentHost() throws {
    let peer = try LivePeer {
      $0.overlay.dialLimit = 300_000_000
    }
    // A listener whose queue is full answers nothing to whoever comes next.
    let listener = try Socket(for: #require(Endpoint(text: "127.0.0.1:0")), isStream: true)
    try listener.bind(to: #require(Endpoint(text: "127.0.0.1:0")))
    #expect(listen(listener.descriptor, 0) == 0)
    let endpoint = try SocketAddress.local(of: listener.descriptor)
    var crowd: [Connection] = []
    for _ in 0..<8 {
      let socket = try Socket(for: endpoint, isStream: true)
      try socket.connect(to: endpoint)
      crowd.append(Connection(socket, dialled: nil, invitation: nil, connectBy: nil))
    }
    let other = Identity.random()
    let record = PeerRecord(other, sequence: 1, endpoint: endpoint, name: "")
    try peer.start { $0.restore(record) }
    peer.network.post { [id = other.id] in
      let body = CallContent(json: [], bytes: [])
      $0.call(5, to: id, method: "x", body: body, timeout: 10_000_000_000)
    }
    #expect(peer.answer(to: 5) == .lost)
    #expect(peer.comes { $0.connections.isEmpty })
    withExtendedLifetime(crowd) {}
    #expect(peer.stop())
  }
}
