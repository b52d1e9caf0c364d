/// A handshake that this peer has begun, until the other has shown that it has the keys.
struct Initiation: Sendable {
  /// Which of its messages waits for an answer.
  enum Stage: Sendable {
    case first, third
  }

  var handshake: PeerHandshake
  let endpoint: Endpoint
  /// Who has to answer; `nil` when nobody certain.
  let expected: PeerID?
  /// Whether the operator asked for it and is told how it ends.
  let isAsked: Bool
  /// Whether it can let this peer in where it is not known.
  let bringsInvitation: Bool
  let ownName: UInt32
  let firstMessage: [UInt8]
  var stage = Stage.first
  /// What is sent again.
  var datagram: [UInt8]
  var tries: Int
  var nextAt: UInt64
  /// The last cookie that was answered with; one that comes again is not answered.
  var cookie: [UInt8]
}

/// How a handshake that this peer has begun ended without a session.
package enum ConnectRefusal: String, Error, Sendable {
  /// No answer, or none that says it was let in: an unknown peer gets silence.
  case noAnswer = "no_answer"
  /// Another peer than the expected one answered.
  case otherPeer = "other_peer"
  /// The one who answered is not known here, and showed no proof.
  case unknownPeer = "unknown_peer"
  /// Too many handshakes are under way, or too many sessions are open.
  case busy
}
