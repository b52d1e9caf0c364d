import GatewayPlugin
import Peering

/// The body of `POST /v1/p2p/message`.
struct MessageRequest: Sendable, Equatable {
  /// Whom a message is for.
  enum Recipient: Sendable, Equatable {
    /// A peer, or one of its users.
    case peer(PeerID, user: String)
    /// A user of this gateway.
    case local(user: String)
    /// Every peer.
    case everyone
  }

  /// How it should travel.
  enum Way: String, Sendable, CaseIterable {
    case auto, bitchat, betanet
  }

  var recipient: Recipient
  var kind: String
  var payload: [UInt8]
  var priority: Int
  var way: Way
  /// Of a circuit; `nil` for the operator's number.
  var hops: Int?
  /// Seconds that the answer waits for the receipt.
  var waitSeconds: Int

  private static let priorities = ["low": 2, "normal": 5, "high": 8, "urgent": 10]

  init(_ fields: inout Fields) {
    recipient = Self.recipient(&fields)
    (kind, payload) = fields.object("message") { message in
      let kind = message.string("type", 1...32, default: "text")
      if !PeerMessage.isKind(kind) {
        message.refuse(
          "type",
          "must begin with a lower-case letter and have a-z, 0-9, _ and . alone"
        )
      }
      let payload = message.json("payload") ?? [:]
      let bytes = payload.bytes
      if bytes.count > PeerMessage.payloadLimit {
        message.refuse(
          "payload",
          "has \(bytes.count) bytes as JSON; \(PeerMessage.payloadLimit) are allowed"
        )
      }
      return (kind, bytes)
    }
    priority = Self.priority(&fields)
    way =
      Way(rawValue: fields.choice("transport", Way.allCases.map(\.rawValue), default: "auto"))
      ?? .auto
    hops = fields.optionalInteger("hops", 2...6)
    waitSeconds = fields.integer("wait_seconds", 0...30, default: 0)
    if !fields.bool("encryption", default: true) {
      fields.refuse("encryption", "cannot be false: every message to a peer is encrypted")
    }
    if !fields.bool("delivery_receipt", default: true) {
      fields.refuse(
        "delivery_receipt",
        "cannot be false: a message is sent again until its receipt comes"
      )
    }
    if recipient == .everyone, way == .betanet {
      fields.refuse("transport", "must be auto or bitchat for a message to every peer")
    }
    if hops != nil, way != .betanet { fields.refuse("hops", "needs the transport betanet") }
  }

  private static func recipient(_ fields: inout Fields) -> Recipient {
    let text = fields.string("recipient", 1...256)
    if text == "*" { return .everyone }
    if let id = PeerID(text: text) { return .peer(id, user: "") }
    guard let at = text.lastIndex(of: "@") else { return .local(user: text) }
    let user = String(text[..<at])
    guard let id = PeerID(text: String(text[text.index(after: at)...])),
      (1...PeerMessage.userLimit).contains(user.utf8.count)
    else {
      fields.refuse(
        "recipient",
        "must be a peer id, USER@PEER_ID, a user of this gateway, or * for every peer"
      )
      return .everyone
    }
    return .peer(id, user: user)
  }

  /// A number from 1 to 10, or a word.
  private static func priority(_ fields: inout Fields) -> Int {
    if case .string(let word)? = fields.json("priority") {
      if let value = priorities[word] { return value }
      fields.refuse(
        "priority",
        "must be 1 to 10, or one of low, normal, high, urgent",
        allowed: priorities.keys.sorted()
      )
      return 5
    }
    return fields.integer("priority", 1...10, default: 5)
  }
}
