package import GatewayPlugin
package import Peering

/// Calls between peers: a request and its answer.
///
/// A call to this peer itself is answered here, without a network, so that the gateway's own node is a node like any other.
package protocol PeerCalls: Sendable {
  /// This peer.
  var own: PeerID { get }

  /// Calls a peer and waits; on a worker or in a job, from any thread.
  ///
  /// - Parameters:
  ///   - peer: A known peer, or this one.
  ///   - method: One that the peer serves.
  ///   - body: At most `CallBody.jsonLimit` and `CallBody.bytesLimit`.
  ///   - timeout: Then `CallFailure.timeout`; the peer may have done what was asked.
  /// - Returns: The answer.
  /// - Throws: What ended the call.
  func call(
    _ peer: PeerID,
    _ method: String,
    _ body: CallBody,
    timeout: Duration
  ) throws(CallFailure) -> CallBody

  /// Serves a method; before the first call arrives.
  ///
  /// - Parameters:
  ///   - method: Like `fog.heartbeat`.
  ///   - handler: Called on a worker, side by side with itself, with the proven caller.
  func serve(
    _ method: String,
    _ handler: @escaping @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody
  )
}

/// What a call carries, either way.
package struct CallBody: Sendable, Equatable {
  /// Bytes of the JSON text at most.
  package static let jsonLimit = 256 << 10
  /// Further bytes at most.
  package static let bytesLimit = 1 << 20

  /// An object.
  package var json: JSON
  /// A piece of a file, or nothing.
  package var bytes: [UInt8]

  package init(_ json: JSON = [:], bytes: [UInt8] = []) {
    self.json = json
    self.bytes = bytes
  }
}

/// What ended a call without an answer.
package enum CallFailure: Error, Sendable, Equatable {
  /// The peer has no link, and none could be made.
  case unreachable(String)
  /// Nothing came in time, or the link was lost: the peer may or may not have done it.
  case timeout
  /// The peer says no.
  case refused(code: String, message: String)
}
