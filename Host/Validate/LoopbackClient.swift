import CLinux
import Glibc

/// A client of one keep-alive connection over loopback, for one request at a time.
struct LoopbackClient: ~Copyable {
  enum Failure: Error, Equatable {
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

  /// Connects to `port` of 127.0.0.1.
  init(port: UInt16) throws(Failure) {
    let raw = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    guard raw >= 0 else { throw .system(SystemError(call: "socket", code: errno)) }
    let socket = Descriptor(adopting: raw)
    try Self.connect(raw, port)
    self.socket = socket
  }

  private static func connect(_ socket: CInt, _ port: UInt16) throws(Failure) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
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
  ///   - key: The API key.
  ///   - body: With its type, when there is one.
  ///   - limit: For the whole answer.
  /// - Returns: The status.
  /// - Throws: `Failure`; the connection is of no use any more.
  mutating func ask(
    _ method: String,
    _ path: String,
    key: String,
    body: String?,
    limit: Duration
  ) throws(Failure) -> Int {
    deadline = MonotonicClock.now + limit.nanoseconds
    var request = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nX-API-Key: \(key)\r\n"
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
      try take(count)
    } else if fields.contains(where: { $0.hasPrefix("transfer-encoding:") }) {
      try takeChunks()
    }
    return status
  }

  private mutating func takeHead() throws(Failure) -> String {
    String(decoding: try takeThrough("\r\n\r\n"), as: UTF8.self)
  }

  private mutating func takeChunks() throws(Failure) {
    while true {
      let line = String(decoding: try takeThrough("\r\n"), as: UTF8.self)
      guard let count = Int(line.prefix { $0.isHexDigit }, radix: 16) else { throw .malformed }
      try take(count + 2)
      if count == 0 { return }
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

  private mutating func take(_ count: Int) throws(Failure) {
    guard count <= Self.maxBytes else { throw .malformed }
    while buffer.count < count { try fill() }
    buffer.removeFirst(count)
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
