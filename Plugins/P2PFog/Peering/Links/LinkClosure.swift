/// Why a link ended.
package enum LinkClosure: Error, Equatable, Sendable {
  /// The other's first byte is another version than ours.
  case version(UInt8)
  /// The handshake is malformed, forged, or of another version or carrier.
  case handshake(String)
  /// The other is no peer of ours; nothing is said to it.
  case notAdmitted
  /// Another peer answers than the one that was dialled.
  case wrongPeer
  /// The handshake was not complete in time.
  case timeout
  /// What came breaks the protocol; a text to follow "the packet ".
  case malformed(String)
  /// More came than a peer may send.
  case flood(String)
  /// Several pings in a row had no answer.
  case unanswered
  /// Another link with the same peer stays, by `Overlay`'s rule.
  case duplicate
  /// The stream numbers of the link are used up; a new one has them again.
  case exhausted
  /// The connection ended below.
  case lost
  /// The peer was banned, or this peer stops.
  case stopped

  /// A word for counters and events, without anything that the other has sent.
  package var word: String {
    switch self {
    case .version: "version"
    case .handshake: "handshake"
    case .notAdmitted: "not_admitted"
    case .wrongPeer: "wrong_peer"
    case .timeout: "timeout"
    case .malformed: "malformed"
    case .flood: "flood"
    case .unanswered: "unanswered"
    case .duplicate: "duplicate"
    case .exhausted: "exhausted"
    case .lost: "lost"
    case .stopped: "stopped"
    }
  }
}
