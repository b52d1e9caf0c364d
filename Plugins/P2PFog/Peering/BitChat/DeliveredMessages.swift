/// The messages delivered here last, each once.
///
/// What is forgotten must not come again: for every origin the newest time among its forgotten messages is kept, and nothing
/// older is taken. So the bound holds without a way for a replay.
package struct DeliveredMessages: Sendable {
  /// Messages remembered.
  package static let limit = 10_000

  private struct Entry: Sendable {
    let origin: PeerID
    let sentAt: UInt64
    var attempt: UInt8
  }

  private var entries: [MessageKey: Entry] = [:]
  private var ring: [MessageKey] = []
  private var oldest = 0
  private var forgotten: [PeerID: UInt64] = [:]

  package init() {}

  /// Whether a message was delivered and is remembered.
  package func contains(_ key: MessageKey) -> Bool { entries[key] != nil }

  /// Whether a message that is not remembered may be one that was forgotten.
  package func mayBeForgotten(_ origin: PeerID, sentAt: UInt64) -> Bool {
    forgotten[origin].map { sentAt <= $0 } ?? false
  }

  /// Remembers a message that is delivered now.
  package mutating func insert(_ key: MessageKey, origin: PeerID, sentAt: UInt64, attempt: UInt8) {
    entries[key] = Entry(origin: origin, sentAt: sentAt, attempt: attempt)
    if ring.count < Self.limit {
      ring.append(key)
      return
    }
    if let entry = entries.removeValue(forKey: ring[oldest]) {
      forgotten[entry.origin] = max(forgotten[entry.origin] ?? 0, entry.sentAt)
    }
    ring[oldest] = key
    oldest = (oldest + 1) % Self.limit
  }

  /// Forgets a message that was not taken after all, so that it may come again.
  ///
  /// Its place in the ring stays, and is passed over when its turn comes.
  mutating func remove(_ key: MessageKey) { entries[key] = nil }

  /// Whether a delivered message came in an attempt that no receipt has answered yet; it is then taken to be answered.
  package mutating func needsReceipt(_ key: MessageKey, attempt: UInt8) -> Bool {
    guard let entry = entries[key], attempt > entry.attempt else { return false }
    entries[key]?.attempt = attempt
    return true
  }
}
