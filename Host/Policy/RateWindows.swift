import Synchronization

/// The windows of all callers, in memory.
///
/// Counts are exact over all threads, and gone when the process ends. Of more callers than there is
/// room for, those idle longest are forgotten, with their counts. Addresses and subjects have half
/// of the room each: whoever commands many addresses crowds out addresses, never a user's count.
package final class RateWindows: RateCounter {
  /// A part of the callers, chosen by the hash of their key, with its own lock.
  private final class Shard: Sendable {
    let windows = Mutex<[String: SlidingWindow]>([:])
  }

  private let shards: [Shard]
  private let windowsPerShard: Int

  /// Makes an empty store.
  ///
  /// - Parameter callers: How many to remember at most, at least 1; each takes about 700 bytes.
  ///   Fewer than 32 share one room.
  package init(callers: Int) {
    precondition(callers > 0, "no room for any caller")
    // Few callers get few shards: shards fill unevenly, and each must have some room.
    var count = 64
    while count > 1, callers / count < 16 { count /= 2 }
    shards = (0..<count).map { _ in Shard() }
    windowsPerShard = callers / count
  }

  package func window(for key: String) -> any RateWindow {
    shard(of: key).windows.withLock { windows in
      if let known = windows[key] { return known }
      let window = SlidingWindow(key: key, store: self)
      insert(window, into: &windows)
      return window
    }
  }

  /// How many callers are remembered now.
  package var callers: Int { shards.reduce(0) { $0 + $1.windows.withLock { $0.count } } }

  /// Remembers a forgotten window again, unless its key has another one by now.
  ///
  /// - Parameter window: A window that this store made.
  /// - Returns: The window of the key that counts.
  func readmit(_ window: SlidingWindow) -> SlidingWindow {
    shard(of: window.key).windows.withLock { windows in
      if let known = windows[window.key] { return known }
      window.setForgotten(false)
      insert(window, into: &windows)
      return window
    }
  }

  private func shard(of key: String) -> Shard {
    let hash = Int(truncatingIfNeeded: UInt(bitPattern: key.hashValue) >> 1)
    guard shards.count > 1 else { return shards[0] }
    let half = shards.count / 2
    return shards[(hash & (half - 1)) + (RateKey.isAddress(key) ? half : 0)]
  }

  private func insert(_ window: SlidingWindow, into windows: inout [String: SlidingWindow]) {
    if windows.count >= windowsPerShard { forgetIdlest(of: &windows) }
    windows[window.key] = window
  }

  /// Makes room by an eighth, so that the search is paid for by the callers that follow.
  private func forgetIdlest(of windows: inout [String: SlidingWindow]) {
    var idlest = windows.values.map { (time: $0.lastTaken, window: $0) }
    idlest.sort { $0.time < $1.time }
    for (_, window) in idlest.prefix(max(1, windowsPerShard / 8)) {
      window.setForgotten(true)
      windows[window.key] = nil
    }
  }
}
