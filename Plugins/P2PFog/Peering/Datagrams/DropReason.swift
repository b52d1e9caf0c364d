/// Why something that came in was not taken.
package enum DropReason: String, Sendable, CaseIterable {
  /// It is no packet of the protocol, or of another version.
  case malformed
  /// It is longer than a datagram or a message may be.
  case oversized
  /// Its key or signature is wrong.
  case forged
  /// Its number or identifier was seen before, or is too old to know.
  case replay
  /// It is of a session that this peer does not have.
  case noSession = "no_session"
  /// Who sent it is not let in.
  case unknownPeer = "unknown_peer"
  /// Its sender is over the limit of packets or bytes.
  case rate
  /// There is no room for more unfinished handshakes, or their rate is too high.
  case handshakes
  /// It is too old or from the future.
  case time
  /// Its hops are used up.
  case hops
  /// There is no room to keep it.
  case full
}
