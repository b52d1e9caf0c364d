import Synchronization

/// The threads of the process, to find those that the host did not start.
enum ThreadCensus {
  private static let tasks = "/proc/self/task"

  /// The kernel's numbers of all threads now.
  static func own() -> Set<Int32> {
    Set(Directory.names(in: tasks).compactMap { Int32($0) })
  }

  /// Names of the threads that came since `before` and were not started by the host.
  static func foreign(since before: Set<Int32>) -> [String] {
    // A thread is listed by the kernel before it could say that it is the host's: first the list, then the wait.
    let now = own()
    let deadline = MonotonicClock.now + 100_000_000
    while HostThread.starting.load(ordering: .sequentiallyConsistent) > 0,
      MonotonicClock.now < deadline
    {
      let _: Bool? = Monitor(()).wait(until: MonotonicClock.now + 1_000_000) { _ in nil }
    }
    return now.subtracting(before).sorted()
      .filter { !HostThread.started($0, isListed: now.contains) }
      .compactMap { number in
        // A thread that has ended meanwhile has no name any more and is no obstacle.
        guard let name = try? FileBytes.read("\(tasks)/\(number)/comm", limit: 4096) else {
          return nil
        }
        return String(decoding: name.prefix { $0 != 0x0A }, as: UTF8.self)
      }
  }
}
