import GatewayPlugin
import Peering
import PluginStorage
import Testing

@testable import P2PFog

@Suite("Stored messages")
struct MessageStoreTests {
  static let sender = Identity(seed: [UInt8](repeating: 1, count: 32)).id
  static let other = Identity(seed: [UInt8](repeating: 2, count: 32)).id

  static func message(
    _ number: UInt8,
    user: String = "ada",
    payload: String = #"{"text":"hi"}"#
  ) -> PeerMessage {
    PeerMessage(
      id: [UInt8](repeating: number, count: 16),
      sender: sender,
      recipient: other,
      user: user,
      senderUser: "bob",
      kind: "text",
      priority: 5,
      sentAt: 1000,
      payload: Array(payload.utf8)
    )
  }

  static func inbox(_ user: String = "ada") -> MessageStore.Filter {
    MessageStore.Filter(user: user, direction: "in")
  }

  @Test("a message that arrives twice is stored once")
  func onceOnly() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    let first = try store.receive([(Self.message(1), .bitchat, 2)], now: 7)
    #expect(first.map(\.number) == [1] && first.map(\.status) == ["received"])
    #expect(try store.receive([(Self.message(1), .betanet, nil)], now: 8).isEmpty)
    let page = try store.list(Self.inbox(), limit: 10, offset: 0)
    #expect(page.total == 1 && page.entries.first?.transport == "bitchat")
    #expect(page.entries.first?.hops == 2)
  }

  @Test("the same id of another sender is another message")
  func idsBelongToSenders() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    var forged = Self.message(1)
    forged = PeerMessage(
      id: forged.id,
      sender: Self.other,
      recipient: Self.sender,
      user: "ada",
      senderUser: "eve",
      kind: "text",
      priority: 1,
      sentAt: 1,
      payload: forged.payload
    )
    #expect(
      try store.receive([(Self.message(1), .bitchat, 1), (forged, .bitchat, 1)], now: 1).count == 2
    )
  }

  @Test(
    "boxes are of one user each, and pages are the newest first, or since a number the oldest first"
  )
  func pages() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    for number in 1...5 {
      _ = try store.receive([(Self.message(UInt8(number)), .bitchat, 1)], now: 1)
    }
    _ = try store.receive([(Self.message(9, user: "eve"), .bitchat, 1)], now: 1)
    let page = try store.list(Self.inbox(), limit: 2, offset: 1)
    #expect(page.total == 5 && page.entries.map(\.number) == [4, 3])
    var since = Self.inbox()
    since.after = 2
    #expect(try store.list(since, limit: 2, offset: 0).entries.map(\.number) == [3, 4])
    #expect(try store.find(Hexadecimal.text(Self.message(9).id), user: "ada").isEmpty)
    #expect(try store.delete(Hexadecimal.text(Self.message(1).id), user: "ada"))
    #expect(try !store.delete(Hexadecimal.text(Self.message(1).id), user: "ada"))
    #expect(try store.markRead(upTo: 3, user: "ada") == 2)
    #expect(try store.markRead(upTo: 3, user: "ada") == 0)
  }

  @Test("what became of a sent message is said once, and unsettled ones come back to be sent again")
  func settlement() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    for number in 1...3 {
      _ = try store.send(.init(sent: Self.message(UInt8(number)), way: "auto", now: UInt64(number)))
    }
    #expect(throws: StorageError.self) {
      try store.send(.init(sent: Self.message(1), way: "auto", now: 9))
    }
    let id = Self.message(1).id
    let delivered = MessageOutcome(delivered: id, .bitchat, hops: 3, roundTripMicroseconds: 1500)
    let given = MessageOutcome(undelivered: id, .betanet, reason: "late")
    let unknown = MessageOutcome(undelivered: [9], .betanet, reason: "")
    let settled = try store.settle([unknown, delivered, given])
    #expect(settled.map(\.status) == ["delivered"] && settled.first?.hops == 3)
    #expect(settled.first?.roundTripMicroseconds == 1500 && settled.first?.reason == "")
    #expect(try store.settle([given, delivered]).isEmpty)
    try store.abandonSent(before: 3, reason: "too old")
    let waiting = try store.unsettled()
    #expect(waiting.map(\.number) == [3])
    #expect(waiting.first?.message(from: Self.sender) == Self.message(3))
    let old = try #require(
      try store.find(Hexadecimal.text(Self.message(2).id), user: "bob").first
    )
    #expect(old.status == "undelivered" && old.reason == "too old")
    #expect(old.message(from: Self.sender) != nil)
  }

  @Test(
    "a payload that is no JSON is shown as base64, and is no message to be sent again when it came in"
  )
  func payloads() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    let raw = PeerMessage(
      id: [UInt8](repeating: 3, count: 16),
      sender: Self.sender,
      recipient: Self.other,
      user: "ada",
      senderUser: "",
      kind: "raw",
      priority: 1,
      sentAt: .max,
      payload: [0xFF, 0x00]
    )
    let stored = try #require(try store.receive([(raw, .bitchat, 1)], now: 1).first)
    #expect(stored.payload == #"{"base64":"/wA="}"#)
    #expect(stored.sentAt == .max && stored.message(from: Self.sender) == nil)
    #expect(JSON.object(stored.members)["message"]?["payload"]?["base64"]?.asString == "/wA=")
  }

  @Test("the oldest messages of a box go when it is full, and no other box's")
  func bounds() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    _ = try store.receive([(Self.message(1, user: "eve"), .bitchat, 1)], now: 1)
    var batch: [NetworkBatch.Arrival] = []
    for number in 0..<MessageStore.keptPerUser + 1 {
      let id = (0..<16).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      let message = PeerMessage(
        id: id,
        sender: Self.sender,
        recipient: Self.other,
        user: "ada",
        senderUser: "bob",
        kind: "text",
        priority: 5,
        sentAt: 1,
        payload: Array("{}".utf8)
      )
      batch.append((message, .bitchat, 1))
    }
    _ = try store.receive(batch, now: 1)
    #expect(try store.list(Self.inbox(), limit: 1, offset: 0).total == MessageStore.keptPerUser)
    let oldest = [UInt8](repeating: 0, count: 16)
    #expect(try store.find(Hexadecimal.text(oldest), user: "ada").isEmpty)
    #expect(try store.list(Self.inbox("eve"), limit: 1, offset: 0).total == 1)
  }

  @Test("the hops that were asked for are kept until others are known")
  func wantedHops() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    for (number, found) in [(1, nil), (2, 4)] as [(UInt8, Int?)] {
      var entry = MessageStore.Entry(sent: Self.message(number), way: "betanet", now: 5)
      entry.hops = 2
      _ = try store.send(entry)
      #expect(try store.unsettled().map(\.hops) == [2])
      let id = Self.message(number).id
      let outcome = MessageOutcome(delivered: id, .betanet, hops: found, roundTripMicroseconds: 1)
      let end = try store.settle([outcome]).first
      #expect(end?.hops == found ?? 2)
    }
  }

  @Test("a message between two users of this gateway is in both boxes")
  func exchange() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    var sent = MessageStore.Entry(sent: Self.message(1), way: "local", now: 5)
    sent.status = "delivered"
    let (out, received) = try store.exchange(sent, Self.message(1), now: 5)
    #expect(out.user == "bob" && out.number == 1 && received.user == "ada" && received.number == 2)
    #expect(received.transport == "local" && received.status == "received")
  }
}

/// What a full store costs: no statement reads all of a box, or all messages.
extension MessageStoreTests {
  @Test(
    "messages are found, dropped and sent again by an index",
    arguments: [
      ("SELECT number FROM messages WHERE \(MessageStore.oneOfUser)", "(direction=? AND id=?)"),
      ("SELECT number FROM \(MessageStore.unsettledOnes) ORDER BY number", "messages_unsettled"),
      (MessageStore.dropOldest, "COVERING INDEX messages_of_user (user=? AND direction=?)"),
    ]
  )
  func indexes(_ sql: String, _ wanted: String) throws {
    let kept = try PeerDatabase()
    let plan = try kept.database.read { (connection) throws(StorageError) in
      try connection.rows("EXPLAIN QUERY PLAN \(sql)") { $0.text(3) }
    }
    #expect(plan.contains { $0.contains(wanted) }, "\(plan)")
    #expect(!plan.contains { $0.hasPrefix("SCAN messages") && !$0.contains("unsettled") })
  }

  @Test("a box is counted down by what is deleted from it, and filled again")
  func counts() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    func count() throws -> Int? {
      try kept.database.read { (connection) throws(StorageError) in
        try connection.first("SELECT messages FROM boxes WHERE user = 'ada'") { $0.count(0) }
      }
    }
    for number in 1...3 {
      _ = try store.receive([(Self.message(UInt8(number)), .bitchat, 1)], now: 1)
      _ = try store.receive([(Self.message(UInt8(number)), .betanet, nil)], now: 1)
    }
    #expect(try count() == 3)
    #expect(try store.delete(Hexadecimal.text(Self.message(2).id), user: "ada"))
    #expect(try count() == 2)
    _ = try store.receive([(Self.message(2), .bitchat, 1)], now: 1)
    #expect(try count() == 3)
  }

  @Test("every filter of a list is its own, and all together")
  func filters() throws {
    let kept = try PeerDatabase()
    let store = MessageStore(kept.database)
    for number in 1...4 {
      _ = try store.receive([(Self.message(UInt8(number)), .bitchat, 1)], now: 1)
    }
    _ = try store.markRead(upTo: 2, user: "ada")
    func numbers(_ change: (inout MessageStore.Filter) -> Void) throws -> [Int] {
      var filter = Self.inbox()
      change(&filter)
      let page = try store.list(filter, limit: 10, offset: 0)
      #expect(page.total == page.entries.count)
      return page.entries.map(\.number)
    }
    #expect(try numbers { $0.status = "read" } == [2, 1])
    #expect(try numbers { $0.kind = "text" } == [4, 3, 2, 1])
    #expect(try numbers { $0.kind = "other" } == [])
    #expect(try numbers { $0.peer = "\(Self.sender)" } == [4, 3, 2, 1])
    #expect(try numbers { $0.peer = "\(Self.other)" } == [])
    #expect(
      try numbers {
        $0.status = "received"
        $0.kind = "text"
        $0.peer = "\(Self.sender)"
        $0.after = 3
      } == [4]
    )
  }
}
