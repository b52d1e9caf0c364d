import Synchronization

/// What other threads may hold of one server.
@safe package final class ServerEnd: Sendable {
  package let gates: AnswerGates
  package let traffic = Traffic()
  /// Bytes of events that the loop has not delivered yet.
  let eventBytes = Atomic<Int>(0)
  private let remote = Mutex<EventLoop.Remote?>(nil)
  private let visits = Monitor(Visits())
  /// Address of the server, which lives as long as the process serves; 0 before it is made.
  private let server = Atomic<UInt>(0)

  /// Work that somebody waits for; the loop runs it in the order of its numbers.
  private struct Visits {
    var asked: UInt64 = 0
    var done: UInt64 = 0
    var hasLeft = false
  }

  package init(index: Int) { gates = AnswerGates(loop: index) }

  /// Makes `server` reachable; on its loop's thread.
  func attach(_ server: Server) {
    remote.withLock { $0 = server.loop.remote }
    let address = unsafe UInt(bitPattern: Unmanaged.passUnretained(server).toOpaque())
    self.server.store(address, ordering: .releasing)
  }

  /// Drops what is posted from now on: the loop has been told to stop and runs nothing any more.
  func detach() {
    remote.withLock { $0 = nil }
    eventBytes.store(0, ordering: .relaxed)
    visits.withLock { $0.hasLeft = true }
    visits.wakeAll()
  }

  /// The server, when the caller runs on its loop's thread; `nil` on any other.
  func local() -> Server? {
    guard let remote = current(), remote.isCurrent else { return nil }
    return unsafe resolve()
  }

  /// Runs `work` on the server's loop; dropped when there is no server yet.
  ///
  /// - Parameter work: Runs on the loop's thread.
  /// - Returns: Whether there is one.
  @discardableResult
  func post(_ work: @escaping @Sendable (Server) -> Void) -> Bool {
    guard let remote = current() else { return false }
    remote.post { [self] _ in
      if let server = unsafe resolve() { work(server) }
    }
    return true
  }

  /// Runs `work` on the server's loop.
  ///
  /// - Parameter work: Runs on the loop's thread, unless the loop ends first.
  /// - Returns: What to wait for with `hasRun`; `nil` when the loop has not begun or has ended.
  func visit(_ work: @escaping @Sendable (Server) -> Void) -> UInt64? {
    // Posted under the lock, so that the loop sees the numbers in their order.
    visits.withLock { visits in
      let number = visits.asked + 1
      let isPosted = post { [self] server in
        work(server)
        self.visits.withLock { $0.done = number }
        self.visits.wakeAll()
      }
      guard isPosted else { return nil }
      visits.asked = number
      return number
    }
  }

  /// Waits until the loop has run what `visit` gave it, or has ended.
  ///
  /// - Parameters:
  ///   - visit: Its number.
  ///   - deadline: Nanoseconds of the monotonic clock.
  /// - Returns: `false` when the deadline passed first.
  func hasRun(_ visit: UInt64, by deadline: Int64) -> Bool {
    visits.wait(until: deadline) { $0.done >= visit || $0.hasLeft ? true : nil } ?? false
  }

  private func current() -> EventLoop.Remote? { remote.withLock { $0 } }

  /// Only on the loop's own thread, which is where the server lives.
  @unsafe private func resolve() -> Server? {
    let address = server.load(ordering: .acquiring)
    guard let pointer = unsafe UnsafeRawPointer(bitPattern: address) else { return nil }
    return unsafe Unmanaged<Server>.fromOpaque(pointer).takeUnretainedValue()
  }
}
