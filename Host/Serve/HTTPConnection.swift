import CLinux
import Glibc
import Wire

/// One client connection speaking HTTP/1.1 (RFC 9112), until it closes or becomes a WebSocket.
///
/// Requests are answered one at a time, in order; bytes of the next ones wait in `input`.
@safe package final class HTTPConnection: Source {
  let peer: [UInt8]
  let server: Server
  var phase = Phase.head
  /// Bytes that have come and not been used.
  var input: [UInt8] = []
  var body: BodyReader?
  /// The request at a plugin while its body is still coming.
  var image: RequestImage?
  var exchange: Exchange?
  /// Bytes of a streamed body that the plugin has not consumed.
  var unconsumed = 0
  var pendingUpgrade: PendingUpgrade?
  /// Whether an inline handler of this connection's request runs right now.
  var isCallingInline = false
  /// When the body began, moved on by the time in which it was not wanted.
  var bodyBegan: Int64 = 0
  var pausedAt: Int64?
  /// The window of anonymous requests from this address, once there was one.
  var addressWindow: (any RateWindow)?

  private var socket: Socket?
  /// The socket's number, also after it was handed on.
  private let raw: CInt
  private(set) var output = OutputQueue()
  private var interest: UInt32 = 0
  var headBegan: Int64 = 0
  private var lastProgress: Int64 = 0
  private var served = 0
  /// Whether requests wait unread because the client has not taken the answers in front of them.
  private var isHeldBack = false
  /// What was still read after the last answer, which is bounded.
  private var lingered = 0
  private var hasSaidEnd = false

  /// Nanoseconds that a connection lingers at most, and bytes it reads at most meanwhile.
  private static let lingerTime: Int64 = 2_000_000_000
  private static let lingerBytes = 16 * 1024 * 1024
  /// Bytes that may wait while a request is answered.
  private static let pipelinedBytes = 64 * 1024
  /// Bytes of a streamed body that may wait for the plugin.
  static let bodyBytesAhead = 256 * 1024
  /// An unwanted body up to this size is read to keep the connection; a larger one is not worth it.
  static let discardBytes: UInt64 = 64 * 1024
  /// How long a body may take before its rate is looked at, in nanoseconds.
  static let bodyGrace: Int64 = 5_000_000_000
  /// Bytes of answers that may wait for the client before its next request is looked at.
  private static let answerBytesAhead = 256 * 1024

  init(socket: Socket, peer: [UInt8], server: Server) {
    raw = socket.raw
    self.socket = socket
    self.peer = peer
    self.server = server
  }

  var now: Int64 { server.loop.now }

  func open() throws(SystemError) {
    interest = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    headBegan = now
    try server.loop.watch(self, raw, for: interest)
    updateDeadline()
  }

  // MARK: - Events

  package override func ready(_ events: UInt32) {
    if events & EPOLLERR.rawValue != 0 || events & EPOLLHUP.rawValue != 0 { return peerGone() }
    if events & EPOLLOUT.rawValue != 0 { writable() }
    guard phase != .closed else { return }
    if events & EPOLLIN.rawValue != 0 {
      readable()
    } else if events & EPOLLRDHUP.rawValue != 0 {
      peerGone()
    }
  }

  private func readable() {
    let scratch = unsafe server.loop.scratch
    guard let start = scratch.baseAddress else { return }
    let count = unsafe linux_read(raw, start, scratch.count)
    guard count > 0 else {
      if count != -Int(EAGAIN), count != -Int(EINTR) { peerGone() }
      return
    }
    let bytes = unsafe UnsafeBufferPointer(
      start: start.assumingMemoryBound(to: UInt8.self),
      count: count
    )
    if input.isEmpty {
      if phase == .head { headBegan = now }
      let used = unsafe process(bytes)
      if phase != .closed, used < count {
        unsafe input.append(contentsOf: bytes[used...])
      }
    } else {
      let hasLineEnd = unsafe bytes.contains(ASCII.lineFeed)
      unsafe input.append(contentsOf: bytes)
      // A head sent byte by byte is not parsed anew for each of them.
      if phase == .held { return settle() }
      if phase != .head || hasLineEnd || input.count > server.limits.headBytes { processInput() }
    }
    settle()
  }

  /// Goes on with the bytes that wait.
  func processInput() {
    let taken = input
    input = []
    let used = unsafe taken.withUnsafeBufferPointer { unsafe process($0) }
    guard phase != .closed else { return }
    if used == 0 {
      input = taken
    } else if used < taken.count {
      input = Array(taken[used...])
    }
  }

  /// Handles `bytes` as far as the phase allows.
  ///
  /// - Returns: How many were used.
  private func process(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var offset = 0
    while offset < bytes.count {
      switch phase {
      case .head:
        if answersAreFull {
          transmit()
          isHeldBack = answersAreFull
          guard phase == .head, !isHeldBack else { return offset }
        }
        if offset > 0 { headBegan = now }  // its time does not count what came in front of it
        let rest = unsafe UnsafeBufferPointer(rebasing: bytes[offset...])
        guard let length = unsafe readHead(rest) else { return offset }
        offset += length
      case .collecting, .streaming, .discarding:
        let before = offset
        unsafe readBody(bytes, from: &offset)
        guard offset > before || phase == .head else { return offset }
      case .held, .waiting, .upgrading: return offset
      case .lingering:
        lingered += bytes.count - offset
        if lingered > Self.lingerBytes { close() }
        return bytes.count
      case .closed: return bytes.count
      }
    }
    return offset
  }

  private func readHead(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    do throws(HeadError) {
      server.head.reset()
      let length = try unsafe server.head.parse(
        bytes.span,
        maxBytes: server.limits.headBytes,
        maxFields: server.limits.headFields
      )
      guard let length else { return nil }
      if server.isHolding, unsafe mustWait(bytes) {
        park()
        return nil
      }
      served += 1
      unsafe dispatch(UnsafeBufferPointer(rebasing: bytes[..<length]))
      return length
    } catch {
      refuseUnread(.head(error))
      return bytes.count
    }
  }

  // MARK: - Output

  /// Sends what the writer has rendered for this connection, or queues what the socket does not take.
  func transmit() {
    guard !server.writer.out.isEmpty else { return }
    defer { server.writer.out.removeAll(keepingCapacity: true) }
    guard phase != .closed else { return }
    guard output.isEmpty else {
      output.append(server.writer.out)
      return
    }
    let sent = unsafe server.writer.out.withUnsafeBytes { unsafe OutputQueue.send($0, to: raw) }
    if sent == server.writer.out.count { return }
    if sent < 0, sent != -Int(EAGAIN), sent != -Int(EINTR) { return peerGone() }
    output.append(server.writer.out[max(sent, 0)...])
    lastProgress = now
  }

  private func writable() {
    do throws(SystemError) {
      if try output.send(to: raw) > 0 { lastProgress = now }
    } catch {
      return peerGone()
    }
    if let exchange { noteSent(exchange) }
    guard isHeldBack, !answersAreFull else { return settle() }
    isHeldBack = false
    resume()
  }

  private var answersAreFull: Bool {
    output.count + server.writer.out.count >= Self.answerBytesAhead
  }

  /// Brings the socket's interest and deadline in line with the phase; after every event.
  func settle() {
    transmit()
    if let upgrade = pendingUpgrade.take() { return become(upgrade) }
    if server.isDraining { drain() }
    guard phase != .closed else { return }
    if phase == .lingering, output.isEmpty, !hasSaidEnd { beginLinger() }
    guard phase != .closed else { return }
    var wanted = EPOLLRDHUP.rawValue
    if !output.isEmpty { wanted |= EPOLLOUT.rawValue }
    if wantsInput { wanted |= EPOLLIN.rawValue }
    if phase == .lingering { wanted &= ~EPOLLRDHUP.rawValue }
    if wanted != interest {
      interest = wanted
      server.loop.rewatch(self, raw, for: wanted)
    }
    updateDeadline()
  }

  private var wantsInput: Bool {
    switch phase {
    case .head: return !isHeldBack
    case .collecting, .discarding, .lingering: return true
    case .held, .waiting: return input.count < Self.pipelinedBytes
    case .streaming:
      let isWanted = unconsumed < Self.bodyBytesAhead
      if isWanted, let paused = pausedAt {
        bodyBegan += now - paused
        pausedAt = nil
      } else if !isWanted, pausedAt == nil {
        pausedAt = now
      }
      return isWanted
    case .closed, .upgrading: return false
    }
  }

  // MARK: - Ends

  /// The answer to `exchange` is complete in the output: goes on with the next request, or ends.
  func finish(_ exchange: Exchange) {
    server.noteAccess(exchange, peer: peer)
    let goesOn = exchange.keepAlive
    self.exchange = nil
    image = nil
    pausedAt = nil
    server.giveBack(exchange)
    guard goesOn else { return endAfterOutput() }
    guard let body else {
      phase = .head
      return
    }
    // What is left of the body stands between this answer and the next request.
    phase = body.remaining == 0 ? .head : .discarding
    if phase == .head { self.body = nil }
  }

  /// Goes on after an answer that did not come from within `process`.
  func resume() {
    if phase == .head { headBegan = now }  // what came meanwhile could not have been read sooner
    if phase == .head || phase == .discarding, !input.isEmpty { processInput() }
    settle()
  }

  /// Closes once everything queued has been sent.
  func endAfterOutput() {
    guard phase != .closed else { return }
    phase = .lingering
    body = nil
    lingered = 0
    input = []
  }

  /// Says that no more bytes come, and waits for the client to have read them: closing with unread
  /// input would make the kernel reset the connection and the answer with it.
  private func beginLinger() {
    hasSaidEnd = true
    shutdown(raw, CInt(SHUT_WR))
    server.loop.setDeadline(self, at: now + Self.lingerTime)
  }

  /// The client has closed or broken the connection.
  private func peerGone() {
    if let exchange {
      server.cancel(exchange, reason: .peerGone)
      exchange.status = 499  // in the log alone: nobody is there to be answered
      finishCancelled(exchange)
    }
    close()
  }

  func finishCancelled(_ exchange: Exchange) {
    server.noteAccess(exchange, peer: peer)
    self.exchange = nil
    server.giveBack(exchange)
  }

  /// Closes at once.
  func close() {
    guard phase != .closed else { return }
    if phase == .held { server.parked.remove(token) }
    phase = .closed
    server.loop.unwatch(self, raw)
    socket = nil
    input = []
    server.closed(peer: peer)
  }

  /// Hands the socket, its place on the loop and what has come already to a WebSocket.
  private func become(_ upgrade: PendingUpgrade) {
    guard phase != .closed, let socket = socket.take() else { return }
    phase = .closed
    let early = input
    input = []
    let web = WebSocketConnection(
      socket: socket,
      peer: peer,
      server: server,
      caller: upgrade.caller,
      output: output,
      input: early
    )
    server.loop.replace(self, with: web)
    web.open(handshake: upgrade.answer)
  }

  // MARK: - Deadlines

  private func updateDeadline() {
    guard phase != .closed, !hasSaidEnd else { return }
    var at = Int64.max
    switch phase {
    case .head:
      if isHeldBack { break }
      if input.isEmpty, served > 0 {
        at = now + server.idleNanoseconds
      } else {
        at = headBegan + server.headNanoseconds
      }
    case .collecting, .streaming, .discarding: at = now + 1_000_000_000
    case .waiting: if let exchange, exchange.answer == .none { at = exchange.deadline }
    case .held, .lingering, .closed, .upgrading: break
    }
    if !output.isEmpty { at = min(at, lastProgress + server.stallNanoseconds) }
    server.loop.setDeadline(self, at: at)
  }

  package override func expired() {
    if !output.isEmpty, now - lastProgress >= server.stallNanoseconds {
      return peerGone()
    }
    switch phase {
    case .head:
      if input.isEmpty { return close() }
      if isHeldBack { break }
      if now - headBegan >= server.headNanoseconds { refuseUnread(.headTooSlow) }
    case .collecting, .streaming, .discarding: checkBodyRate()
    case .waiting:
      if let exchange, exchange.answer == .none, now >= exchange.deadline {
        answerTimeout(exchange)
      }
    case .lingering: return close()
    case .held: break
    case .closed, .upgrading: return
    }
    settle()
  }

  /// Ends after the request at hand; at once when there is none.
  func drain() {
    exchange?.keepAlive = false
    if phase == .head, input.isEmpty, output.isEmpty { close() }
  }
}
