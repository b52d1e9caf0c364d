internal import CGatewayPlugin
internal import Synchronization

/// What outlives the call that a request came with: made only for a request that needs it.
///
/// The host holds one reference as the request's `state`, from the handler's start to `end`.
final class Exchange: Sendable {
  let host: Host
  let handle: gw_request

  // Only `request`, `body` and `end` touch it, and the contract says they never overlap.
  @safe nonisolated(unsafe) var sink: (any BodySink)?

  private let reason = Atomic<Int32>(0)
  private let gate = Mutex<Gate?>(nil)

  init(host: Host, handle: gw_request) {
    self.host = host
    self.handle = handle
  }

  var isCancelled: Bool { reason.load(ordering: .acquiring) != 0 }

  func cancel(_ why: Int32) {
    reason.store(why, ordering: .releasing)
    gate.withLock { $0 }?.open()
  }

  func writable() { gate.withLock { $0 }?.open() }

  /// Tells the sink, if it did not finish, that it will not; then lets go of it.
  func abandonSink() {
    sink?.abandoned()
    sink = nil
  }

  /// Answers with `response`, on this thread; a stream may block it.
  func send(_ response: Response) -> gw_status {
    guard case .stream(let length, let produce) = response.body else {
      return deliver(response, to: handle, of: host)
    }
    return stream(response, length, produce)
  }

  private func stream(
    _ response: Response,
    _ length: UInt64?,
    _ produce: @Sendable (borrowing ResponseWriter) throws -> Void
  ) -> gw_status {
    guard host.isLive, let http = unsafe host.tables.http else { return GW_E_GONE }
    let context = host.tables.context
    let started = unsafe lend(response.fields) { fields, count in
      unsafe http.pointee.start(
        context,
        handle,
        response.status,
        fields,
        count,
        length ?? .max
      )
    }
    guard started >= 0 else { return started }
    do {
      try produce(ResponseWriter(exchange: self))
      return unsafe http.pointee.finish(context, handle)
    } catch {
      // A client that went away is no fault.
      if error as? HostRefusal != .gone {
        Log(host: host, about: handle).error("An answer broke off.", ["why": sentence(error)])
      }
      _ = unsafe http.pointee.abort(context, handle)
      return GW_OK
    }
  }

  /// Hands a piece to the host and waits while the client is behind.
  func write(_ piece: gw_bytes) throws(HostRefusal) {
    guard host.isLive, !isCancelled, let http = unsafe host.tables.http else { throw .gone }
    let gate = gate.withLock { gate in
      let open = gate ?? Gate()
      gate = open
      return open
    }
    // Closed before the bytes are given: `writable` may come before `write` has returned.
    gate.close()
    let buffer = unsafe gw_buffer(bytes: piece, release: nil, owner: nil)
    let status = unsafe http.pointee.write(host.tables.context, handle, buffer)
    try HostRefusal.check(status, GW_HTTP_1)
    guard status == GW_AGAIN else { return }
    // A cancel before the door was closed opened it in vain; its reason stands all the same.
    if !isCancelled { gate.wait() }
    if isCancelled { throw .gone }
  }
}

/// Answers with anything but a stream.
func deliver(_ response: Response, to handle: gw_request, of host: Host) -> gw_status {
  guard host.isLive, let http = unsafe host.tables.http else { return GW_E_GONE }
  let context = host.tables.context
  switch response.body {
  case .data(let json):
    return unsafe lend(json) { unsafe reply(http, response, to: handle, context, $0) }
  case .encoded(let bytes):
    return unsafe lend(bytes) { unsafe reply(http, response, to: handle, context, $0) }
  case .failure(let failure):
    return unsafe fail(http, failure, to: handle, context)
  case .bytes(let bytes):
    return unsafe lend(bytes) { bytes in
      unsafe lend(response.fields) { fields, count in
        unsafe http.pointee.respond(
          context,
          handle,
          response.status,
          fields,
          count,
          gw_buffer(bytes: bytes, release: nil, owner: nil)
        )
      }
    }
  case .later, .stream:
    return GW_OK
  }
}

private func reply(
  _ http: UnsafePointer<gw_http_v1>,
  _ response: Response,
  to handle: gw_request,
  _ context: gw_context,
  _ data: gw_bytes
) -> gw_status {
  unsafe lend(response.message) { message in
    unsafe lend(response.fields) { fields, count in
      unsafe http.pointee.reply(
        context,
        handle,
        response.status,
        message,
        data,
        fields,
        count
      )
    }
  }
}

private func fail(
  _ http: UnsafePointer<gw_http_v1>,
  _ failure: Failure,
  to handle: gw_request,
  _ context: gw_context
) -> gw_status {
  let status = 400...599 ~= failure.status ? failure.status : 500
  return unsafe lend(failure.code) { code in
    unsafe lend(failure.message) { message in
      unsafe lend(failure.details?.bytes ?? []) { details in
        unsafe lend(failure.fields) { fields, count in
          unsafe http.pointee.fail(
            context,
            handle,
            status,
            code,
            message,
            details,
            fields,
            count
          )
        }
      }
    }
  }
}

extension Exchange {
  func write(_ bytes: [UInt8], _ range: Range<Int>) throws(HostRefusal) {
    let result: Result<Void, HostRefusal> = unsafe bytes.withUnsafeBufferPointer { buffer in
      let piece = unsafe UnsafeBufferPointer(rebasing: buffer[range])
      do throws(HostRefusal) {
        try unsafe write(gw_bytes(start: piece.baseAddress, count: piece.count))
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }
}
