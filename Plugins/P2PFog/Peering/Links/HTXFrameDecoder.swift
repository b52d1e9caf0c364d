/// Frames from bytes that come in any pieces.
///
/// Holds at most one frame that is not whole yet, and what was appended and not asked for.
package struct HTXFrameDecoder: Sendable {
  private var buffer: [UInt8] = []
  private var position = 0

  package init() {}

  /// Whether everything that was appended has been read as whole frames.
  package var isAtBoundary: Bool { position == buffer.count }

  /// Takes more bytes.
  package mutating func append(_ bytes: [UInt8]) {
    if position > 0 {
      buffer.removeSubrange(..<position)
      position = 0
    }
    buffer += bytes
  }

  /// The next whole frame; `nil` when more bytes are needed.
  ///
  /// What decides against a frame is said as soon as it is there: an oversized one before its payload.
  ///
  /// - Throws: For bytes that are no frame; the decoder must not be used again.
  package mutating func next() throws(MalformedPacket) -> HTXFrame? {
    var index = position
    guard buffer.count - index >= 3 else { return nil }
    let count = Int(buffer[index]) << 16 | Int(buffer[index + 1]) << 8 | Int(buffer[index + 2])
    guard count <= HTXFrame.payloadLimit else {
      throw MalformedPacket("has a frame of \(count) bytes; \(HTXFrame.payloadLimit) are allowed")
    }
    index += 3
    guard let stream = try stream(&index), index < buffer.count else { return nil }
    let type = buffer[index]
    index += 1
    guard let kind = HTXFrame.Kind(rawValue: type) else {
      throw MalformedPacket("has a frame of type \(type), which has no use here")
    }
    guard buffer.count - index >= count else { return nil }
    position = index + count
    return HTXFrame(stream: stream, kind: kind, payload: Array(buffer[index..<position]))
  }

  // LEB128 of at most four groups; the shortest form alone, so that no frame has two spellings.
  private func stream(_ index: inout Int) throws(MalformedPacket) -> UInt32? {
    var value: UInt32 = 0
    for group in 0..<4 {
      guard index < buffer.count else { return nil }
      let byte = buffer[index]
      index += 1
      value |= UInt32(byte & 0x7F) << (7 * UInt32(group))
      if byte & 0x80 == 0 {
        guard byte != 0 || group == 0 else {
          throw MalformedPacket("has an overlong stream number")
        }
        return value
      }
    }
    throw MalformedPacket("has a stream above \(HTXFrame.streamLimit)")
  }
}
