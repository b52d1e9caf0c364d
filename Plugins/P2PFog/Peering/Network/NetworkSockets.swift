/// The sockets of a peer, datagrams and links on the same port; closed when the last owner goes away.
package final class NetworkSockets: Sendable {
  /// Tries for a port that is free for both kinds.
  private static let attempts = 16

  let datagrams: DatagramSocket
  let links: ListeningSocket

  /// Where both are bound.
  package var local: Endpoint { datagrams.local }

  /// Binds both.
  ///
  /// - Parameters:
  ///   - endpoint: With a port of 0, one that the system chooses.
  ///   - preferred: A port to be tried first where `endpoint` has none: the one of the last time; 0 for none.
  ///   - group: To be found by.
  /// - Returns: The sockets.
  /// - Throws: What the machine refused.
  package static func open(
    _ endpoint: Endpoint,
    preferring preferred: UInt16,
    group: Endpoint?
  ) throws(NetworkError) -> NetworkSockets {
    if endpoint.port != 0 { return try NetworkSockets(endpoint, group) }
    if preferred != 0, let kept = Endpoint(address: endpoint.address, port: preferred),
      let sockets = try? NetworkSockets(kept, group)
    {
      return sockets
    }
    for _ in 1..<attempts {
      do {
        return try NetworkSockets(endpoint, group)
      } catch .addressInUse {}
    }
    return try NetworkSockets(endpoint, group)
  }

  private init(_ endpoint: Endpoint, _ group: Endpoint?) throws(NetworkError) {
    let datagrams = try DatagramSocket(endpoint, group: group)
    links = try ListeningSocket(datagrams.local)
    self.datagrams = datagrams
  }
}
