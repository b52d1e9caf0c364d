/// When a plugin's process is started again after it has died, and how many requests it is then trusted with.
///
/// A value without a clock: every call says what time it is, in nanoseconds of the monotonic clock.
struct Breaker: Sendable, Equatable {
  enum State: String, Sendable {
    /// Requests go to the process, when there is one.
    case closed
    /// It has died too often; nothing goes to it until the wait is over.
    case open
    /// It was started once more and gets one request at a time, until one is answered.
    case halfOpen = "half-open"
  }

  /// Deaths in a row that open the breaker.
  static let tolerance = 5
  /// Wait before the first start after a death; each further one waits twice as long.
  static let firstWait: Int64 = 100_000_000
  static let longestWait: Int64 = 30_000_000_000
  /// A process that has lived for so long is not one that "dies again at once".
  static let steadyTime: Int64 = 10_000_000_000

  private(set) var state = State.closed
  /// Deaths in a row, none of which came after a steady time.
  private(set) var deaths = 0
  private var startedAt: Int64?
  private var isTrying = false

  /// The process serves from now on.
  mutating func started(now: Int64) {
    startedAt = now
    isTrying = false
    if state == .open { state = .halfOpen }
  }

  /// The process has ended, or could not be started.
  ///
  /// - Returns: When to start it again.
  mutating func died(now: Int64) -> Int64 {
    if let startedAt, now - startedAt >= Self.steadyTime { deaths = 0 }
    startedAt = nil
    isTrying = false
    deaths += 1
    if deaths >= Self.tolerance || state != .closed { state = .open }
    let doublings = min(deaths - 1, 20)
    return now + min(Self.firstWait << Int64(doublings), Self.longestWait)
  }

  /// Whether a request may go to the running process.
  mutating func admits() -> Bool {
    switch state {
    case .closed: return true
    case .open: return false
    case .halfOpen:
      guard !isTrying else { return false }
      isTrying = true
      return true
    }
  }

  /// A request has ended; `wasAnswered` by the process.
  mutating func ended(wasAnswered: Bool) {
    isTrying = false
    if wasAnswered, state == .halfOpen { state = .closed }
  }

  /// A process that lives on is trusted also when nobody asks it anything.
  mutating func look(now: Int64) {
    guard let startedAt, now - startedAt >= Self.steadyTime else { return }
    deaths = 0
    if state == .halfOpen { state = .closed }
  }
}
