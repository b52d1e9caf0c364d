/// News that is still to be passed on: the least told first, each a bounded number of times (SWIM section 4.1).
struct Dissemination: Sendable {
  private struct Item: Sendable {
    let update: MemberUpdate
    var told = 0
    let order: UInt64
  }

  /// Subjects at most; older news than these travels by comparison of states alone.
  static let limit = 1024

  private var items: [PeerID: Item] = [:]
  private var order: UInt64 = 0

  var isEmpty: Bool { items.isEmpty }

  /// Queues news, in place of older news about the same member.
  mutating func add(_ update: MemberUpdate) {
    guard items[update.id] != nil || items.count < Self.limit else { return }
    order += 1
    items[update.id] = Item(update: update, order: order)
  }

  mutating func remove(_ id: PeerID) { items[id] = nil }

  /// Takes the news for one frame.
  ///
  /// - Parameters:
  ///   - size: Bytes that there is room for.
  ///   - times: How often each piece is passed on in all.
  ///   - receiver: Is not told about itself here; what it has to know of itself is for the caller.
  /// - Returns: At most 255 pieces.
  mutating func take(size: Int, times: Int, for receiver: PeerID) -> [MemberUpdate] {
    guard !items.isEmpty else { return [] }
    var left = size
    var taken: [MemberUpdate] = []
    let byNeed = items.values.sorted { ($0.told, $1.order) < ($1.told, $0.order) }
    for item in byNeed {
      // The smallest piece has 41 bytes.
      if left < 41 || taken.count == 255 { break }
      guard item.update.id != receiver, item.update.size <= left else { continue }
      left -= item.update.size
      taken.append(item.update)
      items[item.update.id]?.told += 1
      if item.told + 1 >= times { items[item.update.id] = nil }
    }
    return taken
  }
}
