/// The packets seen last: a packet is taken once, and an answer finds its way back.
package struct PacketCache: Sendable {
  /// One sending of a message or of an answer.
  package struct Key: Hashable, Sendable {
    let message: MessageKey
    let kind: MeshPacket.Kind
    let attempt: UInt8

    init(_ packet: MeshPacket) {
      message = MessageKey(packet.id, packet.origin)
      kind = packet.kind
      attempt = packet.attempt
    }

    init(_ message: MessageKey, _ kind: MeshPacket.Kind, _ attempt: UInt8) {
      self.message = message
      self.kind = kind
      self.attempt = attempt
    }
  }

  /// Sendings remembered, as many as the original remembers.
  package static let limit = 10_000

  private struct Entry: Sendable {
    /// A bit for every fragment that has come.
    var fragments: UInt128
    /// Who brought the first.
    let from: PeerID
  }

  private var entries: [Key: Entry] = [:]
  private var ring: [Key] = []
  private var oldest = 0

  package init() {}

  /// Sendings remembered.
  package var count: Int { entries.count }

  /// Whether this fragment in this attempt has come before.
  package func contains(_ packet: MeshPacket) -> Bool {
    guard let entry = entries[Key(packet)] else { return false }
    return entry.fragments & 1 << UInt128(packet.index) != 0
  }

  /// Remembers an authentic packet, in place of the oldest sending when there are too many.
  package mutating func insert(_ packet: MeshPacket, from peer: PeerID) {
    let key = Key(packet)
    let bit = UInt128(1) << UInt128(packet.index)
    if entries[key] != nil {
      entries[key]?.fragments |= bit
      return
    }
    entries[key] = Entry(fragments: bit, from: peer)
    if ring.count < Self.limit {
      ring.append(key)
    } else {
      entries[ring[oldest]] = nil
      ring[oldest] = key
      oldest = (oldest + 1) % Self.limit
    }
  }

  /// Forgets all sendings of a message, so that any of them is taken again.
  mutating func forget(_ message: MessageKey) {
    for attempt in UInt8.min...UInt8.max { entries[Key(message, .message, attempt)] = nil }
  }

  /// Who brought a message here first: the way back to its origin.
  package func from(_ message: MessageKey, attempt: UInt8) -> PeerID? {
    entries[Key(message, .message, attempt)]?.from
  }
}
