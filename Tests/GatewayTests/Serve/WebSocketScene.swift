import CLinux
import Testing
import Wire

@testable import Gateway

/// A WebSocket client and the server's end of it, without a loop running.
final class WebSocketScene {
  let bench: ServerBench
  let socket: WebSocketConnection
  private let pair: SocketPair

  init(_ bench: ServerBench, caller: Caller? = nil) throws {
    self.bench = bench
    pair = try SocketPair()
    let near = pair.near
    socket = WebSocketConnection(
      socket: Socket(pair.surrenderNear()),
      peer: Array("192.0.2.7".utf8),
      server: bench.server,
      caller: caller,
      output: OutputQueue(),
      input: []
    )
    try bench.loop.watch(socket, near, for: EPOLLIN.rawValue)
    socket.open(handshake: [])
  }

  /// Sends `text` as the client does, and gives what comes back.
  func say(_ text: String) -> [JSON] {
    let bytes = Array(text.utf8)
    var frame: [UInt8] = [0x81]
    if bytes.count < 126 {
      frame.append(0x80 | UInt8(bytes.count))
    } else {
      frame += [0x80 | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]
    }
    frame += [0, 0, 0, 0] + bytes  // a mask of zeros changes nothing
    pair.give(frame)
    socket.ready(EPOLLIN.rawValue)
    return hear()
  }

  /// The text messages that have come; `closeCode` is set by a close frame.
  func hear() -> [JSON] {
    var bytes: [UInt8] = []
    while case let more = pair.take(), !more.isEmpty {
      bytes += more
      socket.ready(EPOLLOUT.rawValue)
    }
    var messages: [JSON] = []
    var rest = bytes[...]
    while let first = rest.popFirst(), let short = rest.popFirst() {
      var length = Int(short)
      if length == 126 { length = Int(rest.removeFirst()) << 8 | Int(rest.removeFirst()) }
      let payload = Array(rest.prefix(length))
      rest = rest.dropFirst(length)
      if first == 0x81, let message = try? JSON.parse(payload) { messages.append(message) }
      if first == 0x88, payload.count >= 2 { closeCode = Int(payload[0]) << 8 | Int(payload[1]) }
    }
    return messages
  }

  private(set) var closeCode: Int?
}
