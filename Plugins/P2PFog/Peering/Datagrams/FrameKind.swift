/// What a frame in a `data` datagram is: its first byte.
package enum FrameKind: UInt8, Sendable {
  // Membership.
  case ping = 1
  case ack, pingRequest, gossip, digest, entries
  // BitChat.
  case packet = 16
  case stored, storedAck, neighbour

  /// A frame that begins with this kind.
  package func writer() -> ByteWriter {
    var writer = ByteWriter()
    writer.number(rawValue)
    return writer
  }

  package var isMembership: Bool { rawValue < Self.packet.rawValue }
}
