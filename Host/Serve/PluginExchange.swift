import CGatewayPlugin
import Glibc
import Synchronization
import Wire

/// A request at a plugin: its body on the way in, its answer on the way out.
extension HTTPConnection {
  /// Hands a request to `route`, at once or when its body has come.
  func begin(
    _ route: PluginRoute,
    _ exchange: Exchange,
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ caller: Caller?
  ) throws(Refusal) {
    let limit = route.maxBody > 0 ? route.maxBody : UInt64(server.limits.bodyBytes)
    if case .length(let length) = server.head.framing, length > limit {
      throw .bodyTooLarge(limit: limit)
    }
    try enter(route, exchange)
    if exchange.traceID.isEmpty { server.makeTraceID(into: &exchange.traceID) }
    exchange.deadline = now + server.answerNanoseconds(of: route)
    guard hasBody else {
      if route.runsInline {
        unsafe callInline(route, exchange, bytes, caller)
      } else {
        let image = unsafe makeImage(bytes, exchange, caller)
        beginCall(route, exchange, image)
        if route.isStreaming { exchange.call?.add(.body([], isLast: true), on: server.core.pool) }
      }
      return
    }
    body = BodyReader(server.head.framing, limit: limit)
    if exchange.awaitsContinue, !exchange.isHTTP10 {
      exchange.awaitsContinue = false
      server.writer.out += "HTTP/1.1 100 Continue\r\n\r\n".utf8
    }
    let image = unsafe makeImage(bytes, exchange, caller)
    if route.isStreaming {
      phase = .streaming
      beginCall(route, exchange, image)
    } else {
      phase = .collecting
      self.image = image
    }
  }

  /// Counts the request in, unless the route is full.
  private func enter(_ route: PluginRoute, _ exchange: Exchange) throws(Refusal) {
    let most = route.maxInFlight > 0 ? route.maxInFlight : server.limits.requestsPerRoute
    let count = route.inFlight.add(1, ordering: .relaxed).newValue
    guard count <= most, server.openGate(exchange, for: route) != nil else {
      route.inFlight.subtract(1, ordering: .relaxed)
      throw .routeBusy
    }
    route.requests.add(1, ordering: .relaxed)
    exchange.connection = self
  }

  private func makeImage(
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ exchange: Exchange,
    _ caller: Caller?
  ) -> RequestImage {
    unsafe RequestImage(
      bytes: Array(bytes),
      head: RequestView.Head(server.head),
      parameters: parameters(of: exchange),
      body: [],
      caller: caller,
      requestID: exchange.requestID,
      traceID: exchange.traceID,
      peer: peer,
      deadline: exchange.deadline
    )
  }

  private func parameters(of exchange: Exchange) -> [(name: String, value: [UInt8])] {
    guard let parameters = exchange.route?.parameters, !parameters.isEmpty else { return [] }
    return parameters.map { ($0.name, Array(server.path[$0.segment])) }
  }

  // MARK: - Calling

  private func callInline(
    _ route: PluginRoute,
    _ exchange: Exchange,
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ caller: Caller?
  ) {
    let facts = unsafe RequestView.Facts(
      handle: exchange.handle,
      bytes: bytes,
      body: UnsafeBufferPointer(start: nil, count: 0),
      parameters: parameters(of: exchange),
      caller: caller,
      requestID: exchange.requestID,
      traceID: exchange.traceID,
      peer: peer,
      deadline: exchange.deadline
    )
    unsafe runInline(route, exchange) { state in
      unsafe RequestView.withView(facts, RequestView.Head(server.head)) { request in
        unsafe route.handler.request(route.user, request, state)
      }
    }
  }

  private func callInline(_ route: PluginRoute, _ exchange: Exchange, _ image: RequestImage) {
    unsafe runInline(route, exchange) { state in
      unsafe image.withRequest(handle: exchange.handle) { request in
        unsafe route.handler.request(route.user, request, state)
      }
    }
  }

  private func runInline(
    _ route: PluginRoute,
    _ exchange: Exchange,
    _ call: (UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> gw_status
  ) {
    server.inlineHandle = exchange.handle
    isCallingInline = true
    let began = MonotonicClock.now
    let status = route.site.within(.request) { unsafe call(&exchange.inlineState) }
    let took = MonotonicClock.now - began
    isCallingInline = false
    server.inlineHandle = 0
    if took > server.inlineNanoseconds { server.noteOverrun(route, nanoseconds: took) }
    if exchange.answer == .complete { return server.leave(exchange) { finish(exchange) } }
    returned(exchange, status, error: status < 0 ? route.instance.takeError() : nil)
  }

  private func beginCall(_ route: PluginRoute, _ exchange: Exchange, _ image: RequestImage) {
    let end = server.end
    let handle = exchange.handle
    let call = route.instance.library.steps(route, handle: handle, image: image) { report in
      end.post { server in server.reported(report, handle: handle) }
    }
    exchange.call = call
    if phase == .head { phase = .waiting }
    guard call.begin(on: server.core.pool) else {
      exchange.call = nil
      route.inFlight.subtract(1, ordering: .relaxed)
      server.closeGate(exchange)
      refuse(.poolBusy)
      return
    }
  }

  /// The plugin's `request` has returned without having completed its answer.
  func returned(_ exchange: Exchange, _ status: gw_status, error: String?) {
    if status < 0 {
      failPlugin(exchange, reason: error ?? "status \(status)")
    } else if status != GW_PENDING, exchange.answer == .none {
      failPlugin(exchange, reason: "its handler returned GW_OK without an answer")
    } else if phase == .head {
      phase = .waiting
    }
  }

  /// The plugin failed: 500 when nothing has been sent, else the connection is cut.
  func failPlugin(_ exchange: Exchange, reason: String) {
    server.core.log.write(
      .error,
      "plugin failed on a request",
      [
        ("plugin", exchange.route?.instance.id ?? ""), ("route", exchange.route?.name ?? ""),
        ("request_id", String(decoding: exchange.requestID, as: UTF8.self)), ("reason", reason),
      ]
    )
    guard exchange.answer != .compressing else { return }  // its answer is whole and stands
    guard exchange.answer == .none else {
      exchange.status = 500
      server.leave(exchange) { cut() }
      return
    }
    answerInstead(exchange, .pluginFault)
  }

  /// Answers in place of the plugin.
  func answerInstead(_ exchange: Exchange, _ refusal: Refusal) {
    server.prepareWriter()
    server.leave(exchange) { refuse(refusal) }
  }

  func answerTimeout(_ exchange: Exchange) {
    server.cancelPlugin(exchange, reason: .deadline)
    answerInstead(exchange, .pluginTimeout)
    resume()
  }

  // MARK: - The body

  /// Uses what has come of the body.
  func readBody(_ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int) {
    guard var body else { return }
    do throws(Refusal) {
      let event = unsafe try body.next(bytes.span, from: &offset)
      self.body = body
      switch event {
      case .needMore: break
      case .data(let range): unsafe take(UnsafeBufferPointer(rebasing: bytes[range]))
      case .end: endBody()
      }
      if body.remaining == 0, self.body != nil, phase != .head { endBody() }
    } catch {
      self.body = body
      refuseBody(error)
    }
  }

  private func take(_ chunk: UnsafeBufferPointer<UInt8>) {
    switch phase {
    case .collecting: unsafe image?.body.append(contentsOf: chunk)
    case .streaming:
      unconsumed += chunk.count
      unsafe exchange?.call?.add(.body(Array(chunk), isLast: false), on: server.core.pool)
    default: break
    }
  }

  private func endBody() {
    body = nil
    guard let exchange, let route = exchange.route else {
      phase = .head
      return
    }
    switch phase {
    case .collecting:
      guard var image else { return }
      self.image = nil
      phase = .head
      exchange.deadline = now + server.answerNanoseconds(of: route)
      image.deadline = exchange.deadline
      if route.runsInline {
        callInline(route, exchange, image)
      } else {
        beginCall(route, exchange, image)
      }
    case .streaming:
      phase = .waiting
      exchange.deadline = now + server.answerNanoseconds(of: route)
      exchange.call?.add(.body([], isLast: true), on: server.core.pool)
    default: phase = .head
    }
  }

  /// Ends a body that comes slower than the limit allows, averaged since it began.
  func checkBodyRate() {
    if let pausedAt, let exchange, let route = exchange.route, exchange.answer == .none,
      now - pausedAt >= server.answerNanoseconds(of: route)
    {
      return answerTimeout(exchange)  // the plugin takes nothing of the body
    }
    let rate = server.limits.bodyBytesPerSecond
    let elapsed = (pausedAt ?? now) - bodyBegan
    guard rate > 0, let body, elapsed > HTTPConnection.bodyGrace else { return }
    if body.received < UInt64(elapsed / 1_000_000_000) * UInt64(rate) {
      refuseBody(.bodyTooSlow(bytesPerSecond: rate))
    }
  }

  /// The body is bad, too large or too slow: tells client and plugin.
  func refuseBody(_ refusal: Refusal) {
    guard let exchange else { return close() }  // in a body nobody wanted
    exchange.keepAlive = false
    server.prepareWriter()
    if exchange.call != nil { server.cancelPlugin(exchange, reason: .body) }
    guard exchange.answer == .none else { return server.leave(exchange) { cut() } }
    server.leave(exchange) { refuse(refusal) }
  }

  /// Tells a streaming plugin what the client has taken.
  func noteSent(_ exchange: Exchange) {
    guard exchange.answer == .streaming, exchange.unsent > 0 else { return }
    let queued = min(exchange.unsent, output.count)
    let taken = exchange.unsent - queued
    exchange.unsent = queued
    guard taken > 0 else { return }
    exchange.call?.sent(taken)
    let mark = server.limits.streamBytes
    if server.end.gates.release(taken, of: exchange.handle, mark: mark) { tellWritable(exchange) }
  }

  /// Tells the plugin that its stream has room.
  func tellWritable(_ exchange: Exchange) {
    if let call = exchange.call { return call.tellRoom() }
    guard let route = exchange.route, let writable = unsafe route.handler.writable else { return }
    route.site.within(.writable) {
      unsafe writable(route.user, exchange.inlineState, gw_request(v: exchange.handle))
    }
  }

  /// Cuts the connection, so that the client sees that its answer is not whole.
  func cut() {
    if let exchange { finishCancelled(exchange) }
    close()
  }

  func cancelForDrain() {
    if let exchange {
      server.cancel(exchange, reason: .drain)
      exchange.status = 503  // in the log alone
    }
    cut()
  }
}
