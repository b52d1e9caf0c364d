import Testing
import Wire

@Suite("WebSocket messages, RFC 6455 §5.4")
struct MessageAssemblerTests {
  /// A masked frame as a client sends it.
  static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let key: [UInt8] = [0xA1, 0x02, 0xF3, 0x44]
    var bytes = [first]
    switch payload.count {
    case ..<126: bytes.append(0x80 | UInt8(payload.count))
    default: bytes += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    }
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }

  static func frame(_ first: UInt8, _ text: String) -> [UInt8] { frame(first, Array(text.utf8)) }

  /// Reads `bytes`, which arrive cut at `cut`; unused bytes are passed again.
  static func events(
    _ bytes: [UInt8],
    cut: Int = 0,
    limit: Int = 1000
  ) throws -> [MessageAssembler.Event] {
    var assembler = MessageAssembler(maxMessageBytes: limit)
    var events: [MessageAssembler.Event] = []
    var pending: [UInt8] = []
    for piece in [bytes.prefix(cut), bytes.dropFirst(cut)] {
      pending += piece
      var offset = 0
      try withGuardedBytes(pending) { span in
        while case let event = try assembler.next(span, from: &offset), event != .needMore {
          events.append(event)
        }
      }
      pending.removeFirst(offset)
    }
    return events
  }

  @Test func `puts fragments together at every cut, with control frames between`() throws {
    let bytes =
      Self.frame(0x01, "Hé") + Self.frame(0x89, "p") + Self.frame(0x00, []) + Self.frame(0x8A, "")
      + Self.frame(0x80, "llo 😀") + Self.frame(0x82, [0, 0xFF]) + Self.frame(0x81, "")
      + Self.frame(0x88, [3, 232, 0x6F])
      + Self.frame(0x81, "after the end")
    let expected: [MessageAssembler.Event] = [
      .ping([0x70]), .pong([]), .text(Array("Héllo 😀".utf8)), .binary([0, 0xFF]), .text([]),
      .close(code: 1000, reason: "o"),
    ]
    for cut in 0...bytes.count {
      #expect(try Self.events(bytes, cut: cut) == expected)
    }
  }

  @Test func `a character may be cut between fragments`() throws {
    let emoji = Array("😀".utf8)
    let bytes = Self.frame(0x01, Array(emoji[0..<2])) + Self.frame(0x80, Array(emoji[2...]))
    #expect(try Self.events(bytes) == [.text(emoji)])
  }

  @Test func `an empty close has no code`() throws {
    #expect(try Self.events(Self.frame(0x88, [])) == [.close(code: nil, reason: "")])
  }

  @Test(
    arguments: [
      (frame(0x80, "x"), MessageError.unexpectedContinuation, 1002),
      (frame(0x01, "x") + frame(0x81, "y"), .unfinishedMessage, 1002),
      (frame(0x81, [0xFF]), .notUTF8, 1007), (frame(0x81, [0xC3]), .notUTF8, 1007),
      (frame(0x01, [0xC3]) + frame(0x80, [0x28]), .notUTF8, 1007),
      (frame(0x88, [3]), .closeTooShort, 1002), (frame(0x88, [3, 232, 0xFF]), .notUTF8, 1007),
      (frame(0x88, [3, 236]), .invalidCloseCode(1004), 1002),
      (frame(0x88, [3, 237]), .invalidCloseCode(1005), 1002),
      (frame(0x88, [3, 238]), .invalidCloseCode(1006), 1002),
      (frame(0x88, [3, 247]), .invalidCloseCode(1015), 1002),
      (frame(0x88, [0, 0]), .invalidCloseCode(0), 1002),
      (frame(0x88, [3, 231]), .invalidCloseCode(999), 1002),
      (frame(0x88, [0x13, 0x88]), .invalidCloseCode(5000), 1002),
      ([0xC1, 0x80], .frame(.reservedBits(0x40)), 1002), ([0x81, 0], .frame(.unmasked), 1002),
    ] as [([UInt8], MessageError, UInt16)]
  )
  func `refuses what the peer may not send`(
    _ bytes: [UInt8],
    _ error: MessageError,
    _ code: UInt16
  ) {
    #expect(throws: error) { try Self.events(bytes) }
    #expect(error.closeCode == code)
    #expect(!error.reason.isEmpty && error.reason.utf8.count <= 123)
  }

  @Test func `the limit holds for the whole message, at its edge`() throws {
    let ten = Self.frame(0x01, "12345") + Self.frame(0x89, String(repeating: "p", count: 125))
    let fits = ten + Self.frame(0x80, "67890")
    #expect(try Self.events(fits, limit: 10).last == .text(Array("1234567890".utf8)))
    let error = MessageError.tooLong(limit: 10)
    #expect(throws: error) { try Self.events(ten + Self.frame(0x80, "678901"), limit: 10) }
    #expect(throws: error) { try Self.events([0x82, 0x8B, 0, 0, 0, 0], limit: 10) }
    #expect(error.closeCode == 1009)
  }

  @Test func `a wrong byte is refused before its message is complete`() {
    let bytes = Array(Self.frame(0x81, [0x61, 0xFF, 0x61, 0x61]).dropLast(2))
    #expect(throws: MessageError.notUTF8) { try Self.events(bytes) }
  }
}
