/// A message from one peer's user to another's, as both transports carry it.
package struct PeerMessage: Sendable, Equatable {
  /// Bytes of the longest payload.
  package static let payloadLimit = 64 << 10
  /// Bytes of the longest name of a user, UTF-8.
  package static let userLimit = 128
  /// Bytes of an identifier.
  package static let idSize = 16

  /// How the message travels.
  package enum Transport: String, Sendable, CaseIterable {
    /// The mesh of datagrams.
    case bitchat
    /// A circuit of the private overlay.
    case betanet
  }

  /// 16 random bytes, made by the sender.
  package let id: [UInt8]
  /// Who sends it; a receiver knows it proven by key.
  package let sender: PeerID
  /// For whom; `nil` for every peer (BitChat alone).
  package let recipient: PeerID?
  /// Of the recipient's users, or empty for the peer itself; at most `userLimit` bytes of UTF-8.
  package let user: String
  /// The sender's user, or empty; at most `userLimit` bytes of UTF-8.
  package let senderUser: String
  /// What the payload is, `[a-z][a-z0-9_.]{0,31}`.
  package let kind: String
  /// 1 (least) to 10 (first).
  package let priority: UInt8
  /// Milliseconds since 1970 by the sender's clock.
  package let sentAt: UInt64
  /// At most 64 KiB.
  package let payload: [UInt8]

  package init(
    id: [UInt8],
    sender: PeerID,
    recipient: PeerID?,
    user: String,
    senderUser: String,
    kind: String,
    priority: UInt8,
    sentAt: UInt64,
    payload: [UInt8]
  ) {
    self.id = id
    self.sender = sender
    self.recipient = recipient
    self.user = user
    self.senderUser = senderUser
    self.kind = kind
    self.priority = priority
    self.sentAt = sentAt
    self.payload = payload
  }

  /// Appends the message as `init(from:)` reads it.
  package func write(to writer: inout ByteWriter) {
    writer.raw(id)
    writer.raw(sender.bytes)
    writer.raw(recipient?.bytes ?? [UInt8](repeating: 0, count: PeerID.size))
    writer.counted(Array(user.utf8))
    writer.counted(Array(senderUser.utf8))
    writer.counted(Array(kind.utf8))
    writer.number(priority)
    writer.number(sentAt)
    writer.number(UInt32(payload.count))
    writer.raw(payload)
  }

  /// Reads a message; who sent it is for the caller to prove.
  package init(from reader: inout ByteReader) throws(MalformedPacket) {
    id = try reader.raw(Self.idSize)
    sender = try reader.peer()
    let recipient = try reader.peer()
    self.recipient = recipient.bytes.allSatisfy { $0 == 0 } ? nil : recipient
    user = try reader.text(atMost: Self.userLimit)
    senderUser = try reader.text(atMost: Self.userLimit)
    kind = try reader.text(atMost: 32)
    guard Self.isKind(kind) else { throw MalformedPacket("has no valid kind") }
    priority = try reader.number()
    guard (1...10).contains(priority) else { throw MalformedPacket("has priority \(priority)") }
    sentAt = try reader.number()
    let count = Int(try reader.number(UInt32.self))
    guard count <= Self.payloadLimit else { throw MalformedPacket("has \(count) bytes of payload") }
    payload = try reader.raw(count)
  }

  /// Whether `text` may be a kind: `[a-z][a-z0-9_.]{0,31}`.
  package static func isKind(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (1...32).contains(bytes.count), (97...122).contains(bytes[0]) else { return false }
    return bytes.allSatisfy {
      (97...122).contains($0) || (48...57).contains($0) || $0 == 95 || $0 == 46
    }
  }
}
