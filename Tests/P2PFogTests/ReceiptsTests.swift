import Foundation
import Peering
import Testing

@testable import P2PFog

@Suite("Answers that wait for a receipt")
struct ReceiptsTests {
  static func entry(_ number: UInt8, _ status: String) -> MessageStore.Entry {
    var entry = MessageStore.Entry(sent: MessageStoreTests.message(number), way: "auto", now: 1)
    entry.status = status
    return entry
  }

  /// What a wait on a thread of its own came to.
  final class Waiter: @unchecked Sendable {
    private let over = DispatchSemaphore(value: 0)
    private let sent = DispatchSemaphore(value: 0)
    // Written before `over` is signalled, read after it was waited for.
    private var status: String?

    init(_ receipts: Receipts, _ id: String, seconds: Int = 60) {
      Thread.detachNewThread { [self] in
        status =
          receipts.wait(for: id, atMost: .seconds(seconds)) {
            sent.signal()
            return true
          }?.status
        over.signal()
      }
    }

    static func allSent(_ waiters: [Waiter]) -> Bool { waiters.allSatisfy { $0.hasSent } }

    /// It has sent its message, and waits.
    var hasSent: Bool { sent.wait(timeout: .now() + 20) == .success }
    var result: String?? { over.wait(timeout: .now() + 20) == .success ? .some(status) : nil }
  }

  @Test("a receipt ends the wait for its own message, and no other")
  func settled() {
    let receipts = Receipts()
    let first = Self.entry(1, "delivered")
    let second = Self.entry(2, "undelivered")
    let waiters = [first, second].map { Waiter(receipts, $0.id) }
    #expect(Waiter.allSent(waiters))
    receipts.settle(Self.entry(3, "delivered"))
    receipts.settle(second)
    #expect(waiters[1].result == .some("undelivered"))
    receipts.settle(first)
    #expect(waiters[0].result == .some("delivered"))
  }

  @Test("a receipt that comes while the message is being sent is not missed")
  func early() {
    let receipts = Receipts()
    let entry = Self.entry(1, "delivered")
    let found = receipts.wait(for: entry.id, atMost: .seconds(60)) {
      receipts.settle(entry)
      return true
    }
    #expect(found?.status == "delivered")
  }

  @Test(
    "beyond so many waits a message is sent and not waited for; when the network stops all waits end"
  )
  func bounds() {
    let receipts = Receipts()
    let waiters = (0..<Receipts.limit).map { Waiter(receipts, "\($0)") }
    #expect(Waiter.allSent(waiters))
    let further = Waiter(receipts, "further")
    #expect(further.hasSent && further.result == .some(nil))
    receipts.end()
    for waiter in waiters { #expect(waiter.result == .some(nil)) }
    let again = Waiter(receipts, "again")
    #expect(again.hasSent)
    receipts.settle(Self.entry(9, "delivered"))
    receipts.end()
    #expect(again.result == .some(nil))
  }

  @Test("what nobody will tell of is not waited for")
  func untold() {
    let receipts = Receipts()
    #expect(receipts.wait(for: "1", atMost: .seconds(600)) { false } == nil)
    let waiters = (0..<Receipts.limit).map { Waiter(receipts, "\($0)") }
    #expect(Waiter.allSent(waiters), "its place is free again")
    receipts.end()
    for waiter in waiters { #expect(waiter.result == .some(nil)) }
  }

  @Test("what sending throws ends the wait")
  func refused() {
    let receipts = Receipts()
    #expect(throws: CocoaError.self) {
      try receipts.wait(for: "1", atMost: .seconds(60)) { throw CocoaError(.fileNoSuchFile) }
    }
    let waiters = (0..<Receipts.limit).map { Waiter(receipts, "\($0)") }
    #expect(Waiter.allSent(waiters), "its place is free again")
    receipts.end()
    for waiter in waiters { #expect(waiter.result == .some(nil)) }
  }
}
