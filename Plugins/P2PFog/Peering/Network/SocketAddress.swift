import Glibc

/// Endpoints as the system's calls take and give them.
enum SocketAddress {
  /// What stands before an address of IP version 4 in one of version 6 (RFC 4291 section 2.5.5.2).
  private static let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

  /// Calls `body` with the address of `endpoint` as a socket of `family` takes it, valid for the call.
  ///
  /// - Parameters:
  ///   - endpoint: Of either family.
  ///   - family: `AF_INET` or `AF_INET6`; the latter reaches both (RFC 3493 section 3.7).
  ///   - body: Gets the address and its size.
  /// - Returns: What `body` returns.
  static func lend<Result>(
    _ endpoint: Endpoint,
    to family: Int32,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    let isFour = endpoint.address.count == 4
    if isFour, family == AF_INET {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = endpoint.port.bigEndian
      unsafe withUnsafeMutableBytes(of: &address.sin_addr) {
        unsafe $0.copyBytes(from: endpoint.address)
      }
      return unsafe lend(&address, body)
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = endpoint.port.bigEndian
    unsafe withUnsafeMutableBytes(of: &address.sin6_addr) {
      unsafe $0.copyBytes(from: isFour ? mapped + endpoint.address : endpoint.address)
    }
    return unsafe lend(&address, body)
  }

  /// The endpoint of an address that a system call filled in, mapped ones as version 4; `nil` for another family.
  static func endpoint(_ storage: sockaddr_storage) -> Endpoint? {
    unsafe withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let address = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
        let raw = unsafe withUnsafeBytes(of: address.sin_addr) { unsafe Array($0) }
        return Endpoint(address: raw, port: UInt16(bigEndian: address.sin_port))
      case AF_INET6:
        let address = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
        let raw = unsafe withUnsafeBytes(of: address.sin6_addr) { unsafe Array($0) }
        return Endpoint(
          address: raw.starts(with: mapped) ? Array(raw[12...]) : raw,
          port: UInt16(bigEndian: address.sin6_port)
        )
      default: return nil
      }
    }
  }

  /// The endpoint that a socket is bound to.
  static func local(of descriptor: Int32) throws(NetworkError) -> Endpoint {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let status = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &size)
      }
    }
    guard status == 0, let endpoint = endpoint(storage) else { throw .last("getsockname") }
    return endpoint
  }

  private static func lend<Address, Result>(
    _ address: inout Address,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<Address>.size))
      }
    }
  }
}
