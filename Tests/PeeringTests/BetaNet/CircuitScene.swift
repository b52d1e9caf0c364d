import Peering

/// Messages over a network of peers, and what became of them.
extension VirtualNetwork {
  static let second: UInt64 = 1_000_000_000

  func message(
    from: Int,
    to: Int,
    _ payload: [UInt8] = Array("hello".utf8),
    id: [UInt8] = RandomBytes.make(16),
    priority: UInt8 = 5
  ) -> PeerMessage {
    PeerMessage(
      id: id,
      sender: peers[from].id,
      recipient: peers[to].id,
      user: "anna",
      senderUser: "bert",
      kind: "note",
      priority: priority,
      sentAt: now.wall,
      payload: payload
    )
  }

  @discardableResult
  func send(_ message: PeerMessage, from: Int, hops: Int? = nil) -> [UInt8] {
    with(from) { overlay, roster, now in
      overlay.send(message, hops: hops, roster: roster, now: now)
    }
    return message.id
  }

  func received(_ peer: Int) -> [PeerMessage] {
    peers[peer].told.compactMap { if case .received(let message) = $0 { message } else { nil } }
  }

  func receipts(_ peer: Int) -> [[UInt8]] {
    peers[peer].told.compactMap { if case .receipt(let id, _) = $0 { id } else { nil } }
  }

  func undelivered(_ peer: Int) -> [Overlay.Undelivered] {
    peers[peer].told.compactMap { if case .undelivered(_, let why) = $0 { why } else { nil } }
  }

  func circuits(_ peer: Int) -> [Overlay.CircuitEvent] {
    peers[peer].told.compactMap { if case .circuit(let event) = $0 { event } else { nil } }
  }

  /// The peers that relay a circuit now.
  var relays: [Int] { peers.indices.filter { peers[$0].overlay.relayedCircuits > 0 } }
}
