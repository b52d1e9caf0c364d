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
    case called(CallToken, PeerID, method: String, CallBody)
    /// An own call has ended, by its number.
    case answered(call: UInt64, CallResult)
  }
}
