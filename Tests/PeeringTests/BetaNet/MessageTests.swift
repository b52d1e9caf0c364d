import Testing

@testable import Peering

@Suite struct MessageTests {
  private static let sender = Identity(seed: [UInt8](repeating: 1, count: 32))
  private static let recipient = Identity(seed: [UInt8](repeating: 2, count: 32))

  private static func message(
    sender: PeerID = sender.id,
    recipient: PeerID? = recipient.id,
    payload: [UInt8] = [1, 2, 3],
    texts: String = "u"
  ) -> PeerMessage {
    PeerMessage(
      id: [UInt8](repeating: 9, count: 16),
      sender: sender,
      recipient: recipient,
      user: texts,
      senderUser: texts,
      kind: String(repeating: "k", count: 32),
      priority: 1,
      sentAt: 5,
      payload: payload
    )
  }

  @Test("An envelope opens for its recipient, and is refused cut or changed anywhere")
  func envelope() throws {
    let message = Self.message()
    let envelope = MessageEnvelope.seal(message, Self.sender)
    #expect(try MessageEnvelope.open(envelope, own: Self.recipient.id) == message)
    for index in envelope.indices {
      var changed = envelope
      changed[index] ^= 1
      #expect(throws: MalformedPacket.self) {
        _ = try MessageEnvelope.open(changed, own: Self.recipient.id)
      }
      #expect(throws: MalformedPacket.self) {
        _ = try MessageEnvelope.open(Array(envelope[..<index]), own: Self.recipient.id)
      }
    }
  }

  @Test("A forged sender, another recipient and none are refused")
  func forged() {
    let forged = MessageEnvelope.seal(Self.message(sender: Self.recipient.id), Self.sender)
    #expect(throws: MalformedPacket("is not by its sender")) {
      _ = try MessageEnvelope.open(forged, own: Self.recipient.id)
    }
    let third = Identity.random()
    let other = MessageEnvelope.seal(Self.message(recipient: third.id), Self.sender)
    #expect(throws: MalformedPacket("is for another peer")) {
      _ = try MessageEnvelope.open(other, own: Self.recipient.id)
    }
    let all = MessageEnvelope.seal(Self.message(recipient: nil), Self.sender)
    #expect(throws: MalformedPacket("is for another peer")) {
      _ = try MessageEnvelope.open(all, own: Self.recipient.id)
    }
  }

  @Test("The largest envelope fits its limit exactly, and its cells put together are it")
  func fragments() throws {
    let message = Self.message(
      payload: [UInt8](repeating: 5, count: PeerMessage.payloadLimit),
      texts: String(repeating: "t", count: 128)
    )
    let envelope = MessageEnvelope.seal(message, Self.sender)
    #expect(envelope.count == MessageEnvelope.sizeLimit)
    let contents = MessageEnvelope.contents(envelope)
    #expect(contents.count <= OriginCircuit.window)
    #expect(
      contents[0].command == .begin && contents.dropFirst().allSatisfy { $0.command == .data }
    )
    var reader = try EnvelopeReader(contents[0].data, deadline: 1)
    for content in contents.dropFirst() {
      #expect(reader.envelope == nil)
      try reader.append(content.data)
    }
    #expect(reader.envelope == envelope)
    #expect(throws: MalformedPacket.self) { try reader.append([1]) }
  }

  @Test("A message that announces too much, goes on without bytes, or is cut is refused")
  func fragmentLimits() throws {
    func begin(_ count: Int) -> [UInt8] {
      var writer = ByteWriter()
      writer.number(UInt32(count))
      return writer.bytes
    }
    _ = try EnvelopeReader(begin(MessageEnvelope.sizeLimit) + [1], deadline: 1)
    #expect(throws: MalformedPacket.self) {
      _ = try EnvelopeReader(begin(MessageEnvelope.sizeLimit + 1) + [1], deadline: 1)
    }
    #expect(throws: MalformedPacket.self) { _ = try EnvelopeReader(begin(0), deadline: 1) }
    #expect(throws: MalformedPacket.self) { _ = try EnvelopeReader(begin(5), deadline: 1) }
    #expect(throws: MalformedPacket.self) { _ = try EnvelopeReader([0, 0, 0], deadline: 1) }
    #expect(throws: MalformedPacket.self) {
      _ = try EnvelopeReader(begin(1) + [1, 2], deadline: 1)
    }
  }

  @Test("Seen messages are known by sender and identifier, for their time and within their number")
  func seen() {
    var seen = SeenMessages(limit: 3, window: 100)
    func id(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 16) }
    seen.insert(id(1), from: Self.sender.id, now: 0)
    #expect(seen.contains(id(1), from: Self.sender.id))
    #expect(!seen.contains(id(1), from: Self.recipient.id))
    for number in 2...4 { seen.insert(id(UInt8(number)), from: Self.sender.id, now: 10) }
    #expect(seen.count == 3 && !seen.contains(id(1), from: Self.sender.id))
    #expect(seen.contains(id(2), from: Self.sender.id))
    seen.insert(id(5), from: Self.sender.id, now: 110)
    #expect(seen.count == 1 && !seen.contains(id(4), from: Self.sender.id))
    for number in 0..<1000 {
      seen.insert(id(UInt8(number & 255)), from: Self.sender.id, now: 120)
      #expect(seen.count <= 3)
    }
  }

  @Test("An allowance is spent by its burst, and comes back by its rate")
  func allowance() {
    var allowance = Allowance(burst: 3, perSecond: 2, now: 0)
    let spent = (0..<4).map { _ in allowance.take(now: 0) }
    #expect(spent == [true, true, true, false])
    let early = allowance.take(now: 499_999_999)
    let late = allowance.take(now: 500_000_000)
    #expect(!early && late)
    let full = [allowance.isFull(now: 1_900_000_000), allowance.isFull(now: 2_000_000_000)]
    #expect(full == [false, true])
  }
}
