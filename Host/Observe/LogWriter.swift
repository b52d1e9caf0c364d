import CLinux
import Glibc
import Synchronization

/// Writes lines to a descriptor on a thread of its own, so that a full pipe never stops a loop.
///
/// What waits is bounded: beyond that, lines are dropped and their number is written once there is
/// room again.
package final class LogWriter: Sendable {
  private struct State {
    var waiting: [UInt8] = []
    var dropped = 0
    var isClosed = false
  }

  private let state = Mutex(State())
  private let bell: Descriptor
  private let output: CInt
  private let limit: Int
  private let isDirect: Bool
  private let thread = Mutex<HostThread?>(nil)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - output: A descriptor that stays open and is not closed here; usually standard error.
  ///   - limit: Bytes that may wait.
  /// - Throws: `SystemError` when there is no descriptor or thread to be had.
  package init(output: CInt, limit: Int = 4 * 1024 * 1024) throws(SystemError) {
    bell = Descriptor(adopting: try retrying("eventfd") { linux_blocking_eventfd() })
    self.output = output
    self.limit = limit
    isDirect = false
    let started = try HostThread(name: "log") { [self] in run() }
    thread.withLock { $0 = started }
  }

  /// Writes each line at once, without a thread; one that the reader has no room for is dropped.
  ///
  /// - Parameter output: As above.
  /// - Throws: `SystemError` when there is no descriptor to be had.
  package init(direct output: CInt) throws(SystemError) {
    bell = Descriptor(adopting: try retrying("eventfd") { linux_blocking_eventfd() })
    self.output = output
    limit = 0
    isDirect = true
  }

  /// Queues whole lines, each ending in a line feed; returns at once.
  package func append(_ lines: [UInt8]) {
    if isDirect { return writeNow(lines) }
    let wasEmpty = state.withLock { state in
      guard state.waiting.count + lines.count <= limit else {
        state.dropped += 1
        return false
      }
      state.waiting += lines
      return state.waiting.count == lines.count
    }
    if wasEmpty { ring() }
  }

  /// Writes what waits and ends the thread; later lines are dropped.
  package func close() {
    state.withLock { $0.isClosed = true }
    ring()
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }

  private func ring() { _ = eventfd_write(bell.raw, 1) }

  private func run() {
    // A pipe without a reader is to be an error here, not the end of the process.
    var pipeSignal = sigset_t()
    unsafe sigemptyset(&pipeSignal)
    unsafe sigaddset(&pipeSignal, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &pipeSignal, nil)
    while true {
      var count: eventfd_t = 0
      _ = unsafe eventfd_read(bell.raw, &count)
      let (bytes, dropped, isClosed) = state.withLock { state in
        defer {
          state.waiting = []
          state.dropped = 0
        }
        return (state.waiting, state.dropped, state.isClosed)
      }
      write(bytes)
      if dropped > 0 {
        write(Array("log: \(dropped) batches of lines were dropped, the reader is too slow\n".utf8))
      }
      if isClosed { return }
    }
  }

  private func writeNow(_ lines: [UInt8]) {
    var room = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
    guard unsafe poll(&room, 1, 0) > 0, room.revents & Int16(POLLOUT) != 0 else { return }
    write(lines)
  }

  private func write(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { all in
        guard let start = all.baseAddress else { return 0 }
        return unsafe linux_write(output, start + offset, all.count - offset)
      }
      if written > 0 {
        offset += written
      } else if written == -Int(EAGAIN) {
        // Whoever shares the descriptor has made it non-blocking.
        var room = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&room, 1, -1)
      } else if written != -Int(EINTR) {
        return  // standard error is gone; there is nowhere left to say so
      }
    }
  }
}
