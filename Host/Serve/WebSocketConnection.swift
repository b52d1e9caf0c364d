import CLinux
import Glibc
import Synchronization
import Wire

/// One client on `/ws` (RFC 6455), from the handshake's answer to the close.
@safe package final class WebSocketConnection: Source {
  let peer: [UInt8]
  let server: Server
  /// Who the client is; `nil` until it says so.
  var caller: Caller?
  /// What the client has subscribed to; `nil` while it has not chosen, and gets all it may have.
  var topics: Set<String>?
  private var socket: Socket?
  /// The socket's number, also after it was handed on.
  private let raw: CInt
  private var assembler: MessageAssembler
  private var input: [UInt8]
  private var output: OutputQueue
  private var interest: UInt32 = EPOLLIN.rawValue
  private var sequence = 0
  private var lastHeard: Int64
  private var hasPinged = false
  /// Whether a close frame was sent; then only the client's own is waited for.
  private var isClosing = false

  private static let closeTime: Int64 = 2_000_000_000

  init(
    socket: Socket,
    peer: [UInt8],
    server: Server,
    caller: Caller?,
    output: OutputQueue,
    input: [UInt8]
  ) {
    raw = socket.raw
    self.socket = socket
    self.peer = peer
    self.server = server
    self.caller = caller
    self.input = input
    self.output = output
    assembler = MessageAssembler(maxMessageBytes: server.limits.messageBytes)
    lastHeard = server.loop.now
    super.init()
  }

  private var now: Int64 { server.loop.now }

  /// Sends `handshake` and the welcome, and handles what the client has sent already.
  func open(handshake: [UInt8]) {
    server.hub.add(self)
    server.core.sockets.add(1, ordering: .relaxed)
    server.loop.rewatch(self, raw, for: interest)
    output.append(handshake)
    welcome()
    if !input.isEmpty {
      let early = input
      input = []
      unsafe early.withUnsafeBufferPointer { unsafe take($0) }
    }
    settle()
  }

  // MARK: - Events

  package override func ready(_ events: UInt32) {
    if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { return close() }
    if events & EPOLLIN.rawValue != 0, !endIfRevoked() { readable() }
    settle()
  }

  private func readable() {
    let scratch = unsafe server.loop.scratch
    guard let start = scratch.baseAddress else { return }
    let count = unsafe linux_read(raw, start, scratch.count)
    guard count > 0 else {
      if count != -Int(EAGAIN), count != -Int(EINTR) { close() }
      return
    }
    lastHeard = now
    hasPinged = false
    unsafe take(
      UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: count)
    )
  }

  private func take(_ bytes: UnsafeBufferPointer<UInt8>) {
    // Only the header of an unfinished frame is ever kept, so joining costs a few bytes.
    if input.isEmpty {
      let used = unsafe take(bytes.span)
      if used < bytes.count { unsafe input.append(contentsOf: bytes[used...]) }
    } else {
      var joined = input
      input = []
      unsafe joined.append(contentsOf: bytes)
      let used = take(joined.span)
      input += joined[used...]
    }
  }

  private func take(_ bytes: Span<UInt8>) -> Int {
    var offset = 0
    do throws(MessageError) {
      while socket != nil {
        let event = try assembler.next(bytes, from: &offset)
        if case .needMore = event { break }
        handle(event)
      }
    } catch {
      sendClose(error.closeCode, error.reason)
      return bytes.count
    }
    return offset
  }

  private func handle(_ event: MessageAssembler.Event) {
    guard !isClosing else {
      if case .close = event { close() }
      return
    }
    switch event {
    case .text(let bytes): receive(bytes)
    case .binary:
      sendError("UNSUPPORTED_DATA", "Send text messages: this path speaks JSON.")
    case .ping(let payload): send(.pong, payload)
    case .pong, .needMore: break
    case .close(let code, _):
      sendClose(code ?? 1000, "")
      isClosing = true
      close(afterOutput: true)
    }
  }

  package override func expired() {
    if isClosing { return close() }
    server.prepareWriter()  // brings its clock up to now
    if let end = caller?.identity.expiresAt, server.writer.unixTime > end + TokenClaims.skew {
      sendError("AUTHENTICATION_REQUIRED", "The token has expired; connect again with a new one.")
      sendClose(1008, "token expired")
    } else if endIfRevoked() {
      // The close frame is on its way.
    } else if now - lastHeard >= 2 * server.limits.pingTime.nanoseconds {
      return close()
    } else if !hasPinged, now - lastHeard >= server.limits.pingTime.nanoseconds {
      hasPinged = true
      send(.ping, [])
    }
    settle()
  }

  /// Ends a connection whose token was revoked: it must not outlive what opened it.
  ///
  /// - Returns: Whether it did.
  private func endIfRevoked() -> Bool {
    guard !isClosing, let tokenID = caller?.identity.tokenID,
      server.core.authenticator.revocations.isRevoked(tokenID)
    else { return false }
    sendError("AUTHENTICATION_REQUIRED", AuthenticationError.revoked.message)
    sendClose(1008, "token revoked")
    return true
  }

  // MARK: - Output

  /// Queues a text message.
  func send(_ message: JSON) { send(.text, message.bytes) }

  func sendError(_ code: String, _ message: String, _ more: [JSON.Member] = []) {
    let members: [JSON.Member] = [
      JSON.Member(name: "type", value: "error"),
      JSON.Member(name: "code", value: .string(code)),
      JSON.Member(name: "message", value: .string(message)),
      JSON.Member(name: "timestamp", value: timestamp),
    ]
    send(.object(members + more))
  }

  var timestamp: JSON { .string(Timestamp.text(nanoseconds: linux_realtime())) }

  /// Queues an event and numbers it; sent at once.
  func sendEvent(_ topic: String, stamp: String, members: [UInt8]) {
    guard !endIfRevoked() else { return settle() }
    sequence += 1
    var message = Array(
      #"{"type":"\#(topic)","sequence":\#(sequence),"timestamp":"\#(stamp)""#.utf8
    )
    if members.contains(where: { $0 > 0x20 }) {
      message.append(UInt8(ascii: ","))
      message += members
    }
    message.append(UInt8(ascii: "}"))
    send(.text, message)
    settle()
  }

  private func send(_ opcode: FrameHeader.Opcode, _ payload: [UInt8]) {
    guard !isClosing else { return }
    var frame: [UInt8] = []
    FrameWriter.write(opcode, payload, to: &frame)
    guard output.count + frame.count <= server.limits.socketQueueBytes else {
      // 1013, try again later: the client reads slower than it is sent to.
      return sendClose(1013, "too slow")
    }
    output.append(frame)
  }

  private func sendClose(_ code: UInt16, _ reason: String) {
    guard !isClosing else { return }
    isClosing = true
    var frame: [UInt8] = []
    FrameWriter.writeClose(code: code, reason: reason, to: &frame)
    output.append(frame)
    server.loop.setDeadline(self, at: now + Self.closeTime)
  }

  private var closesAfterOutput = false

  private func close(afterOutput: Bool) { closesAfterOutput = afterOutput }

  /// Sends what the socket takes, and brings interest and deadline in line.
  private func settle() {
    guard socket != nil else { return }
    do throws(SystemError) { _ = try output.send(to: raw) } catch { return close() }
    if closesAfterOutput, output.isEmpty {
      shutdown(raw, CInt(SHUT_WR))
      return close()
    }
    let wanted = EPOLLIN.rawValue | (output.isEmpty ? 0 : EPOLLOUT.rawValue)
    if wanted != interest {
      interest = wanted
      server.loop.rewatch(self, raw, for: wanted)
    }
    guard !isClosing else { return }
    var at = lastHeard + (hasPinged ? 2 : 1) * server.limits.pingTime.nanoseconds
    if let end = caller?.identity.expiresAt {
      server.prepareWriter()
      let left = max(end + TokenClaims.skew + 1 - server.writer.unixTime, 0)
      // The year 9999 is more nanoseconds away than fit; until then, one look a day will do.
      at = min(at, now + min(left, 86_400) * 1_000_000_000)
    }
    server.loop.setDeadline(self, at: at)
  }

  // MARK: - Ends

  /// Says that the gateway goes away (1001) and waits a moment for the client's close.
  func drain() {
    sendClose(1001, "going away")
    settle()
  }

  /// Closes without a word.
  func cut() { close() }

  private func close() {
    guard socket != nil else { return }
    server.hub.remove(self)
    server.core.sockets.subtract(1, ordering: .relaxed)
    server.loop.unwatch(self, raw)
    socket = nil
    server.closed(peer: peer)
  }
}
