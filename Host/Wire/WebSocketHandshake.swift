/// A request to go on with WebSocket that cannot be granted.
package enum HandshakeError: Error, Equatable, Sendable {
  case methodNotGet
  case notAnUpgrade
  case hasBody
  case unsupportedVersion
  case invalidKey
  case tooManyProtocols(limit: Int)

  /// The status of the answer; with 426 goes `WebSocketHandshake.refusalFields`.
  package var status: UInt16 {
    switch self {
    case .methodNotGet: 405
    case .notAnUpgrade, .unsupportedVersion: 426
    case .hasBody, .invalidKey, .tooManyProtocols: 400
    }
  }

  /// What was wrong and how to send it right.
  package var message: String {
    switch self {
    case .methodNotGet: "WebSocket starts with GET; use that method."
    case .notAnUpgrade:
      "This address speaks WebSocket; send 'Connection: Upgrade' and 'Upgrade: websocket'."
    case .hasBody: "A WebSocket request has no body; leave it out."
    case .unsupportedVersion: "Only version 13 is spoken here; send 'Sec-WebSocket-Version: 13'."
    case .invalidKey:
      "Sec-WebSocket-Key is not 16 bytes in base64; send it once, with a fresh value."
    case .tooManyProtocols(let limit):
      "Sec-WebSocket-Protocol names more than \(limit) protocols; name fewer."
    }
  }
}

/// The opening handshake of a server (RFC 6455 §4.2).
package struct WebSocketHandshake: Sendable {
  /// Most subprotocols a client may offer.
  package static let maxProtocols = 16

  /// Fields of a 426 answer, which tell the client what would be accepted.
  package static let refusalFields = [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
  ]

  /// What SHA-1 is taken of for `Sec-WebSocket-Accept`: the key and a constant of the RFC.
  package let textToHash: [UInt8]
  /// The subprotocols offered, most wanted first, as ranges of the head's bytes.
  package let protocols: [Range<Int>]

  /// Checks a request whose route speaks WebSocket.
  ///
  /// - Parameters:
  ///   - head: The request.
  ///   - bytes: What `head` was parsed from.
  /// - Throws: `HandshakeError` for the first requirement that is not met.
  package init(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) throws(HandshakeError) {
    guard head.method == .get else { throw .methodNotGet }
    guard head.minorVersion == 1, head.wantsUpgradeToWebSocket else { throw .notAnUpgrade }
    guard head.framing == .none || head.framing == .length(0) else { throw .hasBody }
    guard let version = head.first(.secWebSocketVersion), head.count(.secWebSocketVersion) == 1,
      ASCII.isEqual(bytes, version, "13")
    else { throw .unsupportedVersion }
    guard let key = head.first(.secWebSocketKey), head.count(.secWebSocketKey) == 1,
      Base64.decode(bytes.extracting(key))?.count == 16
    else { throw .invalidKey }
    var text: [UInt8] = []
    for index in key { text.append(bytes[index]) }
    text.append(contentsOf: "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    textToHash = text

    var protocols: [Range<Int>] = []
    if head.count(.secWebSocketProtocol) > 0 {
      for line in head.fields where line.known == .secWebSocketProtocol {
        var list = FieldList(line.value)
        while let element = list.next(bytes) {
          guard protocols.count < Self.maxProtocols else {
            throw .tooManyProtocols(limit: Self.maxProtocols)
          }
          protocols.append(element)
        }
      }
    }
    self.protocols = protocols
  }

  /// The value of `Sec-WebSocket-Accept`.
  ///
  /// - Parameter digest: SHA-1 of `textToHash`, 20 bytes.
  /// - Returns: The digest in base64.
  package static func accept(digest: [UInt8]) -> String { Base64.encode(digest) }
}
