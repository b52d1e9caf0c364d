/// A chunked body the peer was not allowed to send (RFC 9112 §7.1).
package enum ChunkError: Error, Equatable, Sendable {
  case invalidSize
  case sizeTooLarge
  case invalidExtension
  case extensionsTooLong(limit: Int)
  case missingLineEnd
  case invalidTrailer
  case trailersTooLong(limit: Int)

  /// The status of the answer, sent before the connection is closed.
  package var status: UInt16 {
    if case .trailersTooLong = self { 431 } else { 400 }
  }

  /// What was wrong and how to send it right.
  package var message: String {
    switch self {
    case .invalidSize: "A chunk does not start with its size in hexadecimal digits."
    case .sizeTooLarge: "A chunk size does not fit 63 bits; send smaller chunks."
    case .invalidExtension:
      "A chunk extension contains a byte that is not visible ASCII; leave extensions out."
    case .extensionsTooLong(let limit):
      "Chunk extensions exceed \(limit) bytes in one body; leave them out."
    case .missingLineEnd: "A chunk is not followed by CR LF; its size does not match its data."
    case .invalidTrailer: "A trailer field is malformed; write 'Name: value' or leave it out."
    case .trailersTooLong(let limit): "Trailer fields exceed \(limit) bytes; leave them out."
    }
  }
}

/// Takes the chunks of a body apart, wherever the bytes are cut (RFC 9112 §7.1).
///
/// Extensions and trailers are checked and dropped. Line ends are CR LF and nothing else: a lone LF
/// after an extension is how chunked requests are smuggled.
package struct ChunkedDecoder: Sendable {
  package enum Event: Equatable, Sendable {
    /// All bytes are used up.
    case needMore
    /// Bytes of the body, as a range of what was passed.
    case data(Range<Int>)
    /// The body is complete; what follows belongs to the next request.
    case end
  }

  /// Bytes of chunk extensions accepted in one body.
  package static let maxExtensionBytes = 4 * 1024
  /// Bytes of trailer fields accepted.
  package static let maxTrailerBytes = 8 * 1024

  private enum Phase {
    case size, sizeExtension, sizeLineFeed
    case data, dataCarriageReturn, dataLineFeed
    case trailerStart, trailerName, trailerValue, trailerLineFeed
    case lastLineFeed, done
  }

  private var phase = Phase.size
  private var size: UInt64 = 0
  private var digits = 0
  private var extensionBytes = 0
  private var trailerBytes = 0

  package init() {}

  /// Goes on until data, the end, or the last byte.
  ///
  /// - Parameters:
  ///   - bytes: What has arrived.
  ///   - offset: Where to go on in `bytes`; moved behind what was used.
  /// - Returns: What was found.
  /// - Throws: `ChunkError`; the body cannot be read any further.
  package mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(ChunkError) -> Event {
    while phase != .done {
      guard offset < bytes.count else { return .needMore }
      if phase == .data {
        let start = offset
        let taken = min(UInt64(bytes.count - start), size)
        size -= taken
        offset = start + Int(taken)
        if size == 0 { phase = .dataCarriageReturn }
        return .data(start..<offset)
      }
      let byte = bytes[offset]
      offset += 1
      switch phase {
      case .size, .sizeExtension, .sizeLineFeed: try sizeLine(byte)
      case .dataCarriageReturn: phase = try expect(byte, ASCII.carriageReturn, then: .dataLineFeed)
      case .dataLineFeed: phase = try expect(byte, ASCII.lineFeed, then: .size)
      default: try trailer(byte)
      }
    }
    return .end
  }

  private func expect(
    _ byte: UInt8,
    _ expected: UInt8,
    then next: Phase
  ) throws(ChunkError) -> Phase {
    guard byte == expected else { throw .missingLineEnd }
    return next
  }

  private mutating func sizeLine(_ byte: UInt8) throws(ChunkError) {
    switch phase {
    case .size:
      if let digit = ASCII.hexValue(byte) {
        digits += 1
        // Leading zeros count, so that a size line has a bound of its own.
        guard digits <= 16, size >> 59 == 0 else { throw .sizeTooLarge }
        size = size << 4 | UInt64(digit)
        return
      }
      guard digits > 0 else { throw .invalidSize }
      switch byte {
      case ASCII.carriageReturn: phase = .sizeLineFeed
      case UInt8(ascii: ";"): try countExtension()
      default: throw .invalidSize
      }
    case .sizeExtension:
      if byte == ASCII.carriageReturn {
        phase = .sizeLineFeed
      } else {
        guard ASCII.isFieldContent(byte), byte < 0x80 else { throw .invalidExtension }
        try countExtension()
      }
    default:
      guard byte == ASCII.lineFeed else { throw .missingLineEnd }
      digits = 0
      phase = size == 0 ? .trailerStart : .data
    }
  }

  private mutating func countExtension() throws(ChunkError) {
    extensionBytes += 1
    guard extensionBytes <= Self.maxExtensionBytes else {
      throw .extensionsTooLong(limit: Self.maxExtensionBytes)
    }
    phase = .sizeExtension
  }

  private mutating func trailer(_ byte: UInt8) throws(ChunkError) {
    trailerBytes += 1
    guard trailerBytes <= Self.maxTrailerBytes else {
      throw .trailersTooLong(limit: Self.maxTrailerBytes)
    }
    switch phase {
    case .trailerStart:
      if byte == ASCII.carriageReturn {
        phase = .lastLineFeed
      } else {
        guard ASCII.isToken(byte) else { throw .invalidTrailer }
        phase = .trailerName
      }
    case .trailerName:
      if byte == UInt8(ascii: ":") {
        phase = .trailerValue
      } else {
        guard ASCII.isToken(byte) else { throw .invalidTrailer }
      }
    case .trailerValue:
      if byte == ASCII.carriageReturn {
        phase = .trailerLineFeed
      } else {
        guard ASCII.isFieldContent(byte) else { throw .invalidTrailer }
      }
    case .trailerLineFeed: phase = try expect(byte, ASCII.lineFeed, then: .trailerStart)
    default: phase = try expect(byte, ASCII.lineFeed, then: .done)
    }
  }
}

/// Writes a chunked body: header, data, line end, and so on to the last chunk.
package enum Chunk {
  /// What follows the data of each chunk.
  package static var lineEnd: String { "\r\n" }
  /// What ends the body, without trailers.
  package static var last: String { "0\r\n\r\n" }

  /// Appends the size line of a chunk of `count` bytes; `count` must not be 0, which ends the body.
  package static func writeHeader(_ count: Int, to output: inout [UInt8]) {
    precondition(count > 0, "a chunk of \(count) bytes")
    var shift = (UInt64.bitWidth - 1 - count.leadingZeroBitCount) / 4 * 4
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: count >> shift) & 0x0F
      output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
      shift -= 4
    }
    output.append(contentsOf: lineEnd.utf8)
  }
}
