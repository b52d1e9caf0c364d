/// When a link owes the wire a cell.
///
/// Cover fills silence: a slot in which a cell of any circuit went out needs none. So an observer sees at least the set rate on
/// every link and cannot tell an idle one from a quiet one; bursts above the rate stay visible, for cells are not held back.
struct CoverTraffic: Sendable {
  private let interval: UInt64
  private(set) var deadline: UInt64

  init(interval: UInt64, now: UInt64) {
    self.interval = max(1, interval)
    deadline = now + self.interval
  }

  func isDue(now: UInt64) -> Bool { now >= deadline }

  /// A cell, or cover, went out.
  mutating func sent(now: UInt64) { deadline = now + interval }
}
