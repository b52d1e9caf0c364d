import COpenSSL
import Wire

/// The step from HTTP to WebSocket (RFC 6455 §4.2).
extension HTTPConnection {
  func upgrade(
    _ exchange: Exchange,
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ caller: Caller?
  ) {
    do throws(Refusal) {
      let head = unsafe bytes.span
      let handshake: WebSocketHandshake
      do throws(HandshakeError) {
        handshake = try WebSocketHandshake(server.head, head)
      } catch {
        throw .handshake(error)
      }
      guard mayOpen(head) else { throw .foreignOrigin }
      var who = caller
      var usesBearer = false
      if let token = bearer(in: handshake.protocols, head) {
        usesBearer = true
        who = try identify(token: head.extracting(token), exchange)
      }
      if let who { try requireFactor(who) }
      accept(handshake, exchange, who, usesBearer: usesBearer)
    } catch {
      refuse(error)
    }
  }

  /// Whether the page that opens the socket may.
  ///
  /// Pages of this host and of the configured origins may; programs that are no pages send no `Origin`.
  private func mayOpen(_ head: Span<UInt8>) -> Bool {
    guard let range = server.head.first(.origin) else { return true }
    let origin = head.extracting(range)
    guard !server.cors.allows(origin) else { return true }
    guard let host = server.head.hostRange else { return false }
    let text = ASCII.string(head, range) ?? ""
    let own = ASCII.string(head, host) ?? ""
    return text == "http://\(own)" || text == "https://\(own)"
  }

  /// The token of `Sec-WebSocket-Protocol: bearer, TOKEN`, the one field browsers can set.
  private func bearer(in protocols: [Range<Int>], _ head: Span<UInt8>) -> Range<Int>? {
    guard protocols.count >= 2, ASCII.isEqual(head, protocols[0], "bearer") else { return nil }
    return protocols[1]
  }

  private func accept(
    _ handshake: WebSocketHandshake,
    _ exchange: Exchange,
    _ caller: Caller?,
    usesBearer: Bool
  ) {
    var answer = Array("HTTP/1.1 101 Switching Protocols\r\n".utf8)
    answer += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ".utf8
    answer += WebSocketHandshake.accept(digest: Self.sha1(handshake.textToHash)).utf8
    if usesBearer { answer += "\r\nSec-WebSocket-Protocol: bearer".utf8 }
    answer += "\r\nX-Request-ID: ".utf8
    answer += exchange.requestID
    answer += "\r\n".utf8
    answer += exchange.lines
    answer += "\r\n".utf8
    exchange.status = 101
    server.noteAccess(exchange, peer: peer)
    self.exchange = nil
    server.giveBack(exchange)
    // What was pipelined in front of the upgrade goes out first.
    pendingUpgrade = PendingUpgrade(answer: answer, caller: caller)
    phase = .upgrading
  }

  private static func sha1(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
    // The hash of the handshake is no secret and proves nothing but that WebSocket is spoken.
    _ = unsafe bytes.withUnsafeBufferPointer { unsafe SHA1($0.baseAddress, $0.count, &digest) }
    return digest
  }
}

/// A WebSocket that begins once the bytes at hand are dealt with.
struct PendingUpgrade {
  let answer: [UInt8]
  let caller: Caller?
}
