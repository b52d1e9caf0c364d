/// The fixed part of one WebSocket frame (RFC 6455 §5.2).
package struct FrameHeader: Equatable, Sendable {
  package enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Whether the frame manages the connection; such frames are short and whole (§5.5).
    package var isControl: Bool { rawValue >= 0x8 }
  }

  package var isFinal: Bool
  package var opcode: Opcode
  /// The first key byte highest, as it stands in the frame.
  package var maskingKey: UInt32
  /// Bytes of payload that follow the header.
  package var payloadLength: Int
}

/// A frame the peer was not allowed to send.
package enum FrameError: Error, Equatable, Sendable {
  case reservedBits(UInt8)
  case unknownOpcode(UInt8)
  case unmasked
  case controlTooLong(Int)
  case controlFragmented
  case lengthNotMinimal
  case tooLong(limit: Int)

  /// The status the close frame carries (§7.4.1).
  package var closeCode: UInt16 {
    if case .tooLong = self { 1009 } else { 1002 }
  }
}

extension FrameHeader {
  /// Reads the header at the front of `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: What has arrived so far; may end anywhere.
  ///   - limit: The longest payload of a data frame to accept, in bytes.
  /// - Returns: The header and its own length in bytes, or `nil` when more bytes are needed.
  /// - Throws: `FrameError`, at the first byte that decides it.
  package static func parse(
    _ bytes: Span<UInt8>,
    limit: Int
  ) throws(FrameError) -> (header: FrameHeader, length: Int)? {
    guard bytes.count >= 2 else { return nil }
    guard bytes[0] & 0x70 == 0 else { throw .reservedBits(bytes[0] & 0x70) }
    guard let opcode = Opcode(rawValue: bytes[0] & 0x0F) else {
      throw .unknownOpcode(bytes[0] & 0x0F)
    }
    let isFinal = bytes[0] & 0x80 != 0
    guard bytes[1] & 0x80 != 0 else { throw .unmasked }  // §5.1: a client always masks
    let short = Int(bytes[1] & 0x7F)
    if opcode.isControl {
      guard short <= 125 else { throw .controlTooLong(short) }
      guard isFinal else { throw .controlFragmented }
    }

    let extended = short == 127 ? 8 : short == 126 ? 2 : 0
    let length = 2 + extended + 4
    guard bytes.count >= length else { return nil }
    let payload = extended == 0 ? UInt64(short) : bigEndian(bytes, 2..<(2 + extended))
    if extended > 0 {
      guard payload > (extended == 2 ? 125 : 0xFFFF) else { throw .lengthNotMinimal }
    }
    guard opcode.isControl || payload <= UInt64(max(limit, 0)) else {
      throw .tooLong(limit: limit)
    }

    let key = UInt32(bigEndian(bytes, (length - 4)..<length))
    let header = FrameHeader(
      isFinal: isFinal,
      opcode: opcode,
      maskingKey: key,
      payloadLength: Int(payload)
    )
    return (header, length)
  }

  private static func bigEndian(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var value: UInt64 = 0
    for index in range { value = value << 8 | UInt64(bytes[index]) }
    return value
  }

  /// The key byte for the payload byte at `position` (RFC 6455 §5.3).
  @inline(__always)
  func mask(at position: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: maskingKey &>> UInt32(truncatingIfNeeded: 24 &- position &* 8))
  }
}
