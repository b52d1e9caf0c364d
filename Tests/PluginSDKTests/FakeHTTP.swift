import CGatewayPlugin
import Synchronization

extension FakeTables {
  static var http: gw_http_v1 {
    gw_http_v1(
      add_route: { context, route, handler in
        let host = FakeHost.from(context)
        if host.refusal("add_route") < 0 { return host.refusal("add_route") }
        let raw = route.pointee
        let added = FakeRoute(
          method: raw.method.text,
          pattern: raw.pattern.text,
          scope: raw.scope.text,
          flags: raw.flags,
          maxBody: raw.max_body,
          timeout: raw.timeout_ms,
          operation: raw.operation.text,
          user: raw.user,
          handler: handler.pointee
        )
        host.record.withLock { $0.routes.append(added) }
        return GW_OK
      },
      reply: { context, request, status, message, data, fields, count in
        FakeHost.from(context).settle(
          FakeAnswer(
            kind: "reply",
            request: request.v,
            status: status,
            message: message.text,
            body: data.text,
            fields: texts(fields, count)
          )
        )
      },
      fail: { context, request, status, code, message, details, fields, count in
        FakeHost.from(context).settle(
          FakeAnswer(
            kind: "fail",
            request: request.v,
            status: status,
            code: code.text,
            message: message.text,
            body: details.text,
            fields: texts(fields, count)
          )
        )
      },
      respond: { context, request, status, fields, count, body in
        let host = FakeHost.from(context)
        if host.refusal("respond") < 0 { return host.refusal("respond") }
        return host.settle(
          FakeAnswer(
            kind: "respond",
            request: request.v,
            status: status,
            body: body.bytes.text,
            fields: texts(fields, count)
          )
        )
      },
      start: { context, request, status, fields, count, length in
        FakeHost.from(context).settle(
          FakeAnswer(
            kind: "start",
            request: request.v,
            status: status,
            body: length == .max ? "chunked" : "\(length)",
            fields: texts(fields, count)
          )
        )
      },
      write: { context, _, bytes in
        let host = FakeHost.from(context)
        let chunk = Array(
          UnsafeBufferPointer(start: bytes.bytes.start, count: bytes.bytes.count)
        )
        host.record.withLock { $0.chunks.append(chunk) }
        host.onWrite.withLock({ $0 })?()
        return host.refusal("write")
      },
      finish: { context, request in FakeHost.from(context).end("finish", request) },
      abort: { context, request in FakeHost.from(context).end("abort", request) }
    )
  }
}

extension FakeHost {
  fileprivate func settle(_ answer: FakeAnswer) -> gw_status {
    record.withLock {
      guard $0.settled.insert(answer.request).inserted else { return GW_E_GONE }
      $0.answers.append(answer)
      return GW_OK
    }
  }

  fileprivate func end(_ kind: String, _ request: gw_request) -> gw_status {
    record.withLock { $0.answers.append(FakeAnswer(kind: kind, request: request.v, status: 0)) }
    return GW_OK
  }
}

/// One request as the host sends it through a route, with the calls that follow.
final class FakeExchange: @unchecked Sendable {
  let route: FakeRoute
  let handle: gw_request
  /// Memory, not a variable: other threads read it while `request` may write it.
  private let slot = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 1)
  var state: UnsafeMutableRawPointer? { slot.pointee }

  init(_ route: FakeRoute, id: UInt64 = 1) {
    self.route = route
    handle = gw_request(v: id)
    slot.initialize(to: nil)
  }

  deinit { slot.deallocate() }

  /// Sends the head, and the body of a buffered route.
  func send(
    path: String = "/",
    query: String = "",
    parameters: [(String, String)] = [],
    fields: [(String, String)] = [],
    body: String = "",
    flags: UInt32 = 1
  ) -> gw_status {
    let arena = Arena()
    defer { arena.free() }
    var raw = gw_request_v1()
    raw.handle = handle
    raw.method = arena.bytes(route.method)
    raw.target = arena.bytes(query.isEmpty ? path : "\(path)?\(query)")
    raw.path = arena.bytes(path)
    raw.query = arena.bytes(query)
    raw.parameters = arena.fields(parameters)
    raw.parameter_count = parameters.count
    raw.fields = arena.fields(fields)
    raw.field_count = fields.count
    raw.body = arena.bytes(body)
    raw.body_length = UInt64(body.utf8.count)
    raw.subject = arena.bytes("alice")
    raw.scopes = arena.bytes("read write")
    raw.tier = arena.bytes("standard")
    raw.request_id = arena.bytes("req-1")
    raw.trace_id = arena.bytes("0af7651916cd43dd8448eb211c80319c")
    raw.peer = arena.bytes("192.0.2.1")
    raw.deadline = 9_000_000_000
    raw.flags = flags
    return route.handler.request(route.user, &raw, slot)
  }

  func body(_ text: String, last: Bool) -> gw_status {
    let arena = Arena()
    defer { arena.free() }
    return route.handler.body?(route.user, state, handle, arena.bytes(text), last ? 1 : 0)
      ?? GW_E_UNSUPPORTED
  }

  func cancel(_ reason: Int32) { route.handler.cancel?(route.user, state, handle, reason) }
  func writable() { route.handler.writable?(route.user, state, handle) }
  func end() { route.handler.end?(route.user, state, handle) }
}

/// Memory that is overwritten when it is freed, so that a span kept too long shows.
final class Arena {
  private var blocks: [UnsafeMutableRawBufferPointer] = []

  func bytes(_ text: String) -> gw_bytes {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 8)
    block.copyBytes(from: text.utf8)
    blocks.append(block)
    let start = UnsafeRawPointer(block.baseAddress)?.assumingMemoryBound(to: UInt8.self)
    return gw_bytes(start: start, count: block.count)
  }

  func fields(_ pairs: [(String, String)]) -> UnsafePointer<gw_field>? {
    let stride = MemoryLayout<gw_field>.stride
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: stride * pairs.count,
      alignment: 8
    )
    let typed = block.bindMemory(to: gw_field.self)
    for (index, pair) in pairs.enumerated() {
      typed.initializeElement(
        at: index,
        to: gw_field(name: bytes(pair.0), value: bytes(pair.1))
      )
    }
    blocks.append(block)
    return UnsafePointer(typed.baseAddress)
  }

  func free() {
    for block in blocks {
      block.initializeMemory(as: UInt8.self, repeating: 0xDD)
      block.deallocate()
    }
    blocks = []
  }
}
