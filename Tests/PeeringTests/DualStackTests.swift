import Glibc
import Testing

@testable import Peering

@Suite("Sockets of both versions of IP")
struct DualStackTests {
  static func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text: text)) }

  static let hasSix = (try? DatagramSocket(endpoint("[::1]:0"), group: nil)) != nil

  /// The next datagram of a socket, which must come within 10 s.
  static func next(
    _ socket: borrowing DatagramSocket
  ) throws -> (bytes: [UInt8], sender: Endpoint) {
    var waiting = pollfd(fd: socket.socket.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(unsafe poll(&waiting, 1, 10_000) == 1)
    let datagram = socket.receive(from: socket.socket.descriptor)
    return try #require(datagram)
  }

  @Test(
    "who listens on all addresses of version 6 speaks with peers of both",
    .enabled(if: hasSix, "no IPv6 on loopback"),
    arguments: ["127.0.0.1", "[::1]"]
  )
  func bothVersionsAreSpoken(address: String) throws {
    let all = try DatagramSocket(Self.endpoint("[::]:0"), group: nil)
    let one = try DatagramSocket(Self.endpoint("\(address):0"), group: nil)
    one.send([1], to: try Self.endpoint("\(address):\(all.local.port)"))
    let asked = try Self.next(all)
    #expect(asked.bytes == [1] && asked.sender == one.local)
    all.send([2], to: asked.sender)
    let answer = try Self.next(one)
    #expect(answer.bytes == [2] && answer.sender.description == "\(address):\(all.local.port)")
  }

  @Test(
    "links of both versions come to who listens on all addresses of version 6",
    .enabled(if: hasSix, "no IPv6 on loopback"),
    arguments: ["127.0.0.1", "[::1]"]
  )
  func bothVersionsConnect(address: String) throws {
    let listening = try ListeningSocket(Self.endpoint("[::]:0"))
    let local = try SocketAddress.local(of: listening.socket.descriptor)
    let to = try Self.endpoint("\(address):\(local.port)")
    let client = try Socket(for: to, isStream: true)
    try client.connect(to: to)
    var waiting = pollfd(fd: listening.socket.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(unsafe poll(&waiting, 1, 10_000) == 1)
    guard case .connection = listening.accept() else {
      Issue.record("nobody came")
      return
    }
    #expect(client.pendingError == 0)
  }
}
