import Synchronization
import Testing

@testable import Gateway

@Suite("How many connections are open")
struct ConnectionCountsTests {
  private let home: [UInt8] = Array("127.0.0.1".utf8)
  private let other: [UInt8] = Array("::1".utf8)

  @Test func `admits up to the limit and one again after one has gone`() {
    let counts = ConnectionCounts(limit: 2, limitPerAddress: 0)
    #expect(counts.add(home) == .admitted)
    #expect(counts.add(home) == .admitted)
    #expect(counts.add(other) == .tooMany)
    #expect(counts.total == 2)
    counts.remove(home)
    #expect(counts.add(other) == .admitted)
    #expect(counts.total == 2)
  }

  @Test func `admits each address up to its limit`() {
    let counts = ConnectionCounts(limit: 10, limitPerAddress: 2)
    #expect(counts.add(home) == .admitted)
    #expect(counts.add(home) == .admitted)
    #expect(counts.add(home) == .tooManyFromAddress)
    #expect(counts.add(other) == .admitted)
    #expect(counts.total == 3)
    counts.remove(home)
    #expect(counts.add(home) == .admitted)
    #expect(counts.add(home) == .tooManyFromAddress)
  }

  @Test func `no limit for an address when it is 0`() {
    let counts = ConnectionCounts(limit: 1000, limitPerAddress: 0)
    for _ in 0..<1000 { #expect(counts.add(home) == .admitted) }
    #expect(counts.add(home) == .tooMany)
  }

  @Test func `an address that never came takes nothing away`() {
    let counts = ConnectionCounts(limit: 10, limitPerAddress: 2)
    #expect(counts.add(home) == .admitted)
    counts.remove(other)
    #expect(counts.total == 1)
    counts.remove(home)
    counts.remove(home)
    #expect(counts.total == 0)
  }

  @Test func `counts right between eight threads`() {
    let counts = ConnectionCounts(limit: 4, limitPerAddress: 3)
    let worst = Atomic<Int>(0)
    let address = home
    runThreads(8) {
      for _ in 0..<5_000 where counts.add(address) == .admitted {
        worst.max(counts.total, ordering: .relaxed)
        counts.remove(address)
      }
    }
    #expect(counts.total == 0)
    #expect((1...3).contains(worst.load(ordering: .relaxed)))
  }
}
