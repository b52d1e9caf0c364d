import CLinux
import Glibc
import Testing

@testable import Gateway

/// A TCP socket connected to `port` of the loopback address, or a negative number.
func connected(to port: UInt16) -> CInt {
  let client = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  let size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) }
  }
  guard result == 0 else {
    close(client)
    return -1
  }
  return client
}

@Suite("Listening socket")
struct ListenerTests {
  @Test func `port 0 becomes a free port, and connections come with their address`() throws {
    let loop = try EventLoop()
    var peers: [[UInt8]] = []
    let listener = try Listener(host: "127.0.0.1", port: 0, isShared: true, loop: loop) {
      socket,
      peer in
      #expect(fcntl(socket.raw, F_GETFL) & O_NONBLOCK != 0)
      #expect(fcntl(socket.raw, F_GETFD) & FD_CLOEXEC != 0)
      peers.append(peer)
    }
    #expect(listener.port > 0)
    let clients = (0..<3).map { _ in connected(to: listener.port) }
    defer { clients.forEach { close($0) } }
    #expect(clients.allSatisfy { $0 >= 0 })
    try run(loop) { peers.count == 3 }
    #expect(peers == Array(repeating: Array("127.0.0.1".utf8), count: 3))
    listener.close()
  }

  @Test func `several loops share one port`() throws {
    let loop = try EventLoop()
    let first = try Listener(host: "127.0.0.1", port: 0, isShared: true, loop: loop) { _, _ in }
    let second = try Listener(host: "127.0.0.1", port: first.port, isShared: true, loop: loop) {
      _,
      _ in
    }
    #expect(second.port == first.port)
    first.close()
    second.close()
    #expect(loop.sourceCount == 0)
  }

  @Test func `close takes what waits, and then nobody is let in`() throws {
    let loop = try EventLoop()
    var count = 0
    var port: UInt16 = 0
    do {
      let listener = try Listener(host: "127.0.0.1", port: 0, isShared: true, loop: loop) { _, _ in
        count += 1
      }
      port = listener.port
      let client = connected(to: port)
      listener.close()
      close(client)
    }
    #expect(count == 1)
    #expect(connected(to: port) < 0)
  }

  @Test func `a name that does not resolve and an address that is not ours are errors`() throws {
    let loop = try EventLoop()
    #expect(throws: SystemError(call: "getaddrinfo", code: EADDRNOTAVAIL)) {
      try Listener(host: "no such host", port: 0, isShared: true, loop: loop) { _, _ in }
    }
    #expect(throws: SystemError(call: "listen", code: EADDRNOTAVAIL)) {
      try Listener(host: "192.0.2.1", port: 0, isShared: true, loop: loop) { _, _ in }
    }
    #expect(loop.sourceCount == 0)
  }

  // In a process of its own: the limit on descriptors is the whole process's.
  @Test func `without descriptors it pauses instead of spinning, and goes on when there are some`()
    async
  {
    await #expect(processExitsWith: .success) {
      let loop = try EventLoop()
      var count = 0
      let listener = try Listener(host: "127.0.0.1", port: 0, isShared: true, loop: loop) { _, _ in
        count += 1
        loop.stop()
      }
      let client = connected(to: listener.port)
      try #require(client >= 0)
      var limit = rlimit(rlim_cur: 256, rlim_max: 256)
      try #require(setrlimit(CInt(RLIMIT_NOFILE.rawValue), &limit) == 0)
      var taken: [CInt] = []
      while case let copy = dup(client), copy >= 0 { taken.append(copy) }
      var ticks = 0
      loop.afterTick = { ticks += 1 }
      let release = Alarm(loop, at: loop.now + 250_000_000) { taken.forEach { close($0) } }
      _ = release
      let end = LoopLimit(loop)
      try loop.run()
      try #require(count == 1)
      try #require(!end.hasPassed)
      try #require(ticks < 10)
    }
  }

  @Test func `a port that is not shared is refused to a second listener`() throws {
    let loop = try EventLoop()
    let first = try Listener(host: "127.0.0.1", port: 0, isShared: false, loop: loop) { _, _ in }
    #expect(throws: SystemError(call: "listen", code: EADDRINUSE)) {
      try Listener(host: "127.0.0.1", port: first.port, isShared: true, loop: loop) { _, _ in }
    }
    first.close()
  }
}
