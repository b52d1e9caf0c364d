import CLinux
import Glibc

/// One thread that calls short functions at their time: check periods, call timeouts, repeated jobs.
package final class TimerThread: Sendable {
  /// Names one function that waits for its time.
  package struct Ticket: Sendable, Hashable {
    fileprivate let number: UInt64
  }

  private struct Entry {
    let due: Int64
    let number: UInt64
    let fire: @Sendable () -> Void
  }

  private struct State {
    /// A binary heap, the earliest first.
    var heap: [Entry] = []
    /// What is still wanted of the heap; cancelled entries stay there for a while.
    var wanted: Set<UInt64> = []
    var next: UInt64 = 1
    var isStopping = false
  }

  private enum Step {
    case fire(@Sendable () -> Void)
    case sleep(until: Int64?)
    case stop
  }

  /// Cancelled entries that may stay however few are wanted.
  private static let spare = 64

  private let state: Monitor<State>
  private let thread: Monitor<HostThread?>

  package init(name: String = "timer") throws(SystemError) {
    let state = Monitor(State())
    self.state = state
    thread = Monitor(try HostThread(name: name) { Self.serve(state) })
  }

  /// Calls `fire` once on the timer's thread when the monotonic clock has reached `due`.
  ///
  /// - Parameters:
  ///   - due: Nanoseconds; a time that has passed means at once.
  ///   - fire: Must return at once: everything else that waits, waits for it.
  /// - Returns: For `cancel`.
  @discardableResult
  package func schedule(at due: Int64, _ fire: @escaping @Sendable () -> Void) -> Ticket {
    let number = state.withLock { state in
      let number = state.next
      state.next += 1
      guard !state.isStopping else { return number }
      state.wanted.insert(number)
      state.heap.append(Entry(due: due, number: number, fire: fire))
      Self.siftUp(&state.heap)
      return number
    }
    state.wakeOne()
    return Ticket(number: number)
  }

  /// Makes sure that the function is not called any more.
  ///
  /// - Parameter ticket: Of `schedule`.
  /// - Returns: `false` when it was called already, or is being called now.
  @discardableResult
  package func cancel(_ ticket: Ticket) -> Bool {
    state.withLock { state in
      guard state.wanted.remove(ticket.number) != nil else { return false }
      // Most calls end long before their timeout: what they leave must not gather until then.
      if state.heap.count > 2 * state.wanted.count + Self.spare {
        let wanted = state.wanted
        state.heap.removeAll { !wanted.contains($0.number) }
        state.heap.sort { $0.due < $1.due }  // what is sorted is a heap
      }
      return true
    }
  }

  /// How many functions are held, cancelled ones included.
  var held: Int { state.withLock { $0.heap.count } }

  /// Drops everything that waits and returns when the thread has ended.
  package func shutDown() {
    state.withLock { state in
      state.isStopping = true
      state.heap = []
      state.wanted = []
    }
    state.wakeOne()
    thread.withLock { $0.take() }?.join()
  }

  private static func serve(_ state: Monitor<State>) {
    while true {
      switch state.withLock(step) {
      case .stop: return
      case .fire(let fire): fire()
      case .sleep(let until):
        // Woken early by any change; `step` looks again.
        let _: Bool? = state.wait(until: until) { state in
          state.isStopping || state.heap.first.map { $0.due < until ?? .max } == true ? true : nil
        }
      }
    }
  }

  private static func step(_ state: inout State) -> Step {
    if state.isStopping { return .stop }
    while let first = state.heap.first {
      guard state.wanted.contains(first.number) else {
        removeFirst(&state.heap)
        continue
      }
      guard first.due <= MonotonicClock.now else { return .sleep(until: first.due) }
      removeFirst(&state.heap)
      state.wanted.remove(first.number)
      return .fire(first.fire)
    }
    return .sleep(until: nil)
  }

  private static func siftUp(_ heap: inout [Entry]) {
    var child = heap.count - 1
    while child > 0, heap[child].due < heap[(child - 1) / 2].due {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private static func removeFirst(_ heap: inout [Entry]) {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].due < heap[least].due {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
