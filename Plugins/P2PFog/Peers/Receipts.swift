import GatewayPlugin
import Synchronization

/// Answers that wait for the receipt of their message.
final class Receipts: Sendable {
  private final class Waiting: Sendable {
    let gate = Gate()
    let entry = Mutex<MessageStore.Entry?>(nil)
  }

  private let waiting = Mutex<[String: Waiting]>([:])

  /// Sends a message and waits until it is known what became of it, on a worker.
  ///
  /// - Parameters:
  ///   - id: Of the message.
  ///   - limit: How long at most.
  ///   - send: Sends it; called once.
  /// - Returns: What became of it; `nil` when that is not known yet.
  func wait(
    for id: String,
    atMost limit: Duration,
    after send: () -> Void
  ) -> MessageStore.Entry? {
    let one = Waiting()
    waiting.withLock { $0[id] = one }
    defer { waiting.withLock { _ = $0.removeValue(forKey: id) } }
    send()
    _ = one.gate.wait(atMost: limit)
    return one.entry.withLock { $0 }
  }

  /// Tells whoever waits for it what became of a message.
  func settle(_ entry: MessageStore.Entry) {
    guard let one = waiting.withLock({ $0[entry.id] }) else { return }
    one.entry.withLock { $0 = entry }
    one.gate.open()
  }
}
