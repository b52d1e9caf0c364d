import CLinux
import Glibc

/// A client of one keep-alive connection to a gateway of this machine, for one request at a time.
package struct LoopbackClient: ~Copyable {
  /// Why there is no answer.
  package enum Failure: Error, Equatable {
    case system(SystemError)
    /// The connection ended, or stayed silent for too long, before the answer was whole.
    case cut
    /// What came is no answer of HTTP/1.1.
    case malformed
  }

  /// Bytes of one answer.
  private static let maxBytes = 64 * 1024 * 1024

  private let socket: Descriptor
  private var buffer: [UInt8] = []
  private var deadline: Int64 = 0

  /// Connects to `port` of an address of this machine.
  ///
  /// - Parameters:
  ///   - host: Of IP version 4 or 6; one that stands for all addresses is taken as loopback.
  ///   - port: Where the gateway listens.
  /// - Throws: `Failure.system`; nothing listens there.
  package init(host: String = "127.0.0.1", port: UInt16) throws(Failure) {
    let isSix = host.contains(":")
    let raw = Glibc.socket(isSix ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    guard raw >= 0 else { throw .system(SystemError(call: "socket", code: errno)) }
    let socket = Descriptor(adopting: raw)
    if isSix {
      try Self.connectSix(raw, host == "::" ? "::1" : host, port)
    } else {
      try Self.connect(raw, host == "0.0.0.0" ? "127.0.0.1" : host, port)
    }
    self.socket = socket
  }

  private static func connect(_ socket: CInt, _ host: String, _ port: UInt16) throws(Failure) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
      throw .system(SystemError(call: "inet_pton", code: EINVAL))
    }
    try connect(socket, &address)
  }

  private static func connectSix(_ socket: CInt, _ host: String, _ port: UInt16) throws(Failure) {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    guard unsafe inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else {
      throw .system(SystemError(call: "inet_pton", code: EINVAL))
    }
    try connect(socket, &address)
  }

  private static func connect<Address>(_ socket: CInt, _ address: inout Address) throws(Failure) {
    let size = socklen_t(MemoryLayout<Address>.size)
    let connected = unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe Glibc.connect(socket, address, size)
      }
    }
    guard connected == 0 else { throw .system(SystemError(call: "connect", code: errno)) }
  }

  /// Sends one request and reads its whole answer.
  ///
  /// - Parameters:
  ///   - method: Not HEAD.
  ///   - path: With query.
  ///   - credential: A header field, as `X-API-Key: KEY`.
  ///   - body: JSON, when there is one.
  ///   - limit: For the whole answer.
  /// - Returns: The status, and the body.
  /// - Throws: `Failure`; the connection is of no use any more.
  package mutating func ask(
    _ method: String,
    _ path: String,
    credential: String,
    body: String?,
    limit: Duration
  ) throws(Failure) -> (status: Int, body: [UInt8]) {
    deadline = MonotonicClock.now + limit.nanoseconds
    var request = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(credential)\r\n"
    if let body {
      request += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
    }
    request += "\r\n\(body ?? "")"
    do throws(SystemError) { try Directory.writeAll(socket.raw, Array(request.utf8)[...]) } catch {
      throw .cut
    }
    let head = try takeHead()
    let lines = head.split(separator: "\r\n")
    guard let first = lines.first, first.hasPrefix("HTTP/1.1 "),
      let status = Int(first.dropFirst(9).prefix(3))
    else { throw .malformed }
    let fields = lines.dropFirst().map { $0.lowercased() }
    if let length = fields.first(where: { $0.hasPrefix("content-length:") }) {
      guard let count = Int(length.dropFirst(15).drop { $0 == " " }) else { throw .malformed }
      return (status, try take(count))
    }
    if fields.contains(where: { $0.hasPrefix("transfer-encoding:") }) {
      return (status, try takeChunks())
    }
    return (status, [])
  }

  private mutating func takeHead() throws(Failure) -> String {
    String(decoding: try takeThrough("\r\n\r\n"), as: UTF8.self)
  }

  private mutating func takeChunks() throws(Failure) -> [UInt8] {
    var body: [UInt8] = []
    while true {
      let line = String(decoding: try takeThrough("\r\n"), as: UTF8.self)
      guard let count = Int(line.prefix { $0.isHexDigit }, radix: 16) else { throw .malformed }
      body += try take(count + 2).dropLast(2)
      guard body.count <= Self.maxBytes else { throw .malformed }
      if count == 0 { return body }
    }
  }

  private mutating func takeThrough(_ end: String) throws(Failure) -> [UInt8] {
    let end = Array(end.utf8)
    var from = 0
    while true {
      var index = from
      while index + end.count <= buffer.count {
        if buffer[index] == end[0], Array(buffer[index..<index + end.count]) == end {
          let taken = Array(buffer[..<index])
          buffer.removeFirst(index + end.count)
          return taken
        }
        index += 1
      }
      from = max(buffer.count - end.count, 0)
      try fill()
    }
  }

  private mutating func take(_ count: Int) throws(Failure) -> [UInt8] {
    guard (0...Self.maxBytes).contains(count) else { throw .malformed }
    while buffer.count < count { try fill() }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  private mutating func fill() throws(Failure) {
    guard buffer.count <= Self.maxBytes else { throw .malformed }
    var ready = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
    let left = (deadline - MonotonicClock.now) / 1_000_000
    guard left > 0, unsafe poll(&ready, 1, CInt(clamping: left)) > 0 else { throw .cut }
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    let count = unsafe read(socket.raw, &chunk, chunk.count)
    guard count > 0 else { throw .cut }
    buffer += chunk[..<count]
  }
}
