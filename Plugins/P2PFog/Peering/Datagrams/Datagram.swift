/// The datagrams between peers as bytes; the first byte is the version, the second says what it is.
///
///     first   1 1 sender(4) cookie(16) Noise message(32) zeros to 512
///     second  1 2 receiver(4) sender(4) Noise message
///     third   1 3 receiver(4) Noise message
///     data    1 4 receiver(4) number(8) sealed frame
///     cookie  1 5 receiver(4) cookie(16)
///     beacon  1 6 see `Beacon`
///     probe   1 7 zeros to 256
///
/// Sender and receiver are names that each side draws at random for one session (WireGuard, section 5.4, calls them indices).
package enum Datagram {
  /// What a datagram is.
  package enum Kind: UInt8, Sendable {
    case first = 1
    case second, third, data, cookie, beacon, probe
  }

  /// The version that this build speaks; another one is dropped, never answered.
  package static let version: UInt8 = 1
  /// Bytes of the longest datagram; what every path of IP version 6 carries whole (RFC 8200 section 5, less headers).
  package static let sizeLimit = 1200
  /// Bytes of the first message of a handshake.
  ///
  /// No answer to it is longer, so that no third party can be flooded through this peer (the thought of RFC 9000 section 8.1).
  package static let firstSize = 512
  /// Bytes of the longest second message: two names, two keys, record, proof and tags.
  package static let secondLimit =
    10 + X25519.size + X25519.size + 2 * ChaChaPoly.tagSize + PeerRecord.sizeLimit + 33
  /// Bytes before the sealed part of `data`.
  package static let dataHeaderSize = 14
  /// Bytes of the longest frame in a `data` datagram.
  package static let frameLimit = sizeLimit - dataHeaderSize - ChaChaPoly.tagSize
  static let cookieSize = 16

  /// What `bytes` claim to be; `nil` for another version or nothing known.
  static func kind(of bytes: [UInt8]) -> Kind? {
    guard bytes.count >= 2, bytes[0] == version else { return nil }
    return Kind(rawValue: bytes[1])
  }

  /// The beginning of a datagram.
  static func header(_ kind: Kind) -> ByteWriter {
    var writer = ByteWriter()
    writer.number(version)
    writer.number(kind.rawValue)
    return writer
  }

  static func first(sender: UInt32, cookie: [UInt8], message: [UInt8]) -> [UInt8] {
    var writer = header(.first)
    writer.number(sender)
    writer.raw(cookie)
    writer.raw(message)
    writer.raw([UInt8](repeating: 0, count: firstSize - writer.bytes.count))
    return writer.bytes
  }

  static func second(receiver: UInt32, sender: UInt32, message: [UInt8]) -> [UInt8] {
    var writer = header(.second)
    writer.number(receiver)
    writer.number(sender)
    writer.raw(message)
    return writer.bytes
  }

  static func third(receiver: UInt32, message: [UInt8]) -> [UInt8] {
    var writer = header(.third)
    writer.number(receiver)
    writer.raw(message)
    return writer.bytes
  }

  static func cookie(receiver: UInt32, _ cookie: [UInt8]) -> [UInt8] {
    var writer = header(.cookie)
    writer.number(receiver)
    writer.raw(cookie)
    return writer.bytes
  }

  static func dataHeader(receiver: UInt32, number: UInt64) -> [UInt8] {
    var writer = header(.data)
    writer.number(receiver)
    writer.number(number)
    return writer.bytes
  }
}
