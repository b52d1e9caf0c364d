import Testing
import Wire

@Suite("WebSocket opening handshake, RFC 6455 §4.2")
struct WebSocketHandshakeTests {
  static let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  static let version = "Sec-WebSocket-Version: 13\r\n"
  static let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"

  static func handshake(
    _ fields: String,
    line: String = "GET /ws HTTP/1.1"
  ) throws -> (handshake: WebSocketHandshake, protocols: [String?]) {
    let bytes = Array("\(line)\r\nHost: a\r\n\(fields)\r\n".utf8)
    return try withGuardedBytes(bytes) { span in
      var head = RequestHead()
      _ = try #require(try head.parse(span, maxBytes: 4096, maxFields: 64))
      let handshake = try WebSocketHandshake(head, span)
      return (handshake, handshake.protocols.map { ASCII.string(span, $0) })
    }
  }

  @Test func `takes the example of the RFC`() throws {
    let (handshake, protocols) = try Self.handshake(
      Self.upgrade + Self.key + Self.version + "Sec-WebSocket-Protocol: bearer, a.b.c\r\n"
        + "Sec-WebSocket-Protocol: chat\r\n"
    )
    #expect(protocols == ["bearer", "a.b.c", "chat"])
    #expect(
      String(decoding: handshake.textToHash, as: UTF8.self)
        == "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    )
    let digest: [UInt8] = [
      0xB3, 0x7A, 0x4F, 0x2C, 0xC0, 0x62, 0x4F, 0x16, 0x90, 0xF6, 0x46, 0x06, 0xCF, 0x38, 0x59,
      0x45, 0xB2, 0xBE, 0xC4, 0xEA,
    ]
    #expect(WebSocketHandshake.accept(digest: digest) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test(
    arguments: [
      (key + version, HandshakeError.notAnUpgrade, 426),
      (upgrade + key, .unsupportedVersion, 426),
      (upgrade + key + "Sec-WebSocket-Version: 8\r\n", .unsupportedVersion, 426),
      (upgrade + key + version + version, .unsupportedVersion, 426),
      (upgrade + version, .invalidKey, 400), (upgrade + version + key + key, .invalidKey, 400),
      (upgrade + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", .invalidKey, 400),
      (upgrade + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", .invalidKey, 400),
      (upgrade + version + key + "Content-Length: 1\r\n", .hasBody, 400),
    ] as [(String, HandshakeError, Int)]
  )
  func `refuses what cannot be granted`(
    _ fields: String,
    _ error: HandshakeError,
    _ status: Int
  ) {
    #expect(throws: error) { try Self.handshake(fields) }
    #expect(Int(error.status) == status)
    #expect(error.message.hasSuffix("."))
  }

  @Test func `only GET of HTTP/1.1 can be upgraded`() {
    let fields = Self.upgrade + Self.key + Self.version
    #expect(throws: HandshakeError.methodNotGet) {
      try Self.handshake(fields, line: "POST /ws HTTP/1.1")
    }
    #expect(throws: HandshakeError.notAnUpgrade) {
      try Self.handshake(fields, line: "GET /ws HTTP/1.0")
    }
  }

  @Test func `takes as many protocols as allowed and not one more`() throws {
    let fields = Self.upgrade + Self.key + Self.version
    func list(_ count: Int) -> String {
      "Sec-WebSocket-Protocol: " + (0..<count).map { "p\($0)" }.joined(separator: ",") + "\r\n"
    }
    #expect(try Self.handshake(fields + list(16)).protocols.count == 16)
    #expect(throws: HandshakeError.tooManyProtocols(limit: 16)) {
      try Self.handshake(fields + list(17))
    }
  }
}
