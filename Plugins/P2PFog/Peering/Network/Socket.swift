import Glibc

/// A socket with one owner, never blocking; closed when that owner goes away.
struct Socket: ~Copyable, Sendable {
  /// What a read or write came to.
  enum Progress: Equatable {
    case bytes(Int)
    /// Nothing now; `poll` tells when.
    case later
    /// The other side has ended, or the connection is broken.
    case ended
  }

  let descriptor: Int32
  /// `AF_INET` or `AF_INET6`.
  let family: Int32

  /// Opens a socket of the family of `endpoint`.
  ///
  /// - Parameters:
  ///   - endpoint: For the family alone.
  ///   - isStream: TCP, else UDP.
  /// - Throws: What the machine refused.
  init(for endpoint: Endpoint, isStream: Bool) throws(NetworkError) {
    family = endpoint.address.count == 4 ? AF_INET : AF_INET6
    let kind = isStream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue
    let flags = SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    descriptor = socket(family, Int32(kind | flags), 0)
    guard descriptor >= 0 else { throw .last("socket") }
    // All addresses of version 6 are those of version 4 too, whatever the machine's default is.
    if family == AF_INET6 { try set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: 0) }
  }

  /// Takes over a descriptor that is bound or connected already; -1 stands for none.
  init(adopting descriptor: Int32) {
    self.descriptor = descriptor
    family = AF_UNSPEC
  }

  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  /// Sets an option whose value is a number.
  func set(_ level: Int32, _ option: Int32, to value: Int32) throws(NetworkError) {
    var value = value
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard unsafe setsockopt(descriptor, level, option, &value, size) == 0 else {
      throw .last("setsockopt")
    }
  }

  /// Binds to an endpoint.
  func bind(to endpoint: Endpoint) throws(NetworkError) {
    let status = unsafe SocketAddress.lend(endpoint, to: family) {
      unsafe Glibc.bind(descriptor, $0, $1)
    }
    if status == 0 { return }
    throw errno == EADDRINUSE ? .addressInUse(endpoint) : .last("bind")
  }

  /// Begins a connection; `poll` tells when it stands, `pendingError` whether.
  func connect(to endpoint: Endpoint) throws(NetworkError) {
    let status = unsafe SocketAddress.lend(endpoint, to: family) {
      unsafe Glibc.connect(descriptor, $0, $1)
    }
    guard status == 0 || errno == EINPROGRESS || errno == EINTR else { throw .last("connect") }
  }

  /// The error that ended a connection attempt; 0 for none.
  var pendingError: Int32 {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    return code
  }

  /// Reads what is there, into the front of `buffer`.
  func read(into buffer: inout [UInt8]) -> Progress {
    while true {
      let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .ended }
      if errno == EINTR { continue }
      return errno == EAGAIN || errno == EWOULDBLOCK ? .later : .ended
    }
  }

  /// Writes as much as fits now.
  func write(_ bytes: ArraySlice<UInt8>) -> Progress {
    while true {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          descriptor,
          buffer.baseAddress,
          buffer.count,
          Int32(MSG_NOSIGNAL)
        )
      }
      if count >= 0 { return .bytes(count) }
      if errno == EINTR { continue }
      return errno == EAGAIN || errno == EWOULDBLOCK ? .later : .ended
    }
  }
}
