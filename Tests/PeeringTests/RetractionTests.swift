import Peering
import Testing

@testable import Peering

@Suite("Messages that could not be stored")
struct RetractionTests {
  static let sender = Identity(seed: [UInt8](repeating: 1, count: 32)).id

  @Test("a retracted message of the mesh is taken again, and its neighbours in the ring are not")
  func deliveredMessages() {
    var delivered = DeliveredMessages()
    let keys = (0..<3).map { MessageKey([UInt8](repeating: $0, count: 16), Self.sender) }
    for key in keys { delivered.insert(key, origin: Self.sender, sentAt: 5, attempt: 1) }
    delivered.remove(keys[1])
    #expect(keys.map { delivered.contains($0) } == [true, false, true])
    delivered.insert(keys[1], origin: Self.sender, sentAt: 5, attempt: 2)
    #expect(delivered.contains(keys[1]))
    #expect(!delivered.mayBeForgotten(Self.sender, sentAt: 5))
  }

  @Test("a retracted message of the overlay is taken again, and stays as long as any other")
  func seenMessages() {
    var seen = SeenMessages(limit: 10, window: 100)
    func id(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 16) }
    for number in 0..<3 { seen.insert(id(UInt8(number)), from: Self.sender, now: 0) }
    seen.remove(id(1), from: Self.sender)
    #expect(!seen.contains(id(1), from: Self.sender) && seen.count == 2)
    seen.insert(id(1), from: Self.sender, now: 50)
    seen.insert(id(9), from: Self.sender, now: 100)
    #expect(seen.contains(id(1), from: Self.sender), "the first entry's time is not its own")
    #expect(!seen.contains(id(0), from: Self.sender))
    seen.insert(id(8), from: Self.sender, now: 150)
    #expect(!seen.contains(id(1), from: Self.sender))
  }
}
