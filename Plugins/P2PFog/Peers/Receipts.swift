import GatewayPlugin
import Synchronization

/// Answers that wait for the receipt of their message.
final class Receipts: Sendable {
  private final class Waiting: Sendable {
    let gate = Gate()
    let entry = Mutex<MessageStore.Entry?>(nil)
  }

  /// Waits at once: each holds one of the host's few threads, which answer other requests and other peers' calls too.
  static let limit = 3

  private let waiting = Mutex<[String: Waiting]>([:])

  /// Sends a message and waits until it is known what became of it, on a worker; where `limit` others wait, it does not.
  ///
  /// - Parameters:
  ///   - id: Of the message.
  ///   - limit: How long at most.
  ///   - send: Sends it; called once. False when nobody here will know what becomes of it. What it throws is thrown.
  /// - Returns: What became of it; `nil` when that is not known yet.
  func wait(
    for id: String,
    atMost limit: Duration,
    after send: () throws -> Bool
  ) rethrows -> MessageStore.Entry? {
    let one = Waiting()
    let mayWait = waiting.withLock { waiting in
      guard waiting.count < Self.limit else { return false }
      waiting[id] = one
      return true
    }
    guard mayWait else {
      _ = try send()
      return nil
    }
    defer { waiting.withLock { _ = $0.removeValue(forKey: id) } }
    guard try send() else { return nil }
    _ = one.gate.wait(atMost: limit)
    return one.entry.withLock { $0 }
  }

  /// Tells whoever waits for it what became of a message.
  func settle(_ entry: MessageStore.Entry) {
    guard let one = waiting.withLock({ $0[entry.id] }) else { return }
    one.entry.withLock { $0 = entry }
    one.gate.open()
  }

  /// Ends every wait: the network stops, and what became of the messages will be known later.
  func end() {
    for one in waiting.withLock({ Array($0.values) }) { one.gate.open() }
  }
}
