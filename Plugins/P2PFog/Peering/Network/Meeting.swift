/// A handshake that someone waits for.
struct Meeting {
  let peer: PeerID
  /// As it was asked for; the session may come to be elsewhere.
  let endpoint: Endpoint
  /// Told how it ended.
  let completion: @Sendable (Result<PeerID, ConnectRefusal>) -> Void
}
