import CLinux
import Glibc

/// A thread of the host with a name that `top -H` and debuggers show.
@safe
package struct HostThread: Sendable {
  private let handle: pthread_t

  /// Starts a thread that runs `body` and ends.
  ///
  /// - Parameters:
  ///   - name: Cut at the 15 bytes that Linux keeps.
  ///   - body: What the thread does.
  /// - Throws: `SystemError` when the machine has no room for a thread; `body` does not run then.
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = unsafe Unmanaged.passRetained(ThreadStart(name: name, body: body))
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
      throw SystemError(call: "pthread_create", code: code)
    }
    self.handle = handle
  }

  /// Waits for the thread's end and frees it; call this or `detach`, once.
  package func join() { pthread_join(handle, nil) }

  /// Lets the thread free itself at its end.
  package func detach() { pthread_detach(handle) }

  package var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }
}

private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }

  func run() {
    unsafe linux_name_thread(String(name.prefix(15)))
    body()
  }
}
