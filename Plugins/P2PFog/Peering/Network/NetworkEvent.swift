/// What the loop tells of messages and peers, in order, on its own thread.
package enum NetworkEvent: Sendable {
  /// A sent message has arrived, by its receipt.
  case delivered(id: [UInt8], PeerMessage.Transport, hops: Int?, roundTripMicroseconds: Int)
  /// A sent message was given up.
  case undelivered(id: [UInt8], PeerMessage.Transport, reason: String)
  /// A member's state changed.
  case member(PeerID, state: String)
  /// A link with a peer stands, or is over.
  case link(PeerID, isUp: Bool, reason: String)
  /// A circuit of this peer's.
  case circuit(Overlay.CircuitEvent)
  /// A beacon was heard while one was looking.
  case found(PeerID, Endpoint, name: String, isKnown: Bool)
  /// A peer calls; `PeerLoop.answer` is owed.
  case called(CallToken, PeerID, method: String, CallContent)
  /// A call of this peer's has ended, by the number that it was given.
  case answered(UInt64, CallResult)
}

/// What came and has to be stored before anyone is told that it did.
package struct NetworkBatch: Sendable {
  /// A message with the way it came.
  package typealias Arrival = (message: PeerMessage, transport: PeerMessage.Transport, hops: Int?)

  /// Messages for this peer.
  package var arrivals: [Arrival] = []
  /// What changed among the known peers.
  package var changes: [Roster.Change] = []
}
