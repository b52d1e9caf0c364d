import CLinux
import Glibc

/// The signals that stop or steer the process, delivered to a loop instead of interrupting it.
package final class Signals: Source {
  private let descriptor: Descriptor
  private let handle: (CInt) -> Void

  /// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and in all it starts later.
  ///
  /// - Parameter handle: Called on the loop with each signal's number.
  /// - Throws: `SystemError` when the kernel refuses.
  package init(_ handle: @escaping (CInt) -> Void) throws(SystemError) {
    descriptor = Descriptor(adopting: try retrying("signalfd") { linux_signals() })
    self.handle = handle
  }

  /// Begins to report to `loop`.
  package func watch(on loop: EventLoop) throws(SystemError) {
    try loop.watch(self, descriptor.raw, for: EPOLLIN.rawValue)
  }

  package override func ready(_ events: UInt32) {
    while true {
      let signal = linux_next_signal(descriptor.raw)
      guard signal > 0 else { return }
      handle(signal)
    }
  }
}
