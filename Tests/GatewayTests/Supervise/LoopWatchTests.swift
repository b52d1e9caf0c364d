import Testing

@testable import Gateway

@Suite("Loops that hang")
struct LoopWatchTests {
  private static let second: Int64 = 1_000_000_000
  private static let limit = 10 * second

  private static func turn(_ thread: Int32 = 7, began: Int64) -> LoopWatch.Turn {
    LoopWatch.Turn(thread: thread, began: began, mark: 0)
  }

  /// Looks at one second after another.
  ///
  /// - Returns: The seconds at which a loop was found to hang.
  private func hangs(
    at seconds: some Sequence<Int64>,
    stopped: ClosedRange<Int64>? = nil,
    _ turns: (Int64) -> [LoopWatch.Turn]
  ) -> [Int64] {
    var watch = LoopWatch()
    return seconds.filter { second in
      let now = second * Self.second
      return watch.look(turns(second), now: now, limit: Self.limit) { _ in
        stopped?.contains(second) == true
      } != nil
    }
  }

  @Test func `a turn hangs at the limit and not a nanosecond before`() {
    let turn = Self.turn(began: 100 * Self.second + 1)
    #expect(hangs(at: 100...110) { _ in [turn] }.isEmpty)
    #expect(hangs(at: 100...111) { _ in [turn] } == [111])
    #expect(hangs(at: 100...110) { _ in [Self.turn(began: 100 * Self.second)] } == [110])
  }

  @Test func `a turn that began before the first look counts from that look on`() {
    #expect(hangs(at: 100...110) { _ in [Self.turn(began: 1)] } == [110])
  }

  @Test func `a loop that waits, or turns, does not hang`() {
    #expect(hangs(at: 0...100) { _ in [] }.isEmpty)
    #expect(hangs(at: 0...100) { [Self.turn(began: ($0 / 9 * 9) * Self.second + 1)] }.isEmpty)
  }

  @Test func `one of many loops is found, by its thread`() {
    var watch = LoopWatch()
    for second in 1...Int64(12) {
      let turns = [
        Self.turn(1, began: second * Self.second), Self.turn(2, began: 2 * Self.second),
        Self.turn(3, began: second * Self.second),
      ]
      let hung = watch.look(turns, now: second * Self.second, limit: Self.limit) { _ in false }
      #expect(hung?.thread == (second == 12 ? 2 : nil))
    }
  }

  @Test func `time in which nobody looked does not count, beyond two looks`() {
    let turn = Self.turn(began: 100 * Self.second)
    // As after a stop of both processes: an hour is as long as two looks.
    #expect(hangs(at: [100, 3700, 3701, 3702]) { _ in [turn] }.isEmpty)
    #expect(hangs(at: [100] + (3700...3710)) { _ in [turn] } == [3708, 3709, 3710])
  }

  @Test func `time in which the thread was stopped does not count`() {
    let turn = Self.turn(began: 100 * Self.second)
    #expect(hangs(at: 100...200, stopped: 105...200) { _ in [turn] }.isEmpty)
    #expect(hangs(at: 100...160, stopped: 105...150) { _ in [turn] } == [160])
  }

  @Test func `a clock behind the turn's counts nothing`() {
    #expect(hangs(at: 100...200) { _ in [Self.turn(began: 300 * Self.second)] }.isEmpty)
  }

  @Test func `it is looked ten times within the limit`() {
    var watch = LoopWatch()
    #expect(watch.next(limit: Self.limit) == 0)
    _ = watch.look([], now: 5 * Self.second, limit: Self.limit) { _ in false }
    #expect(watch.next(limit: Self.limit) == 6 * Self.second)
  }
}
