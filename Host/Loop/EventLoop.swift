import CLinux
import Glibc
import Synchronization

/// One thread's epoll set and everything that waits on it.
///
/// Not `Sendable`, on purpose: a loop is used on one thread, and the compiler checks that. Other
/// threads hold a `Remote`.
@safe package final class EventLoop {
  package typealias Job = @Sendable (EventLoop) -> Void

  /// The part of a loop that other threads may hold.
  package final class Remote: Sendable {
    private let inbox = Mutex<[Job]>([])
    private let bell: Descriptor
    private let thread = Atomic<UInt>(0)

    fileprivate init(bell: consuming Descriptor) { self.bell = bell }

    /// Runs `job` on the loop's thread, after the jobs already posted; returns at once.
    package func post(_ job: @escaping Job) {
      let wasEmpty = inbox.withLock { jobs in
        jobs.append(job)
        return jobs.count == 1
      }
      if wasEmpty { _ = eventfd_write(bell.raw, 1) }  // a longer inbox has already rung
    }

    /// Whether the caller runs on the loop's thread.
    package var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    fileprivate func claimThread() { thread.store(UInt(pthread_self()), ordering: .relaxed) }

    fileprivate func takeJobs() -> [Job] {
      var count: eventfd_t = 0
      _ = unsafe eventfd_read(bell.raw, &count)
      return inbox.withLock { jobs in
        defer { jobs = [] }
        return jobs
      }
    }
  }

  package let remote: Remote
  /// Nanoseconds of the monotonic clock, read when the loop last woke.
  package private(set) var now: Int64
  /// Where sources read into; its content lasts until the next read on this loop.
  package let scratch: UnsafeMutableRawBufferPointer
  /// Runs after the events of one wake-up were handled.
  package var afterTick: (() -> Void)?

  private let poller: Descriptor
  private var sources = Sources()
  private var isRunning = true
  private static let bellToken = UInt64.max
  private static let scratchBytes = 64 * 1024

  package init() throws(SystemError) {
    let poller = Descriptor(adopting: try retrying("epoll_create1") { linux_epoll() })
    let bell = Descriptor(adopting: try retrying("eventfd") { linux_eventfd() })
    _ = try retrying("epoll_ctl") {
      linux_watch(poller.raw, bell.raw, EPOLLIN.rawValue, Self.bellToken)
    }
    self.poller = poller
    remote = Remote(bell: bell)
    now = MonotonicClock.now
    unsafe scratch = .allocate(byteCount: Self.scratchBytes, alignment: 64)
  }

  deinit { unsafe scratch.deallocate() }

  // MARK: - Sources

  /// How many sources wait here.
  package var sourceCount: Int { sources.count }

  /// Begins to report `events` of `descriptor` to `source`.
  package func watch(_ source: Source, _ descriptor: CInt, for events: UInt32) throws(SystemError) {
    sources.add(source)
    do {
      _ = try retrying("epoll_ctl") { linux_watch(poller.raw, descriptor, events, source.token) }
    } catch {
      sources.remove(source)
      throw error
    }
  }

  /// Gives `source` a slot for deadlines alone.
  package func add(_ source: Source) { sources.add(source) }

  /// Replaces the events reported of a watched descriptor.
  package func rewatch(_ source: Source, _ descriptor: CInt, for events: UInt32) {
    let result = linux_rewatch(poller.raw, descriptor, events, source.token)
    precondition(result == 0, "epoll_ctl refused a descriptor this loop watches")
  }

  /// Ends all reports to `source`; call before its descriptor is closed.
  package func unwatch(_ source: Source, _ descriptor: CInt) {
    _ = linux_unwatch(poller.raw, descriptor)
    sources.remove(source)
  }

  /// Takes back what `add` gave.
  package func remove(_ source: Source) { sources.remove(source) }

  /// Hands the descriptor, slot and token of `source` to `other`.
  package func replace(_ source: Source, with other: Source) {
    sources.replace(source, with: other)
  }

  /// Calls `source.expired()` once the clock reaches `time`, replacing its earlier deadline.
  package func setDeadline(_ source: Source, at time: Int64) {
    sources.setDeadline(source, at: time)
  }

  /// One more than the highest slot in use so far.
  package var slotCount: Int { sources.slotCount }

  /// The source in `slot`, whatever its generation.
  package func source(inSlot slot: Int) -> Source? { sources[slot: slot] }

  /// The source that `token` names, `nil` when it is gone.
  package func source(token: UInt64) -> Source? { sources[token] }

  // MARK: - Running

  /// Serves until `stop()`, on the calling thread.
  package func run() throws(SystemError) {
    remote.claimThread()
    // A supervisor sees from this whether the loop hangs.
    defer { linux_note_turn(0) }
    var ready = [64 of linux_ready](repeating: linux_ready())
    while isRunning {
      let timeout = waitTime()
      linux_note_turn(0)
      var room = ready.mutableSpan
      let count = unsafe room.withUnsafeMutableBufferPointer {
        guard let first = $0.baseAddress else { return CInt(0) }
        return unsafe linux_wait(poller.raw, first, CInt($0.count), timeout)
      }
      // An interrupted wait is an empty one: waiting on would be for the whole timeout again.
      guard count >= 0 || count == -EINTR else {
        throw SystemError(call: "epoll_wait", code: -count)
      }
      now = MonotonicClock.now
      linux_note_turn(now)
      for index in 0..<Int(max(count, 0)) { dispatch(ready[index]) }
      while let source = sources.popExpired(now: now) { source.expired() }
      afterTick?()
    }
  }

  /// Makes `run` return after the events at hand.
  package func stop() { isRunning = false }

  private func dispatch(_ ready: linux_ready) {
    if let source = sources[ready.token] {
      source.ready(ready.events)
    } else if ready.token == Self.bellToken {
      for job in remote.takeJobs() { job(self) }
    }
  }

  /// Milliseconds until the next deadline, rounded up so that the loop does not wake just before it.
  private func waitTime() -> CInt {
    guard let next = sources.nextDeadline else { return -1 }
    let left = next - MonotonicClock.now
    return left <= 0 ? 0 : CInt(clamping: (left + 999_999) / 1_000_000)
  }
}
