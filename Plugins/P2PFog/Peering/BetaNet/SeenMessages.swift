/// The messages that were taken in the last while, so that none is given out twice.
///
/// Bounded: beyond `limit` the oldest are forgotten, and what is older than its window cannot come back, since `Overlay` refuses
/// messages whose time is that far off.
struct SeenMessages: Sendable {
  private struct Key: Hashable {
    let sender: PeerID
    let id: [UInt8]
  }

  private let limit: Int
  private let window: UInt64
  private var keys: Set<Key> = []
  private var order: [(key: Key, at: UInt64)] = []
  private var first = 0

  /// - Parameters:
  ///   - limit: Messages that are remembered.
  ///   - window: Nanoseconds for which.
  init(limit: Int, window: UInt64) {
    self.limit = limit
    self.window = window
  }

  var count: Int { keys.count }

  /// Whether the message was taken before.
  func contains(_ id: [UInt8], from sender: PeerID) -> Bool {
    keys.contains(Key(sender: sender, id: id))
  }

  /// Forgets a message that was not taken after all.
  mutating func remove(_ id: [UInt8], from sender: PeerID) {
    let key = Key(sender: sender, id: id)
    guard keys.remove(key) != nil, let index = order[first...].lastIndex(where: { $0.key == key })
    else { return }
    order.remove(at: index)
  }

  /// Remembers a message.
  mutating func insert(_ id: [UInt8], from sender: PeerID, now: UInt64) {
    while first < order.count, keys.count >= limit || order[first].at + window <= now {
      keys.remove(order[first].key)
      first += 1
    }
    if first > limit {
      order.removeSubrange(..<first)
      first = 0
    }
    let key = Key(sender: sender, id: id)
    if keys.insert(key).inserted { order.append((key, now)) }
  }
}
