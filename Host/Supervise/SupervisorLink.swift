import CLinux
import Glibc
import Synchronization

/// The serving process's side of its supervisor.
package final class SupervisorLink: Source {
  package let order: ServingOrder
  private let channel: Descriptor
  /// Called on the loop with each signal that the supervisor passes on.
  var signalled: ((CInt) -> Void)?
  /// Called on the loop with counts that have changed.
  var counted: ((CrashCounts) -> Void)?
  /// Called on the loop once another process serves.
  var retired: (() -> Void)?

  /// Takes what the supervisor has handed down; from here on, this process ends when the supervisor does.
  ///
  /// Call it on the main thread before any other is made.
  ///
  /// - Parameter order: As the supervisor gave it.
  /// - Throws: `SystemError` when the supervisor is gone or a descriptor is not what it should be.
  package init(_ order: ServingOrder) throws(SystemError) {
    self.order = order
    for descriptor in [order.channel] + order.listeners { linux_adopt(descriptor) }
    channel = Descriptor(adopting: order.channel)
    let lives = linux_end_with(order.parent)
    guard lives == 0 else { throw SystemError(call: "prctl", code: -lives) }
    unsafe linux_keep_marks(try SharedMarks.map(order.marks))
    close(order.marks)
    super.init()
  }

  /// Begins to hear the supervisor.
  func watch(on loop: EventLoop) throws(SystemError) {
    try loop.watch(self, channel.raw, for: EPOLLIN.rawValue)
  }

  package override func ready(_ events: UInt32) {
    switch ServingMessage.receive(on: channel.raw) {
    case .message(.retire): retired?()
    case .message(.signal(let number)): signalled?(number)
    case .message(.counted(let counts)): counted?(counts)
    case .message, .nothing: break
    // The kernel kills this process with its supervisor, unless file capabilities took that away.
    case .end: _exit(1)
    }
  }

  /// Requests are taken from here on.
  package func serving(failed: [String]) {
    ServingMessage.serving(failed: failed, stateVersion: SupervisorState.version)
      .send(on: channel.raw)
  }

  /// The process cannot start.
  package func failed(_ reason: String) { ServingMessage.failed(reason).send(on: channel.raw) }

  /// Everything has ended as it should.
  package func stopped() { ServingMessage.stopped.send(on: channel.raw) }

  /// The supervisor forgets the crashes of `plugin`; any thread.
  package static func forgive(_ plugin: String, on channel: CInt) {
    ServingMessage.forgive(plugin: plugin).send(on: channel)
  }
}
