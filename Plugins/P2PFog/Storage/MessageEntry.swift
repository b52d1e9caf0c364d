import GatewayPlugin
import Peering
import PluginStorage

/// Messages of the network as they are kept and shown.
extension MessageStore.Entry {
  /// A message that has arrived.
  init(received message: PeerMessage, _ transport: PeerMessage.Transport, hops: Int?, now: UInt64) {
    self.init(
      number: 0,
      id: Hexadecimal.text(message.id),
      direction: "in",
      user: message.user,
      peer: message.sender.description,
      peerUser: message.senderUser,
      kind: message.kind,
      priority: Int(message.priority),
      transport: transport.rawValue,
      status: "received",
      reason: "",
      hops: hops,
      roundTripMicroseconds: nil,
      payload: Self.json(message.payload),
      sentAt: message.sentAt,
      at: now
    )
  }

  /// A message that is about to be sent.
  init(sent message: PeerMessage, way: String, now: UInt64) {
    self.init(
      number: 0,
      id: Hexadecimal.text(message.id),
      direction: "out",
      user: message.senderUser,
      peer: message.recipient?.description,
      peerUser: message.user,
      kind: message.kind,
      priority: Int(message.priority),
      transport: way,
      status: "sent",
      reason: "",
      hops: nil,
      roundTripMicroseconds: nil,
      payload: String(decoding: message.payload, as: UTF8.self),
      sentAt: message.sentAt,
      at: now
    )
  }

  /// The message that was sent, with the same identifier; `nil` for one that is not this gateway's to send.
  func message(from sender: PeerID) -> PeerMessage? {
    guard direction == "out", let id = Hexadecimal.bytes(id),
      let peer = peer.flatMap({ PeerID(text: $0) })
    else { return nil }
    return PeerMessage(
      id: id,
      sender: sender,
      recipient: peer,
      user: peerUser,
      senderUser: user,
      kind: kind,
      priority: UInt8(clamping: priority),
      sentAt: sentAt,
      payload: Array(payload.utf8)
    )
  }

  /// What is shown of it.
  var members: [JSON.Member] {
    let other = peer.map { peerUser.isEmpty ? $0 : "\(peerUser)@\($0)" } ?? "*"
    var members: [JSON.Member] = [
      .init(name: "message_id", value: .string(id)),
      .init(name: "number", value: .integer(Int64(number))),
      .init(name: "direction", value: .string(direction)),
      .init(name: direction == "in" ? "sender" : "recipient", value: .string(other)),
      .init(name: "message", value: ["type": .string(kind), "payload": parsedPayload]),
      .init(name: "priority", value: .integer(Int64(priority))),
      .init(name: "status", value: .string(status)),
      .init(name: "transport_used", value: .string(transport)),
      .init(name: "sent_at", value: Self.time(sentAt)),
      .init(name: "at", value: Self.time(at)),
    ]
    if let hops { members.append(.init(name: "hops", value: .integer(Int64(hops)))) }
    if let roundTripMicroseconds {
      let milliseconds = Double(roundTripMicroseconds) / 1000
      members.append(.init(name: "delivery_time_ms", value: .number(milliseconds)))
    }
    if !reason.isEmpty { members.append(.init(name: "reason", value: .string(reason))) }
    return members
  }

  private var parsedPayload: JSON { (try? JSON.parse(Array(payload.utf8))) ?? .null }

  private static func time(_ milliseconds: UInt64) -> JSON {
    // A peer's clock may say anything; what no calendar has is shown as the last moment it has.
    let bounded = Int64(min(milliseconds, 9_000_000_000_000))
    return .string(Timestamp.text(nanoseconds: bounded * 1_000_000, milliseconds: true))
  }

  /// A payload as JSON: what is none already is wrapped as base64.
  private static func json(_ payload: [UInt8]) -> String {
    if (try? JSON.parse(payload)) != nil { return String(decoding: payload, as: UTF8.self) }
    return JSON.object([.init(name: "base64", value: .string(Base64.encode(payload)))]).text
  }
}
