import CGatewayPlugin
import CLinux
import Synchronization
import Wire

/// What plugins answer, carried out on the loop of the request.
extension Server {
  // MARK: - Whole answers

  /// Writes a whole answer with `render` and ends the exchange.
  func deliver(_ handle: UInt64, _ render: (inout ResponseWriter, Exchange) -> Void) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    prepareWriter()
    connection.decideReuse(exchange)
    writer.mayLeaveUncompressed = true
    render(&writer, exchange)
    writer.mayLeaveUncompressed = false
    if let answer = writer.uncompressed.take() { return compress(answer, exchange) }
    exchange.answer = .complete
    guard !connection.isCallingInline else { return }  // its caller goes on from there
    leave(exchange) { connection.finish(exchange) }
    connection.resume()
  }

  /// Has the pool compress a large body: on the loop, everyone would wait for it.
  private func compress(_ answer: ResponseWriter.Uncompressed, _ exchange: Exchange) {
    exchange.answer = .compressing
    let (end, handle) = (end, exchange.handle)
    core.pool.submitOwed {
      var encoded: [UInt8] = []
      let isSmaller = unsafe answer.body.withUnsafeBytes { body in
        unsafe Gzip()?.compress(body, to: &encoded) ?? false
      }
      let result = isSmaller ? encoded : nil
      end.post { $0.deliverCompressed(handle, answer, encoded: result) }
    }
  }

  private func deliverCompressed(
    _ handle: UInt64,
    _ answer: ResponseWriter.Uncompressed,
    encoded: [UInt8]?
  ) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    prepareWriter()
    writer.compressed(exchange, answer, encoded: encoded)
    exchange.answer = .complete
    leave(exchange) { connection.finish(exchange) }
    connection.resume()
  }

  // MARK: - Streams

  func startStream(_ handle: UInt64, status: UInt16, fields: RenderedFields, length: UInt64) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    prepareWriter()
    connection.decideReuse(exchange)
    if length == .max, exchange.isHTTP10 { exchange.keepAlive = false }  // its end is the close
    exchange.isChunked = length == .max && !exchange.isHTTP10
    exchange.answer = .streaming
    writer.streamHead(exchange, status: status, fields: fields, length: length)
    guard !connection.isCallingInline else { return }
    connection.settle()
  }

  func writeStream(_ handle: UInt64, _ bytes: [UInt8]) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    exchange.unsent += bytes.count
    exchange.bodyBytes += bytes.count
    if !exchange.isHead, !bytes.isEmpty {
      if exchange.isChunked { Chunk.writeHeader(bytes.count, to: &writer.out) }
      writer.out += bytes
      if exchange.isChunked { writer.out += "\r\n".utf8 }
    }
    connection.settle()
    if self.exchange(handle) === exchange { connection.noteSent(exchange) }
  }

  func finishStream(_ handle: UInt64) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    let isWhole = end.gates.lacking(handle) == 0 || exchange.isHead
    exchange.answer = .complete
    guard isWhole else {
      exchange.status = 500  // in the log and the plugin's counts: its client sees the cut
      leave(exchange) { connection.cut() }
      return
    }
    if exchange.isChunked, !exchange.isHead { writer.out += "0\r\n\r\n".utf8 }
    leave(exchange) { connection.finish(exchange) }
    connection.resume()
  }

  func abortStream(_ handle: UInt64, reason: String) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    connection.failPlugin(exchange, reason: reason)
    connection.resume()
  }

  // MARK: - The plugin's steps

  /// Something happened to a request at a worker; the exchange may have ended meanwhile.
  func reported(_ report: PluginCall.Report, handle: UInt64) {
    guard let exchange = exchange(handle), let connection = exchange.connection else { return }
    switch report {
    case .returned(let status, let error):
      connection.returned(exchange, status, error: error)
    case .consumed(let count, let status, let error):
      connection.unconsumed -= count
      if status < 0 { connection.failPlugin(exchange, reason: error ?? "status \(status)") }
    }
    connection.resume()
  }

  /// Closes the gate, has the plugin's `end` called, and then runs `body`.
  func leave(_ exchange: Exchange, _ body: () -> Void) {
    if let route = exchange.route {
      let handle = exchange.handle
      exchange.answeredBy = route.instance
      closeGate(exchange)
      if let call = exchange.call {
        call.add(.end, on: core.pool)
        exchange.connection?.unconsumed = 0
      } else if exchange.connection?.image == nil {
        if let end = unsafe route.handler.end {
          route.site.within(.end) {
            unsafe end(route.user, exchange.inlineState, gw_request(v: handle))
          }
        }
        route.inFlight.subtract(1, ordering: .relaxed)
      } else {
        route.inFlight.subtract(1, ordering: .relaxed)  // its handler was never called
      }
      exchange.route = nil
      exchange.call = nil
    }
    body()
  }

  /// Tells the plugin that nobody waits for its answer, without ending the exchange.
  func cancelPlugin(_ exchange: Exchange, reason: CancelReason) {
    guard let route = exchange.route, exchange.handle != 0 else { return }
    if let call = exchange.call {
      // A plugin that has begun to stream may wait for room: the cancel must reach it at once.
      let hasStarted = end.gates.revoke(exchange.handle) || exchange.answer == .streaming
      call.cancel(reason, hasStarted: hasStarted)
    } else if exchange.connection?.image == nil, let cancel = unsafe route.handler.cancel {
      _ = end.gates.revoke(exchange.handle)
      route.site.within(.cancel) {
        unsafe cancel(
          route.user,
          exchange.inlineState,
          gw_request(v: exchange.handle),
          reason.rawValue
        )
      }
    }
  }

  /// Tells the plugin, and ends its part of the exchange.
  func cancel(_ exchange: Exchange, reason: CancelReason) {
    cancelPlugin(exchange, reason: reason)
    leave(exchange) {}
  }

  /// Counts a handler that kept the loop for too long.
  func noteOverrun(_ route: PluginRoute, nanoseconds: Int64) {
    let count = route.overruns.add(1, ordering: .relaxed).newValue
    core.log.write(
      .warning,
      "an inline handler kept its loop",
      [
        ("plugin", route.instance.id), ("route", route.name), ("us", "\(nanoseconds / 1000)"),
        ("overruns", "\(count)"),
      ]
    )
    guard route.noteOverrun(now: loop.now, limit: limits.inlineOverruns) else { return }
    core.log.write(
      .warning,
      "a route runs on the pool from now on: it kept its loop too often",
      [("plugin", route.instance.id), ("route", route.name), ("overruns", "\(count)")]
    )
  }
}
