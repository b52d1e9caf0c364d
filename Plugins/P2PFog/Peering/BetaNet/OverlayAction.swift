extension Overlay {
  /// What the loop has to do, or to tell.
  package enum Action: Sendable, Equatable {
    /// Write to the connection, after all that was given before; `wrote` follows as it leaves.
    case write(link: Int, [UInt8])
    /// Close the connection: the number is over, and `closed` need not be called for it.
    case close(link: Int, LinkClosure)
    /// Connect, and call `opened` or `dialFailed`.
    case dial(Endpoint, PeerID)
    /// The first link with the peer is established.
    case linkUp(PeerID)
    /// The last link with the peer is over.
    case linkDown(PeerID, LinkClosure)
    /// The peer asks; `answer` is owed.
    case called(CallToken, PeerID, method: String, CallContent)
    /// An own call has ended, by its number.
    case answered(call: UInt64, CallResult)
    /// A message has arrived whole; its sender is proven and known, and it was not taken before.
    case received(PeerMessage)
    /// The recipient has the message; nanoseconds from the try that succeeded to its receipt.
    case receipt(id: [UInt8], roundTrip: UInt64)
    /// The message is given up; whether the recipient has it is not known unless it was `refused`.
    case undelivered(id: [UInt8], Undelivered)
    /// Something happened to an own circuit.
    case circuit(CircuitEvent)
  }

  /// Why a message was given up.
  package enum Undelivered: Sendable, Equatable {
    /// It has no recipient, this peer as recipient, another sender than this peer, or is larger than allowed.
    case invalid
    /// The recipient's record is not known.
    case unknownRecipient
    /// There are fewer peers than the hops ask for.
    case tooFewPeers(needed: Int, known: Int)
    /// Too many messages wait, or one of the same identifier does.
    case outboxFull
    /// So many circuits were tried; why the last one failed.
    case gaveUp(tries: Int, CircuitEnd)
    /// The recipient does not want it.
    case refused(MessageRefusal)
  }

  /// What happens to own circuits, for metrics and events; hops between are not named.
  package enum CircuitEvent: Sendable, Equatable {
    /// It can be used.
    case built(recipient: PeerID, hops: Int, duration: UInt64)
    /// It could not be built, or broke.
    case failed(recipient: PeerID, CircuitEnd)
    /// It was given up as planned.
    case closed(recipient: PeerID, CircuitEnd)
  }
}

/// Why a recipient does not take a message.
package enum MessageRefusal: UInt8, Sendable, Equatable {
  /// It does not know the sender.
  case unknownSender = 1
  /// The sender has sent too many.
  case flood = 2
  /// The message's time is too far from the recipient's.
  case stale = 3
  /// The recipient keeps as many of the sender's messages as it keeps of one peer.
  case quota = 4

  /// A word for counters and events.
  package var word: String {
    switch self {
    case .unknownSender: "unknown_sender"
    case .flood: "flood"
    case .stale: "stale"
    case .quota: "quota"
    }
  }
}
