/// Calls of a plugin's life, each on a thread of its own and bounded in time.
///
/// A plugin that hangs in one of them keeps that thread; the gateway goes on.
enum SetupThread {
  /// Runs `body` and waits for it.
  ///
  /// - Parameters:
  ///   - name: Of the thread.
  ///   - deadline: In nanoseconds of the monotonic clock.
  ///   - body: What to do; it may go on after the deadline.
  /// - Returns: What `body` gave, or `nil` when it has not returned at the deadline or no thread could be made.
  static func run<Result: Sendable>(
    _ name: String,
    by deadline: Int64,
    _ body: @escaping @Sendable () -> Result
  ) -> Result? {
    let outcome = Monitor<Result?>(nil)
    guard
      let thread = try? HostThread(
        name: name,
        {
          let result = body()
          outcome.withLock { $0 = result }
          outcome.wakeAll()
        }
      )
    else { return nil }
    thread.detach()
    return outcome.wait(until: deadline) { $0 }
  }
}
