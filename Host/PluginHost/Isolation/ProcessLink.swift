import CLinux
import Glibc
import Synchronization

/// One end of the socket between the gateway and a plugin's process.
///
/// Any thread sends and none ever waits: what the socket does not take at once waits in the outbox, which the one
/// thread that reads empties too. Two ends that both wrote and waited could otherwise wait for each other.
final class ProcessLink: Sendable {
  private struct Outbox {
    var bytes: [UInt8] = []
    var start = 0
    var isClosed = false

    var count: Int { bytes.count - start }
  }

  /// Bytes that may wait for a peer that reads nothing; then it counts as broken.
  static let maxOutboxBytes = 1 << 30

  /// Bytes that may wait for a plugin's process before nothing more is read of what it says.
  ///
  /// Else one that asks and asks and reads nothing would have the gateway keep all answers. That process itself goes on
  /// reading whatever waits, so that the two ends cannot wait for each other.
  static let maxUnreadBytes = 16 << 20

  private let isGateway: Bool
  private let socket: Descriptor
  private let bell: Descriptor
  private let outbox = Mutex(Outbox())
  private let incoming: Mutex<Incoming>

  private struct Incoming {
    var decoder: FrameDecoder
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    var fault: LinkFrame.Fault?
  }

  /// - Parameters:
  ///   - socket: Connected, non-blocking.
  ///   - isGateway: Whether this is the gateway's end.
  /// - Throws: `SystemError` when no descriptor is left.
  init(_ socket: consuming Descriptor, isGateway: Bool) throws(SystemError) {
    let raw = linux_eventfd()
    guard raw >= 0 else { throw SystemError(call: "eventfd", code: -raw) }
    bell = Descriptor(adopting: raw)
    self.socket = socket
    self.isGateway = isGateway
    incoming = Mutex(Incoming(decoder: FrameDecoder(isFromGateway: !isGateway)))
  }

  /// Why the last `next` gave nothing, when the peer broke the protocol.
  var fault: LinkFrame.Fault? { incoming.withLock { $0.fault } }

  /// Bytes that wait for the peer.
  var backlog: Int { outbox.withLock { $0.count } }

  /// Sends a frame; any thread, returns at once.
  ///
  /// - Parameter frame: Whole; dropped once the link is closed.
  func send(_ frame: [UInt8]) {
    let wakes = outbox.withLock { outbox in
      guard !outbox.isClosed else { return false }
      var sent = 0
      if outbox.count == 0 {
        sent = unsafe frame.withUnsafeBytes { unsafe Self.push(socket.raw, $0) }
        if sent == frame.count { return false }
      }
      let wasEmpty = outbox.count == 0
      if wasEmpty {
        outbox.bytes.removeAll(keepingCapacity: outbox.bytes.capacity < 1 << 20)
        outbox.start = 0
      }
      outbox.bytes += frame[sent...]
      if outbox.count > Self.maxOutboxBytes { Self.close(&outbox, socket.raw) }
      return wasEmpty
    }
    if wakes { ring() }
  }

  /// Sends a frame of `kind`.
  func send(_ kind: LinkFrame.Kind, room: Int = 64, _ fill: (inout FrameBuilder) -> Void) {
    var builder = FrameBuilder(kind, room: room)
    fill(&builder)
    send(builder.finished)
  }

  /// Ends the link for both sides; `next` gives nothing any more.
  func close() {
    outbox.withLock { Self.close(&$0, socket.raw) }
    ring()
  }

  /// Waits for the next frame; one thread at a time.
  ///
  /// - Returns: `nil` once the peer is gone, has broken the protocol, or the link was closed.
  func next() -> LinkFrame? {
    while true {
      do throws(LinkFrame.Fault) {
        if let frame = try incoming.withLock({ (incoming) throws(LinkFrame.Fault) in
          try incoming.decoder.next()
        }) {
          return frame
        }
      } catch {
        incoming.withLock { $0.fault = error }
        close()
        return nil
      }
      guard receive() else { return nil }
    }
  }

  /// Takes what has come, after waiting for it; `false` at the end.
  private func receive() -> Bool {
    while true {
      guard !isGateway || backlog <= Self.maxUnreadBytes else {
        guard wait(reads: false) else { return false }
        continue
      }
      let count = incoming.withLock { incoming in
        let count = unsafe linux_read(socket.raw, &incoming.chunk, incoming.chunk.count)
        if count > 0 { incoming.decoder.append(incoming.chunk[..<count]) }
        return count
      }
      if count > 0 { return true }
      guard count == -Int(EAGAIN) || count == -Int(EINTR), wait() else { return false }
    }
  }

  /// Waits until there is something to read, sending what waits meanwhile.
  ///
  /// - Parameter reads: Whether it looks at what there is to read.
  /// - Returns: Whether to go on.
  private func wait(reads: Bool = true) -> Bool {
    let (waiting, isClosed) = outbox.withLock { ($0.count, $0.isClosed) }
    guard !isClosed else { return false }
    let events = (reads ? POLLIN : 0) | (waiting > 0 ? POLLOUT : 0)
    var watched = [
      pollfd(fd: socket.raw, events: Int16(events), revents: 0),
      pollfd(fd: bell.raw, events: Int16(POLLIN), revents: 0),
    ]
    _ = unsafe poll(&watched, 2, -1)
    if watched[1].revents != 0 {
      var rung: UInt64 = 0
      _ = unsafe linux_read(bell.raw, &rung, 8)
    }
    if watched[0].revents & Int16(POLLOUT) != 0 { flush() }
    // A peer that is gone takes nothing any more.
    return reads || watched[0].revents & Int16(POLLHUP | POLLERR) == 0
  }

  private func flush() {
    outbox.withLock { outbox in
      guard !outbox.isClosed, outbox.count > 0 else { return }
      outbox.start += unsafe outbox.bytes.withUnsafeBytes { bytes in
        unsafe Self.push(socket.raw, UnsafeRawBufferPointer(rebasing: bytes[outbox.start...]))
      }
      if outbox.count == 0 {
        outbox.bytes.removeAll(keepingCapacity: outbox.bytes.capacity < 1 << 20)
        outbox.start = 0
      } else if outbox.start > max(1 << 20, outbox.count) {
        outbox.bytes.removeFirst(outbox.start)
        outbox.start = 0
      }
    }
  }

  private func ring() {
    var one: UInt64 = 1
    _ = unsafe linux_write(bell.raw, &one, 8)
  }

  /// Bytes that the socket has taken; 0 also when the peer is gone, which the reading thread finds out.
  private static func push(_ socket: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress, unsafe !bytes.isEmpty else { return 0 }
    return unsafe max(linux_send(socket, base, bytes.count), 0)
  }

  private static func close(_ outbox: inout Outbox, _ socket: CInt) {
    outbox.isClosed = true
    outbox.bytes = []
    outbox.start = 0
    _ = shutdown(socket, CInt(SHUT_RDWR))
  }
}
