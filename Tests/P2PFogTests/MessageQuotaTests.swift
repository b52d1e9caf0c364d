import GatewayPlugin
import Peering
import PluginStorage
import Testing

@testable import P2PFog

/// What one sending peer may have here, however many users it invents.
@Suite("Messages of one peer")
struct MessageQuotaTests {
  private static let peers = (1...3).map { Identity(seed: [UInt8](repeating: $0, count: 32)).id }

  /// A message for a user of its own, like that of a peer that invents users.
  private static func message(_ number: Int, from sender: PeerID, payload: String = "{}")
    -> PeerMessage
  {
    PeerMessage(
      id: (0..<16).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) },
      sender: sender,
      recipient: peers[2],
      user: "user-\(number)",
      senderUser: "bob",
      kind: "text",
      priority: 5,
      sentAt: 1,
      payload: Array(payload.utf8)
    )
  }

  private static func take(_ numbers: Range<Int>, from sender: PeerID, in store: MessageStore)
    throws
  {
    for number in numbers {
      _ = try store.receive([(message(number, from: sender), .bitchat, 1)], now: 1)
    }
  }

  @Test("a peer is over its quota with the last message that it may have, not with the one before")
  func number() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    let (greedy, other) = (Self.peers[0], Self.peers[1])
    func over() throws -> Set<PeerID> { try store.overQuota(messages: 5, bytes: 1 << 30) }
    try Self.take(0..<4, from: greedy, in: store)
    try Self.take(0..<3, from: other, in: store)
    #expect(try over() == [])
    try Self.take(4..<5, from: greedy, in: store)
    #expect(try over() == [greedy])
    // One that is there already counts once.
    try Self.take(0..<3, from: other, in: store)
    #expect(try over() == [greedy])
    // What is sent counts for nobody.
    for number in 10..<20 {
      let sent = Self.message(number, from: Self.peers[2])
      _ = try store.send(.init(sent: sent, way: "auto", now: 1))
    }
    #expect(try over() == [greedy])
    let first = Hexadecimal.text(Self.message(0, from: greedy).id)
    #expect(try store.delete(first, user: "user-0"))
    // That was the other peer's message of the same identifier as well.
    #expect(try over() == [])
    try Self.take(5..<6, from: greedy, in: store)
    #expect(try over() == [greedy])
  }

  @Test("bytes count as they are stored, with what a row costs beside its texts")
  func bytes() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    let sender = Self.peers[0]
    // A letter of two bytes, and names of six and three.
    let payload = #"{"text":"é"}"#
    let size = 512 + payload.utf8.count + 6 + 3
    for number in 0..<2 {
      let message = Self.message(number, from: sender, payload: payload)
      _ = try store.receive([(message, .bitchat, 1)], now: 1)
    }
    #expect(try store.overQuota(messages: 100, bytes: 2 * size) == [sender])
    #expect(try store.overQuota(messages: 100, bytes: 2 * size + 1) == [])
    let first = Hexadecimal.text(Self.message(0, from: sender).id)
    #expect(try store.delete(first, user: "user-0"))
    #expect(try store.overQuota(messages: 100, bytes: size) == [sender])
    #expect(try store.overQuota(messages: 100, bytes: size + 1) == [])
  }

  @Test("what falls out of a full inbox counts for its sender no more")
  func fullBox() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    func batch(_ numbers: Range<Int>, _ sender: PeerID) -> [NetworkBatch.Arrival] {
      numbers.map { number in
        let message = Self.message(number, from: sender)
        let toAda = PeerMessage(
          id: message.id,
          sender: sender,
          recipient: message.recipient,
          user: "ada",
          senderUser: "bob",
          kind: "text",
          priority: 5,
          sentAt: 1,
          payload: message.payload
        )
        return (toAda, .bitchat, 1)
      }
    }
    let (early, late) = (Self.peers[0], Self.peers[1])
    _ = try store.receive(batch(0..<3, early), now: 1)
    _ = try store.receive(batch(0..<MessageStore.keptPerUser - 3, late), now: 1)
    #expect(try store.overQuota(messages: 3, bytes: 1 << 40) == [early, late])
    #expect(try store.overQuota(messages: 4, bytes: 1 << 40) == [late])
    _ = try store.receive(batch(20_000..<20_002, late), now: 1)
    #expect(try store.overQuota(messages: 1, bytes: 1 << 40) == [early, late])
    #expect(try store.overQuota(messages: 2, bytes: 1 << 40) == [late])
  }

  @Test("messages that were stored before senders were counted count as well")
  func migration() throws {
    let folder = FogFolder()
    let path = folder.path + "/old.sqlite"
    let first = DatabaseSchema(steps: Array(DatabaseSchema.p2pFog.steps.prefix(1)))
    do {
      let old = MessageStore(try Database(path: path, schema: first, readers: 1))
      try Self.take(0..<4, from: Self.peers[0], in: old)
      try Self.take(0..<3, from: Self.peers[1], in: old)
    }
    let store = MessageStore(try Database(path: path, schema: .p2pFog, readers: 1))
    let size = 512 + 2 + 6 + 3
    #expect(try store.overQuota(messages: 4, bytes: 1 << 30) == [Self.peers[0]])
    #expect(try store.overQuota(messages: 100, bytes: 3 * size) == Set(Self.peers[..<2]))
    #expect(try store.overQuota(messages: 100, bytes: 4 * size + 1) == [])
    try Self.take(4..<5, from: Self.peers[0], in: store)
    #expect(try store.overQuota(messages: 5, bytes: 1 << 30) == [Self.peers[0]])
  }
}
