import CLinux
import Glibc
import Testing

@testable import Gateway

/// Two connected, non-blocking stream sockets with small buffers, closed at the end.
final class SocketPair {
  private(set) var near: CInt
  private(set) var far: CInt

  init() throws {
    var ends: [CInt] = [0, 0]
    try #require(
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0
    )
    (near, far) = (ends[0], ends[1])
    var size: CInt = 4096
    setsockopt(near, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
  }

  deinit {
    if near >= 0 { close(near) }
    closeFar()
  }

  /// Hands the near end to another owner.
  func surrenderNear() -> Descriptor {
    defer { near = -1 }
    return Descriptor(adopting: near)
  }

  func closeFar() {
    if far >= 0 { close(far) }
    far = -1
  }

  /// What waits at the far end, at most `limit` bytes.
  func take(_ limit: Int = 1 << 20) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while all.count < limit {
      let count = read(far, &chunk, min(chunk.count, limit - all.count))
      guard count > 0 else { break }
      all += chunk[..<count]
    }
    return all
  }

  /// Sends from the far end.
  func give(_ bytes: [UInt8]) { _ = write(far, bytes, bytes.count) }

  /// Whether the near end was closed and everything it sent was read.
  var isEnded: Bool {
    var byte: UInt8 = 0
    return recv(far, &byte, 1, CInt(MSG_PEEK)) == 0
  }
}

@Suite("Bytes that wait for one client")
struct OutputQueueTests {
  @Test func `sends nothing when there is nothing`() throws {
    let pair = try SocketPair()
    var queue = OutputQueue()
    #expect(queue.isEmpty && queue.count == 0)
    #expect(try queue.send(to: pair.near) == 0)
  }

  @Test func `keeps what the socket does not take, and sends it later in order`() throws {
    let pair = try SocketPair()
    var queue = OutputQueue()
    let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    queue.append(sent[..<100_000])
    let first = try queue.send(to: pair.near)
    #expect(first > 0 && first < 100_000)
    #expect(queue.count == 100_000 - first)
    queue.append(sent[100_000...])
    #expect(try queue.send(to: pair.near) == 0)
    var received: [UInt8] = []
    while received.count < sent.count {
      let chunk = pair.take(7_777)
      try #require(!chunk.isEmpty)
      received += chunk
      _ = try queue.send(to: pair.near)
      #expect(queue.isEmpty == (queue.count == 0))
    }
    #expect(received == sent)
    #expect(queue.isEmpty)
  }

  @Test func `a client that has gone is an error and no signal`() throws {
    let pair = try SocketPair()
    pair.closeFar()
    var queue = OutputQueue()
    queue.append([1, 2, 3])
    #expect(throws: SystemError(call: "send", code: EPIPE)) { try queue.send(to: pair.near) }
  }

  @Test func `one attempt says how many bytes were taken, or why none`() throws {
    let pair = try SocketPair()
    let bytes: [UInt8] = [1, 2, 3]
    #expect(bytes.withUnsafeBytes { OutputQueue.send($0, to: pair.near) } == 3)
    #expect(pair.take() == bytes)
    #expect(OutputQueue.send(UnsafeRawBufferPointer(start: nil, count: 0), to: pair.near) == 0)
    #expect(bytes.withUnsafeBytes { OutputQueue.send($0, to: -1) } == -Int(EBADF))
  }
}
