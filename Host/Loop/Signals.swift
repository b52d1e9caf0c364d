import CLinux
import Glibc

/// The signals that stop or steer the process, delivered to a loop instead of interrupting it.
package final class Signals: Source {
  private let descriptor: Descriptor
  private let sender: CInt?
  private let handle: (CInt) -> Void

  /// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and in all it starts later.
  ///
  /// - Parameters:
  ///   - sender: The one process that is heard; `nil` hears all. A terminal and a service manager tell every process
  ///     of a group, and what a supervisor passes on would come twice.
  ///   - handle: Called on the loop with each signal's number.
  /// - Throws: `SystemError` when the kernel refuses.
  package init(from sender: CInt? = nil, _ handle: @escaping (CInt) -> Void) throws(SystemError) {
    descriptor = Descriptor(adopting: try retrying("signalfd") { linux_signals() })
    self.sender = sender
    self.handle = handle
  }

  /// Begins to report to `loop`.
  package func watch(on loop: EventLoop) throws(SystemError) {
    try loop.watch(self, descriptor.raw, for: EPOLLIN.rawValue)
  }

  package override func ready(_ events: UInt32) {
    while true {
      var from: CInt = 0
      let signal = unsafe linux_next_signal(descriptor.raw, &from)
      guard signal > 0 else { return }
      if sender == nil || sender == from { handle(signal) }
    }
  }
}
