/// Packets kept for peers that are away: who has waited with the higher priority goes first, and the lowest makes room.
///
/// An origin has a share of the room, within which it makes room for itself alone: however much it sends, and at whatever
/// priority, there is room for others.
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

    /// The name of a fragment.
    ///
    /// - Parameters:
    ///   - message: Of which message.
    ///   - kind: A part of it, or an answer to it.
    ///   - index: Which part.
    package init(message: MessageKey, kind: MeshPacket.Kind, index: UInt16) {
      self.message = message
      self.kind = kind
      self.index = index
    }
  }

  /// What some packets take of the room.
  private struct Holding: Sendable {
    var messages = 0
    var bytes = 0
    // Packets of each priority, 1 to 10: a search for one to forget is made only when it finds one.
    var priorities = [Int](repeating: 0, count: 11)

    func hasLower(than priority: UInt8) -> Bool {
      priorities[..<Int(priority)].contains { $0 > 0 }
    }
  }

  package let messageLimit: Int
  package let byteLimit: Int
  package let originMessageLimit: Int
  package let originByteLimit: Int
  package let timeLimit: UInt64

  private var items: [PeerID: [Name: Item]] = [:]
  private var messages: [MessageKey: Int] = [:]
  private var all = Holding()
  private var origins: [PeerID: Holding] = [:]
  private var expiredAt: UInt64 = 0

  /// A store without packets.
  ///
  /// - Parameters:
  ///   - messageLimit: Messages at most.
  ///   - byteLimit: Bytes of their bodies at most.
  ///   - originShare: The part of both that one origin may have, as its denominator: from 1.
  ///   - timeLimit: Nanoseconds that a packet is kept.
  package init(messageLimit: Int, byteLimit: Int, originShare: Int, timeLimit: UInt64) {
    self.messageLimit = messageLimit
    self.byteLimit = byteLimit
    // Rounded up, so that a small store takes messages at all.
    originMessageLimit = (messageLimit + originShare - 1) / originShare
    originByteLimit = (byteLimit + originShare - 1) / originShare
    self.timeLimit = timeLimit
  }

  /// Messages of which at least one packet waits.
  package var count: Int { messages.count }

  /// Bytes of all bodies that wait.
  package var bytes: Int { all.bytes }

  package func isWaiting(for peer: PeerID) -> Bool { items[peer]?.isEmpty == false }

  /// Keeps a packet for its recipient.
  ///
  /// - Returns: False when there is no room that its priority could claim, in its origin's share or in the whole.
  package mutating func insert(_ packet: MeshPacket, for peer: PeerID, now: UInt64) -> Bool {
    let message = MessageKey(packet.id, packet.origin)
    let name = Name(message: message, kind: packet.kind, index: packet.index)
    if let held = items[peer]?[name] {
      guard held.packet.attempt < packet.attempt else { return true }
      remove(name, for: peer)
    }
    expire(now: now)
    while let crowded = crowding(packet, message) {
      guard evict(below: packet.priority, of: crowded) else { return false }
    }
    items[peer, default: [:]][name] = Item(name: name, packet: packet, storedAt: now)
    let isFirst = messages[message] == nil
    messages[message, default: 0] += 1
    count(packet, isFirst ? 1 : 0, 1)
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
    let left = messages[name.message, default: 1] - 1
    messages[name.message] = left > 0 ? left : nil
    count(item.packet, left > 0 ? 0 : -1, -1)
  }

  /// Whose packets have to make room before another one is kept.
  private enum Crowd {
    case origin(PeerID)
    case all
  }

  private func crowding(_ packet: MeshPacket, _ message: MessageKey) -> Crowd? {
    let bytes = packet.body.count
    let added = messages[message] == nil ? 1 : 0
    let own = origins[packet.origin] ?? Holding()
    if own.bytes + bytes > originByteLimit || own.messages + added > originMessageLimit {
      return .origin(packet.origin)
    }
    return all.bytes + bytes > byteLimit || all.messages + added > messageLimit ? .all : nil
  }

  /// Notes that a packet came, by 1, or went, by -1, and its message with it.
  private mutating func count(_ packet: MeshPacket, _ messages: Int, _ packets: Int) {
    func change(_ holding: inout Holding) {
      holding.messages += messages
      holding.bytes += packets * packet.body.count
      holding.priorities[Int(packet.priority)] += packets
    }
    change(&all)
    change(&origins[packet.origin, default: Holding()])
    if origins[packet.origin]?.messages == 0 { origins[packet.origin] = nil }
  }

  private mutating func expire(now: UInt64) {
    // A thousandth of the time at most, so that a flood of packets does not make a search each.
    guard now - expiredAt >= timeLimit / 1000 else { return }
    expiredAt = now
    for (peer, held) in items {
      for (name, item) in held where now - item.storedAt >= timeLimit { remove(name, for: peer) }
    }
  }

  /// Forgets the oldest message of the lowest priority that is lower than `priority`, among those of `crowd`.
  private mutating func evict(below priority: UInt8, of crowd: Crowd) -> Bool {
    let holding: Holding? =
      switch crowd {
      case .origin(let origin): origins[origin]
      case .all: all
      }
    guard holding?.hasLower(than: priority) == true else { return false }
    var worst: (peer: PeerID, item: Item)?
    for (peer, held) in items {
      for item in held.values where item.packet.priority < priority {
        if case .origin(let origin) = crowd, item.packet.origin != origin { continue }
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
