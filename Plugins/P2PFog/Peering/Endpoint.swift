import Glibc

/// Where a peer is reached: an address of IP version 4 or 6, and a port.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 bytes in network order.
  package let address: [UInt8]
  /// 0 stands for a port that the system chooses, in settings alone.
  package let port: UInt16

  /// An endpoint; `nil` for an address that has neither 4 nor 16 bytes.
  package init?(address: [UInt8], port: UInt16) {
    guard address.count == 4 || address.count == 16 else { return nil }
    self.address = address
    self.port = port
  }

  /// An endpoint of text as `127.0.0.1:7946` or `[::1]:7946`; `nil` for anything else, names included.
  ///
  /// A name would need a resolver that may block or lie; peers are known by their keys and found by addresses.
  package init?(text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    // `UInt16` takes a sign, and C ends a text at a zero byte: neither is an address that people write.
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits),
      !text.utf8.contains(0)
    else { return nil }
    var host = String(text[..<colon])
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = String(host.dropFirst().dropLast()) }
    var bytes = [UInt8](repeating: 0, count: isBracketed ? 16 : 4)
    guard unsafe inet_pton(isBracketed ? AF_INET6 : AF_INET, host, &bytes) == 1 else { return nil }
    self.init(address: bytes, port: port)
  }

  /// As `127.0.0.1:7946` or `[::1]:7946`.
  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let isFour = address.count == 4
    _ = unsafe inet_ntop(isFour ? AF_INET : AF_INET6, address, &text, UInt32(text.count))
    let host = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let name = String(decoding: host, as: UTF8.self)
    return isFour ? "\(name):\(port)" : "[\(name)]:\(port)"
  }

  /// Whether it stands for all addresses of the machine.
  package var isWildcard: Bool { address.allSatisfy { $0 == 0 } }

  /// Whether another peer may be there: one address, and a port.
  package var canBeDialled: Bool { port != 0 && !isWildcard }

  /// Appends one byte of length, the address and the port.
  package func write(to writer: inout ByteWriter) {
    writer.number(UInt8(address.count))
    writer.raw(address)
    writer.number(port)
  }

  /// Reads what `write` wrote.
  package init(from reader: inout ByteReader) throws(MalformedPacket) {
    let count = Int(try reader.number(UInt8.self))
    let address = try reader.raw(count)
    let port = try reader.number(UInt16.self)
    guard let read = Endpoint(address: address, port: port) else {
      throw MalformedPacket("has an address of \(count) bytes")
    }
    self = read
  }
}
