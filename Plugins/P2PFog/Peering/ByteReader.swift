/// Bytes of a packet as they are read; every read past the end is `MalformedPacket`.
package struct ByteReader {
  private let bytes: [UInt8]
  private var position: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
  }

  /// Bytes not read yet.
  package var remaining: Int { bytes.count - position }

  /// The next `count` bytes.
  package mutating func raw(_ count: Int) throws(MalformedPacket) -> [UInt8] {
    guard count >= 0, count <= remaining else { throw MalformedPacket("ends too early") }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  /// The next number, big-endian.
  package mutating func number<Number: FixedWidthInteger>(
    _ type: Number.Type = Number.self
  ) throws(MalformedPacket) -> Number {
    let size = Number.bitWidth / 8
    guard size <= remaining else { throw MalformedPacket("ends too early") }
    var value: Number = 0
    for index in position..<position + size {
      value =
        Number.bitWidth == 8
        ? Number(truncatingIfNeeded: bytes[index]) : value << 8 | Number(bytes[index])
    }
    position += size
    return value
  }

  /// A two-byte length and so many bytes.
  ///
  /// - Parameter limit: More is malformed.
  /// - Returns: The bytes.
  /// - Throws: When there are more, or fewer follow.
  package mutating func counted(atMost limit: Int) throws(MalformedPacket) -> [UInt8] {
    let count = Int(try number(UInt16.self))
    guard count <= limit else {
      throw MalformedPacket("has a part of \(count) bytes; \(limit) are allowed")
    }
    return try raw(count)
  }

  /// A two-byte length and so many bytes of UTF-8.
  ///
  /// - Parameter limit: Bytes; more is malformed.
  /// - Returns: The text.
  /// - Throws: When there are more, fewer follow, or they are not UTF-8.
  package mutating func text(atMost limit: Int) throws(MalformedPacket) -> String {
    let bytes = try counted(atMost: limit)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw MalformedPacket("has text that is not UTF-8")
    }
    return text
  }

  /// The peer identity that comes next.
  package mutating func peer() throws(MalformedPacket) -> PeerID {
    guard let id = PeerID(try raw(PeerID.size)) else { throw MalformedPacket("ends too early") }
    return id
  }

  /// All that is left.
  package mutating func rest() -> [UInt8] {
    defer { position = bytes.count }
    return Array(bytes[position...])
  }

  /// Ends the reading.
  package func end() throws(MalformedPacket) {
    guard remaining == 0 else { throw MalformedPacket("has \(remaining) bytes too many") }
  }
}

/// Bytes that are no packet of the protocol.
package struct MalformedPacket: Error, Equatable, Sendable {
  /// What is wrong, to follow "the packet ".
  package let reason: String

  package init(_ reason: String) { self.reason = reason }
}
