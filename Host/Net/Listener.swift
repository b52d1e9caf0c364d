import CLinux
import Glibc

/// A listening socket on one loop; several loops share a port through SO_REUSEPORT.
@safe package final class Listener: Source {
  /// What `accept` gives for each connection: its descriptor, and the peer's address as text.
  package typealias Accepted = (consuming Descriptor, [UInt8]) -> Void

  private let descriptor: Descriptor
  private let loop: EventLoop
  private let accepted: Accepted
  /// Pause after the process ran out of descriptors: without it a level-triggered loop would spin.
  private static let pause: Int64 = 100_000_000
  private static let connectionsPerTick = 64

  /// Binds and listens.
  ///
  /// - Parameters:
  ///   - host: An address, or a name that resolves to one.
  ///   - port: 0 lets the kernel choose; see `port`.
  ///   - isShared: Whether other listeners of this user may have the port too.
  ///   - loop: Where connections are accepted.
  ///   - accepted: Receives each connection, on the loop.
  /// - Throws: `SystemError` when the address is in use, not ours, or not allowed.
  package init(
    host: String,
    port: UInt16,
    isShared: Bool,
    loop: EventLoop,
    accepted: @escaping Accepted
  ) throws(SystemError) {
    let socket = try ListeningSockets.open(host: host, port: port, isShared: isShared)
    descriptor = socket
    self.loop = loop
    self.accepted = accepted
    super.init()
    try loop.watch(self, descriptor.raw, for: EPOLLIN.rawValue)
  }

  /// Accepts on a socket that listens already.
  ///
  /// - Parameters:
  ///   - socket: Closed at the end; whoever holds it too keeps its backlog.
  ///   - loop: Where connections are accepted.
  ///   - accepted: Receives each connection, on the loop.
  /// - Throws: `SystemError`.
  package init(
    adopting socket: consuming Descriptor,
    loop: EventLoop,
    accepted: @escaping Accepted
  ) throws(SystemError) {
    descriptor = socket
    self.loop = loop
    self.accepted = accepted
    super.init()
    try loop.watch(self, descriptor.raw, for: EPOLLIN.rawValue)
  }

  /// The port it listens on.
  package var port: UInt16 { UInt16(clamping: linux_bound_port(descriptor.raw)) }

  /// Takes what waits in the backlog, then stops listening; the object's end closes the socket.
  ///
  /// - Parameter leavesWaiting: Leaves the backlog to another process that has the socket.
  package func close(leavesWaiting: Bool = false) {
    if !leavesWaiting { acceptWaiting(limit: Int(ListeningSockets.backlog)) }
    loop.unwatch(self, descriptor.raw)
  }

  package override func ready(_ events: UInt32) { acceptWaiting(limit: Self.connectionsPerTick) }

  package override func expired() { loop.rewatch(self, descriptor.raw, for: EPOLLIN.rawValue) }

  private func acceptWaiting(limit: Int) {
    for _ in 0..<limit {
      var peer = sockaddr_storage()
      let socket = unsafe linux_accept(descriptor.raw, &peer)
      if socket >= 0 {
        linux_no_delay(socket)
        accepted(Descriptor(adopting: socket), Self.text(of: peer))
        continue
      }
      switch -socket {
      case EMFILE, ENFILE, ENOBUFS, ENOMEM:
        loop.rewatch(self, descriptor.raw, for: 0)
        loop.setDeadline(self, at: loop.now + Self.pause)
        return
      case EINTR, ECONNABORTED, EPROTO: continue  // of one connection, which is gone
      default: return
      }
    }
  }

  private static func text(of peer: sockaddr_storage) -> [UInt8] {
    var peer = peer
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(INET6_ADDRSTRLEN)) { room, count in
      guard let start = room.baseAddress else { return }
      count = unsafe start.withMemoryRebound(to: CChar.self, capacity: room.count) {
        unsafe Int(linux_address_text(&peer, $0))
      }
    }
  }
}
