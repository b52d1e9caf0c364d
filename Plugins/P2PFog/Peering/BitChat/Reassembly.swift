/// Messages of which fragments have come, bounded over all and for each origin.
struct Reassembly: Sendable {
  /// One message in the making.
  struct Partial: Sendable {
    let id: [UInt8]
    let origin: PeerID
    let recipient: PeerID?
    let priority: UInt8
    let startedAt: UInt64
    var attempt: UInt8
    var parts: [[UInt8]?]
    var left: Int
    /// When the last fragment came.
    var touchedAt: UInt64
    /// Most links that any fragment has passed.
    var hops: UInt8
    /// How often fragments were asked for.
    var asked: UInt8 = 0

    /// A bit for each fragment that is lacking, the first in the highest bit of the first byte.
    var lacking: [UInt8] {
      var bits = [UInt8](repeating: 0, count: (parts.count + 7) / 8)
      for index in parts.indices where parts[index] == nil {
        bits[index / 8] |= 0x80 >> (index % 8)
      }
      return bits
    }
  }

  /// What a fragment led to.
  enum Step {
    case waiting(isFirst: Bool)
    case complete(Partial, [UInt8])
    case refused(DropReason)
  }

  static let limit = 256
  static let limitPerOrigin = 32
  /// A message that is not whole after this is forgotten, in nanoseconds.
  static let timeLimit: UInt64 = 60_000_000_000

  private var partials: [MessageKey: Partial] = [:]
  private var origins: [PeerID: Int] = [:]

  subscript(key: MessageKey) -> Partial? { partials[key] }

  /// Takes a fragment.
  mutating func add(_ packet: MeshPacket, key: MessageKey, now: UInt64) -> Step {
    var partial: Partial
    let isFirst = partials[key] == nil
    if let held = partials[key] {
      guard held.parts.count == Int(packet.count), held.recipient == packet.recipient else {
        return .refused(.malformed)
      }
      partial = held
    } else {
      guard partials.count < Self.limit, origins[packet.origin, default: 0] < Self.limitPerOrigin
      else { return .refused(.full) }
      origins[packet.origin, default: 0] += 1
      partial = Partial(
        id: packet.id,
        origin: packet.origin,
        recipient: packet.recipient,
        priority: packet.priority,
        startedAt: now,
        attempt: packet.attempt,
        parts: [[UInt8]?](repeating: nil, count: Int(packet.count)),
        left: Int(packet.count),
        touchedAt: now,
        hops: 0
      )
    }
    partial.attempt = max(partial.attempt, packet.attempt)
    partial.hops = max(partial.hops, packet.hops + 1)
    partial.touchedAt = now
    if partial.parts[Int(packet.index)] == nil {
      partial.parts[Int(packet.index)] = packet.body
      partial.left -= 1
    }
    partials[key] = partial
    guard partial.left == 0 else { return .waiting(isFirst: isFirst) }
    remove(key)
    return .complete(partial, partial.parts.flatMap { $0 ?? [] })
  }

  /// Counts that fragments are asked for, and gives what is lacking.
  mutating func ask(_ key: MessageKey) -> Partial? {
    partials[key]?.asked += 1
    return partials[key]
  }

  mutating func remove(_ key: MessageKey) {
    guard let partial = partials.removeValue(forKey: key) else { return }
    let left = origins[partial.origin, default: 1] - 1
    origins[partial.origin] = left > 0 ? left : nil
  }
}
