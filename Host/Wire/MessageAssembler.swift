/// A message the peer was not allowed to send.
package enum MessageError: Error, Equatable, Sendable {
  case frame(FrameError)
  case unexpectedContinuation
  case unfinishedMessage
  case tooLong(limit: Int)
  case notUTF8
  case closeTooShort
  case invalidCloseCode(UInt16)

  /// The status the close frame carries (RFC 6455 §7.4.1).
  package var closeCode: UInt16 {
    switch self {
    case .frame(let error): error.closeCode
    case .tooLong: 1009
    case .notUTF8: 1007
    default: 1002
    }
  }

  /// The reason the close frame carries.
  package var reason: String {
    switch self {
    case .frame(.unmasked): "frames from a client are masked"
    case .frame(.reservedBits): "no extension was negotiated, so reserved bits are 0"
    case .frame(.unknownOpcode(let code)): "unknown opcode \(code)"
    case .frame(.controlTooLong): "a control frame has at most 125 bytes"
    case .frame(.controlFragmented): "a control frame is never fragmented"
    case .frame(.lengthNotMinimal): "the payload length is not in its shortest form"
    case .frame(.tooLong(let limit)), .tooLong(let limit): "a message has at most \(limit) bytes"
    case .unexpectedContinuation: "a continuation frame without a message to continue"
    case .unfinishedMessage: "a new message before the last one was finished"
    case .notUTF8: "a text is valid UTF-8"
    case .closeTooShort: "a close frame is empty or starts with a code of two bytes"
    case .invalidCloseCode(let code): "close code \(code) may not be sent"
    }
  }
}

/// Puts the frames of a client together to messages (RFC 6455 §5.4).
///
/// Holds at most one unfinished message and one control frame.
package struct MessageAssembler: Sendable {
  package enum Event: Equatable, Sendable {
    /// All bytes are used up but those of an unfinished frame header.
    case needMore
    /// A whole text, valid UTF-8.
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// The client closes; `code` is `nil` when it gave none. Nothing it sends later is read.
    case close(code: UInt16?, reason: String)
  }

  private let maxMessageBytes: Int
  /// The opcode of the message that is being received.
  private var messageOpcode: FrameHeader.Opcode?
  private var message: [UInt8] = []
  private var control: [UInt8] = []
  private var validator = UTF8Validator()
  /// The frame whose payload is being received, and how much of it is there.
  private var frame: FrameHeader?
  private var received = 0
  private var isClosed = false

  /// Makes an assembler for one connection.
  package init(maxMessageBytes: Int) { self.maxMessageBytes = maxMessageBytes }

  /// Goes on until a message, a control frame, or the last byte.
  ///
  /// - Parameters:
  ///   - bytes: What has arrived; what was not used has to be passed again, with more after it.
  ///   - offset: Where to go on in `bytes`; moved behind what was used.
  /// - Returns: What was found.
  /// - Throws: `MessageError`; the connection is closed with its code.
  package mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(MessageError) -> Event {
    while !isClosed {
      if frame == nil {
        guard try beginFrame(bytes, &offset) else { return .needMore }
      }
      guard let header = frame else { continue }
      try takePayload(of: header, bytes, &offset)
      guard received == header.payloadLength else { return .needMore }
      frame = nil
      if let event = try endFrame(header) { return event }
    }
    offset = bytes.count
    return .needMore
  }

  private mutating func beginFrame(
    _ bytes: Span<UInt8>,
    _ offset: inout Int
  ) throws(MessageError) -> Bool {
    let rest = bytes.extracting(offset..<bytes.count)
    let parsed: (header: FrameHeader, length: Int)?
    do throws(FrameError) {
      parsed = try FrameHeader.parse(rest, limit: Int.max)
    } catch {
      throw .frame(error)
    }
    guard let (header, length) = parsed else { return false }
    if header.opcode == .continuation {
      guard messageOpcode != nil else { throw .unexpectedContinuation }
    } else if !header.opcode.isControl {
      guard messageOpcode == nil else { throw .unfinishedMessage }
      messageOpcode = header.opcode
      validator = UTF8Validator()
    }
    if !header.opcode.isControl {
      guard header.payloadLength <= maxMessageBytes - message.count else {
        throw .tooLong(limit: maxMessageBytes)
      }
    }
    offset += length
    frame = header
    received = 0
    return true
  }

  private mutating func takePayload(
    of header: FrameHeader,
    _ bytes: Span<UInt8>,
    _ offset: inout Int
  ) throws(MessageError) {
    let end = offset + min(header.payloadLength - received, bytes.count - offset)
    let isText = !header.opcode.isControl && messageOpcode == .text
    while offset < end {
      let byte = bytes[offset] ^ header.mask(at: received & 3)
      if header.opcode.isControl {
        control.append(byte)
      } else {
        if isText {
          guard validator.accept(byte) else { throw .notUTF8 }
        }
        message.append(byte)
      }
      offset += 1
      received += 1
    }
  }

  private mutating func endFrame(_ header: FrameHeader) throws(MessageError) -> Event? {
    switch header.opcode {
    case .ping: return .ping(takeControl())
    case .pong: return .pong(takeControl())
    case .close:
      isClosed = true
      return try Self.close(takeControl())
    case .continuation, .text, .binary:
      guard header.isFinal, let opcode = messageOpcode else { return nil }
      guard opcode == .binary || validator.isComplete else { throw .notUTF8 }
      let whole = message
      message = []
      messageOpcode = nil
      return opcode == .text ? .text(whole) : .binary(whole)
    }
  }

  private mutating func takeControl() -> [UInt8] {
    let payload = control
    control = []
    return payload
  }

  private static func close(_ payload: [UInt8]) throws(MessageError) -> Event {
    guard !payload.isEmpty else { return .close(code: nil, reason: "") }
    guard payload.count >= 2 else { throw .closeTooShort }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    switch code {  // RFC 6455 §7.4; 1012 to 1014 were registered later
    case 1000...1003, 1007...1014, 3000...4999: break
    default: throw .invalidCloseCode(code)
    }
    guard let reason = ASCII.string(payload.span, 2..<payload.count) else { throw .notUTF8 }
    return .close(code: code, reason: reason)
  }
}
