import Glibc

/// A UDP socket of the peer, with the group it is discovered by.
struct DatagramSocket: ~Copyable, Sendable {
  /// Bytes read of a datagram at most; the protocol's own are at most 1,200.
  private static let readSize = 2048
  /// The kernel's room for datagrams that the loop has not read yet.
  private static let receiveBuffer: Int32 = 1 << 20

  let socket: Socket
  /// Where it is bound.
  let local: Endpoint
  private let group: Endpoint?
  private let groupSocket: Socket

  /// Binds to `endpoint`; its port may be 0.
  ///
  /// - Parameters:
  ///   - endpoint: An address of this machine, or all of them.
  ///   - group: A multicast group of IP version 4 to be heard and spoken to; `nil` for none.
  /// - Throws: What the machine refused.
  init(_ endpoint: Endpoint, group: Endpoint?) throws(NetworkError) {
    let bound = try Socket(for: endpoint, isStream: false)
    try bound.bind(to: endpoint)
    try? bound.set(SOL_SOCKET, SO_RCVBUF, to: Self.receiveBuffer)
    let local = try SocketAddress.local(of: bound.descriptor)
    let heard = endpoint.address.count == 4 ? group : nil
    let listening = try Self.listen(to: heard, by: endpoint)
    if heard != nil { try Self.speak(by: endpoint, bound) }
    socket = bound
    groupSocket = listening
    self.local = local
    self.group = heard
  }

  /// What `poll` waits for: the socket, and the group's where there is one.
  var descriptors: [Int32] {
    group == nil ? [socket.descriptor] : [socket.descriptor, groupSocket.descriptor]
  }

  /// Reads one datagram of one of `descriptors`; `nil` when there is none.
  func receive(from descriptor: Int32) -> (bytes: [UInt8], sender: Endpoint)? {
    var buffer = [UInt8](repeating: 0, count: Self.readSize)
    while true {
      var storage = sockaddr_storage()
      var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let count = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe recvfrom(descriptor, &buffer, buffer.count, 0, $0, &size)
        }
      }
      // An ICMP error of an earlier datagram is reported by the next call; it says nothing about this one.
      if count < 0, errno == EINTR || errno == ECONNREFUSED { continue }
      guard count >= 0 else { return nil }
      guard let sender = SocketAddress.endpoint(storage) else { continue }
      return (Array(buffer[..<count]), sender)
    }
  }

  /// Sends a datagram; one that the kernel does not take now is lost, as any datagram may be.
  func send(_ bytes: [UInt8], to endpoint: Endpoint) {
    _ = unsafe SocketAddress.lend(endpoint, to: socket.family) { address, size in
      unsafe sendto(socket.descriptor, bytes, bytes.count, 0, address, size)
    }
  }

  /// Sends a datagram to the group, where there is one.
  func multicast(_ bytes: [UInt8]) { if let group { send(bytes, to: group) } }

  private static func listen(to group: Endpoint?, by endpoint: Endpoint) throws(NetworkError)
    -> Socket
  {
    guard let group else { return Socket(adopting: -1) }
    let socket = try Socket(for: group, isStream: false)
    // Several gateways of one machine listen to the same group.
    try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
    try socket.bind(to: group)
    var request = ip_mreq()
    unsafe withUnsafeMutableBytes(of: &request.imr_multiaddr) {
      unsafe $0.copyBytes(from: group.address)
    }
    unsafe withUnsafeMutableBytes(of: &request.imr_interface) {
      unsafe $0.copyBytes(from: endpoint.address)
    }
    let size = socklen_t(MemoryLayout<ip_mreq>.size)
    guard
      unsafe setsockopt(socket.descriptor, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &request, size)
        == 0
    else { throw .last("IP_ADD_MEMBERSHIP") }
    return socket
  }

  private static func speak(by endpoint: Endpoint, _ socket: borrowing Socket) throws(NetworkError)
  {
    // One hop: discovery is of the local network.
    try socket.set(Int32(IPPROTO_IP), IP_MULTICAST_TTL, to: 1)
    guard !endpoint.isWildcard else { return }
    var address = in_addr()
    unsafe withUnsafeMutableBytes(of: &address) { unsafe $0.copyBytes(from: endpoint.address) }
    let size = socklen_t(MemoryLayout<in_addr>.size)
    guard
      unsafe setsockopt(socket.descriptor, Int32(IPPROTO_IP), IP_MULTICAST_IF, &address, size) == 0
    else { throw .last("IP_MULTICAST_IF") }
  }
}
