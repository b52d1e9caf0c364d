import Testing

@testable import Gateway

@Suite("Times in order of coming")
struct DeadlineHeapTests {
  /// All entries, taken out in the heap's order.
  private func drained(_ heap: DeadlineHeap) -> [Int64] {
    var heap = heap
    var times: [Int64] = []
    while let first = heap.first {
      times.append(first.time)
      heap.removeFirst()
    }
    return times
  }

  @Test func `has no first entry when empty`() {
    #expect(DeadlineHeap().first == nil)
  }

  @Test(arguments: 1...9) func `gives any order of insertion back sorted`(_ count: Int) {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let times = (0..<count).map { _ in Int64.random(in: -3...3, using: &generator) }
      var heap = DeadlineHeap()
      for time in times { heap.push(.init(time: time, token: 0)) }
      #expect(drained(heap) == times.sorted())
    }
  }

  @Test func `keeps order while entries come and go`() {
    var heap = DeadlineHeap()
    var known: [Int64] = []
    for step in 0..<2_000 {
      let time = Int64(step * 7919 % 1009)
      heap.push(.init(time: time, token: UInt64(step)))
      known.append(time)
      known.sort()
      if step % 3 == 0 {
        #expect(heap.first?.time == known.first)
        heap.removeFirst()
        known.removeFirst()
      }
    }
    #expect(drained(heap) == known)
  }

  @Test func `the token stays with its time`() {
    var heap = DeadlineHeap()
    for time in [5, 1, 4, 2, 3] as [Int64] {
      heap.push(.init(time: time, token: UInt64(time * 10)))
    }
    for time in 1...5 as ClosedRange<Int64> {
      #expect(heap.first == .init(time: time, token: UInt64(time * 10)))
      heap.removeFirst()
    }
  }
}
