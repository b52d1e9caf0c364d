/// Whether an event loop of a serving process hangs: whether one turn of it takes longer than a limit.
///
/// The loops are looked at now and then, and only time between two looks counts. So neither a pause of the process that
/// looks nor one of the machine is taken for one of the loop. It has no clock and no process: what is seen goes in.
struct LoopWatch {
  /// The turn that a loop is in; one that waits for events is in none.
  struct Turn: Equatable {
    /// The kernel's number of the loop's thread.
    var thread: Int32
    /// When it began, in nanoseconds of the monotonic clock: no two turns of a loop begin at once.
    var began: Int64
    /// The plugin's code that the thread is in, as in the marks.
    var mark: UInt64
  }

  private struct Seen {
    var began: Int64
    /// How much of it counts.
    var lasted: Int64
  }

  /// Looks within the limit: a hang is noticed a tenth of it too late at the most.
  private static let looks: Int64 = 10

  private var seen: [Int32: Seen] = [:]
  private var last: Int64?

  /// When to look again.
  ///
  /// - Parameter limit: Nanoseconds that a turn may take.
  /// - Returns: Nanoseconds of the monotonic clock; 0 before the first look.
  func next(limit: Int64) -> Int64 { last.map { $0 + limit / Self.looks } ?? 0 }

  /// Looks at the loops.
  ///
  /// - Parameters:
  ///   - turns: Those that the loops are in.
  ///   - now: Of the monotonic clock.
  ///   - limit: Nanoseconds that a turn may take.
  ///   - isStopped: Whether a thread is kept from running, by a signal or a debugger; asked of turns that go on.
  /// - Returns: A turn that has taken as long as the limit.
  mutating func look(
    _ turns: [Turn],
    now: Int64,
    limit: Int64,
    isStopped: (Int32) -> Bool
  ) -> Turn? {
    let before = last ?? now
    let most = 2 * limit / Self.looks
    let known = seen
    last = now
    seen = [:]
    var hung: Turn?
    for turn in turns {
      var lasted = min(max(now - max(before, turn.began), 0), most)
      if let earlier = known[turn.thread], earlier.began == turn.began {
        lasted = isStopped(turn.thread) ? 0 : lasted + earlier.lasted
      }
      seen[turn.thread] = Seen(began: turn.began, lasted: lasted)
      if lasted >= limit { hung = hung ?? turn }
    }
    return hung
  }
}
