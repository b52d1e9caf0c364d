/// Packets kept for peers that are away: who has waited with the higher priority goes first, and the lowest makes room.
package struct StoredPackets: Sendable {
  /// One packet that waits.
  package struct Item: Sendable {
    let name: Name
    let packet: MeshPacket
    let storedAt: UInt64
    var tries = 0
    var nextAt: UInt64 = 0
  }

  /// A fragment of one message or answer; a later attempt takes the place of an earlier one.
  package struct Name: Hashable, Sendable {
    let message: MessageKey
    let kind: MeshPacket.Kind
    let index: UInt16
  }

  package let messageLimit: Int
  package let byteLimit: Int
  package let timeLimit: UInt64

  private var items: [PeerID: [Name: Item]] = [:]
  private var messages: [MessageKey: Int] = [:]
  // Packets of each priority, 1 to 10: a search for one to forget is made only when it finds one.
  private var priorities = [Int](repeating: 0, count: 11)
  private var expiredAt: UInt64 = 0
  /// Bytes of all bodies that wait.
  package private(set) var bytes = 0

  package init(messageLimit: Int, byteLimit: Int, timeLimit: UInt64) {
    self.messageLimit = messageLimit
    self.byteLimit = byteLimit
    self.timeLimit = timeLimit
  }

  /// Messages of which at least one packet waits.
  package var count: Int { messages.count }

  package func isWaiting(for peer: PeerID) -> Bool { items[peer]?.isEmpty == false }

  /// Keeps a packet for its recipient.
  ///
  /// - Returns: False when there is no room that its priority could claim.
  package mutating func insert(_ packet: MeshPacket, for peer: PeerID, now: UInt64) -> Bool {
    let message = MessageKey(packet.id, packet.origin)
    let name = Name(message: message, kind: packet.kind, index: packet.index)
    if let held = items[peer]?[name] {
      guard held.packet.attempt < packet.attempt else { return true }
      remove(name, for: peer)
    }
    expire(now: now)
    while bytes + packet.body.count > byteLimit
      || (messages[message] == nil && messages.count >= messageLimit)
    {
      guard evict(below: packet.priority) else { return false }
    }
    items[peer, default: [:]][name] = Item(name: name, packet: packet, storedAt: now)
    messages[message, default: 0] += 1
    priorities[Int(packet.priority)] += 1
    bytes += packet.body.count
    return true
  }

  /// Up to `limit` packets for a peer that are due, the first priority first.
  package mutating func take(_ limit: Int, for peer: PeerID, now: UInt64, wait: UInt64)
    -> [MeshPacket]
  {
    expire(now: now)
    let due = items[peer, default: [:]].values.filter { $0.nextAt <= now }
    let first = due.sorted {
      ($1.packet.priority, $0.storedAt, $0.packet.index)
        < ($0.packet.priority, $1.storedAt, $1.packet.index)
    }
    var taken: [MeshPacket] = []
    for item in first.prefix(limit) {
      taken.append(item.packet)
      // Doubled up to a minute: a peer that takes nothing is not worth more.
      items[peer]?[item.name]?.nextAt = now + min(wait << UInt64(item.tries), 60_000_000_000)
      items[peer]?[item.name]?.tries = min(item.tries + 1, 16)
    }
    return taken
  }

  /// When the next packet for a peer is due.
  package func nextAt(for peer: PeerID) -> UInt64? { items[peer]?.values.lazy.map(\.nextAt).min() }

  /// Forgets a packet that has arrived.
  package mutating func remove(_ name: Name, for peer: PeerID) {
    guard let item = items[peer]?.removeValue(forKey: name) else { return }
    if items[peer]?.isEmpty == true { items[peer] = nil }
    bytes -= item.packet.body.count
    priorities[Int(item.packet.priority)] -= 1
    let left = messages[name.message, default: 1] - 1
    messages[name.message] = left > 0 ? left : nil
  }

  private mutating func expire(now: UInt64) {
    // A thousandth of the time at most, so that a flood of packets does not make a search each.
    guard now - expiredAt >= timeLimit / 1000 else { return }
    expiredAt = now
    for (peer, held) in items {
      for (name, item) in held where now - item.storedAt >= timeLimit { remove(name, for: peer) }
    }
  }

  /// Forgets the oldest message of the lowest priority that is lower than `priority`.
  private mutating func evict(below priority: UInt8) -> Bool {
    guard priorities[..<Int(priority)].contains(where: { $0 > 0 }) else { return false }
    var worst: (peer: PeerID, item: Item)?
    for (peer, held) in items {
      for item in held.values where item.packet.priority < priority {
        let isWorse = worst.map {
          (item.packet.priority, item.storedAt) < ($0.item.packet.priority, $0.item.storedAt)
        }
        if isWorse ?? true { worst = (peer, item) }
      }
    }
    guard let worst else { return false }
    for name in items[worst.peer, default: [:]].keys where name.message == worst.item.name.message {
      remove(name, for: worst.peer)
    }
    return true
  }
}
