/// Writes the frames of a server: whole messages, never masked (RFC 6455 §5.1).
package enum FrameWriter {
  /// Appends the header of a whole message of `payloadLength` bytes.
  package static func writeHeader(
    _ opcode: FrameHeader.Opcode,
    payloadLength: Int,
    to output: inout [UInt8]
  ) {
    precondition(!opcode.isControl || payloadLength <= 125, "a control frame of \(payloadLength)")
    output.append(0x80 | opcode.rawValue)
    switch payloadLength {
    case ..<126: output.append(UInt8(payloadLength))
    case ..<65536:
      output.append(126)
      output.append(UInt8(payloadLength >> 8))
      output.append(UInt8(payloadLength & 0xFF))
    default:
      output.append(127)
      for shift in stride(from: 56, through: 0, by: -8) {
        output.append(UInt8(truncatingIfNeeded: payloadLength >> shift))
      }
    }
  }

  /// Appends a whole message.
  package static func write(
    _ opcode: FrameHeader.Opcode,
    _ payload: some Collection<UInt8>,
    to output: inout [UInt8]
  ) {
    writeHeader(opcode, payloadLength: payload.count, to: &output)
    output.append(contentsOf: payload)
  }

  /// Appends a close frame; a reason over 123 bytes is cut between characters.
  package static func writeClose(code: UInt16, reason: String, to output: inout [UInt8]) {
    var payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
    for character in reason.unicodeScalars {
      let bytes = String(character).utf8
      guard payload.count + bytes.count <= 125 else { break }
      payload.append(contentsOf: bytes)
    }
    write(.close, payload, to: &output)
  }
}
