import CLinux
import Glibc
package import Synchronization

/// A thread of the host with a name that `top -H` and debuggers show.
@safe
package struct HostThread: Sendable {
  private let handle: pthread_t

  /// Starts a thread that runs `body` and ends.
  ///
  /// - Parameters:
  ///   - name: Cut between characters to the 15 bytes that Linux keeps.
  ///   - body: What the thread does.
  /// - Throws: `SystemError` when the machine has no room for a thread; `body` does not run then.
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = unsafe Unmanaged.passRetained(ThreadStart(name: name, body: body))
    Self.starting.wrappingAdd(1, ordering: .sequentiallyConsistent)
    var handle = pthread_t()
    let code = unsafe pthread_create(
      &handle,
      nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
        start.run()
        return nil
      },
      start.toOpaque()
    )
    guard code == 0 else {
      unsafe start.release()
      Self.starting.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      throw SystemError(call: "pthread_create", code: code)
    }
    self.handle = handle
  }

  /// Waits for the thread's end and frees it; call this or `detach`, once.
  package func join() { pthread_join(handle, nil) }

  /// Lets the thread free itself at its end.
  package func detach() { pthread_detach(handle) }

  package var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }

  /// Threads that were asked for and have not said their number yet.
  package static let starting = Atomic<Int>(0)

  // Also of threads that have ended: one that is ending is still listed by the kernel for a moment.
  fileprivate static let numbers = Mutex<Set<Int32>>([])

  /// Whether the kernel's thread `number` was started here; `numbers` of threads that `isListed` denies are forgotten.
  package static func started(_ number: Int32, isListed: (Int32) -> Bool) -> Bool {
    numbers.withLock { numbers in
      if numbers.count > 1024 { numbers = numbers.filter(isListed) }
      return numbers.contains(number)
    }
  }
}

private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }

  func run() {
    var shown = name
    // The kernel refuses a longer name instead of cutting it.
    while shown.utf8.count > 15 { shown.removeLast() }
    unsafe linux_name_thread(shown)
    let number = linux_thread_number()
    _ = HostThread.numbers.withLock { $0.insert(number) }
    HostThread.starting.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    linux_claim_slot()
    body()
    linux_release_slot()
  }
}
