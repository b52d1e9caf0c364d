/// A packet that waits a moment before it is passed on.
struct PendingRelay: Sendable {
  /// One fragment of one sending.
  struct Name: Hashable, Sendable {
    let key: PacketCache.Key
    let index: UInt16

    init(_ packet: MeshPacket) {
      key = PacketCache.Key(packet)
      index = packet.index
    }
  }

  /// As it goes on.
  let packet: MeshPacket
  /// Who has it already: whoever brought it.
  var holders: [PeerID]
}
