/// What the loop tells of peers and calls, in order, on its own thread.
package enum NetworkEvent: Sendable {
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

/// What became of a message that this peer has sent.
package struct MessageOutcome: Sendable, Equatable {
  package let id: [UInt8]
  package let transport: PeerMessage.Transport
  /// Why it was given up; `nil` for one whose receipt has come.
  package let failure: String?
  /// Links that it has passed, where that is known.
  package let hops: Int?
  /// From `send` to the receipt.
  package let roundTripMicroseconds: Int?

  /// A receipt has come.
  package init(
    delivered id: [UInt8],
    _ transport: PeerMessage.Transport,
    hops: Int?,
    roundTripMicroseconds: Int
  ) {
    self.id = id
    self.transport = transport
    failure = nil
    self.hops = hops
    self.roundTripMicroseconds = roundTripMicroseconds
  }

  /// It was given up.
  package init(undelivered id: [UInt8], _ transport: PeerMessage.Transport, reason: String) {
    self.id = id
    self.transport = transport
    failure = reason
    hops = nil
    roundTripMicroseconds = nil
  }
}

/// What came and has to be stored before anyone is told that it did.
package struct NetworkBatch: Sendable {
  /// A message with the way it came.
  package typealias Arrival = (message: PeerMessage, transport: PeerMessage.Transport, hops: Int?)

  /// Messages for this peer.
  package var arrivals: [Arrival] = []
  /// What became of sent messages; one that is stored already may come again.
  package var outcomes: [MessageOutcome] = []
  /// What changed among the known peers.
  package var changes: [Roster.Change] = []

  /// Whether there is nothing to store.
  var isEmpty: Bool { arrivals.isEmpty && outcomes.isEmpty && changes.isEmpty }
}
