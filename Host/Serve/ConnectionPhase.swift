extension HTTPConnection {
  /// What the connection is doing.
  enum Phase {
    /// Waiting for, or in, the next request's head.
    case head
    /// The next request's head is here, unread in `input`; its plugin takes none at the moment.
    case held
    /// In a body that the plugin gets whole.
    case collecting
    /// In a body that the plugin gets as it comes.
    case streaming
    /// In the rest of a body that nobody wants.
    case discarding
    /// The request is complete; a plugin answers.
    case waiting
    /// The handshake is done; the socket is handed to a WebSocket once `process` has returned.
    case upgrading
    /// The last answer is out; reading until the client has seen it (RFC 9112 §9.6).
    case lingering
    case closed
  }
}
