package import CGatewayPlugin
import Wire

/// Takes plugins' answers from any thread to the loop of their request.
///
/// An answer given from within an inline handler is carried out on the spot and nothing of it is
/// copied; any other is copied and posted.
package final class AnswerDesk: AnswerSink {
  private let ends: [ServerEnd]
  private let streamMark: Int

  /// - Parameters:
  ///   - ends: One for each loop, in the order of their gates' numbers.
  ///   - limits: For the high-water mark of streams.
  package init(ends: [ServerEnd], limits: Limits) {
    self.ends = ends
    streamMark = limits.streamBytes
  }

  package func reply(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    message: gw_bytes,
    data: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status {
    answer(request, owner) { end in
      let rendered = unsafe RenderedFields(fields)
      let words = unsafe Self.raw(message)
      let value = unsafe Self.raw(data)
      if let server = inline(end, request) {
        server.deliver(request) { writer, exchange in
          unsafe writer.success(
            exchange,
            status: status,
            message: words,
            data: value,
            fields: rendered
          )
        }
        return
      }
      let (wordBytes, valueBytes) = unsafe (Array(words), Array(value))
      end.post { server in
        server.deliver(request) { writer, exchange in
          unsafe wordBytes.withUnsafeBytes { words in
            unsafe valueBytes.withUnsafeBytes { value in
              unsafe writer.success(
                exchange,
                status: status,
                message: words,
                data: value,
                fields: rendered
              )
            }
          }
        }
      }
    }
  }

  package func fail(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    code: gw_bytes,
    message: gw_bytes,
    details: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status {
    answer(request, owner) { end in
      let name = unsafe String(decoding: Self.raw(code), as: UTF8.self)
      var failure = unsafe Failure(
        status,
        name.isEmpty ? Failure.code(for: status) : name,
        String(decoding: Self.raw(message), as: UTF8.self)
      )
      failure.details = unsafe Array(Self.raw(details))
      failure.fields = unsafe RenderedFields(fields)
      let whole = failure
      if let server = inline(end, request) {
        server.deliver(request) { writer, exchange in writer.failure(exchange, whole) }
      } else {
        end.post { server in
          server.deliver(request) { writer, exchange in writer.failure(exchange, whole) }
        }
      }
    }
  }

  package func respond(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    body: gw_buffer
  ) -> gw_status {
    defer { unsafe Self.release(body) }
    return answer(request, owner) { end in
      let rendered = unsafe RenderedFields(fields)
      let content = unsafe Self.raw(body.bytes)
      if let server = inline(end, request) {
        server.deliver(request) { writer, exchange in
          unsafe writer.raw(
            exchange,
            status: status,
            content: content,
            fields: rendered
          )
        }
        return
      }
      let copy = unsafe Array(content)
      end.post { server in
        server.deliver(request) { writer, exchange in
          unsafe copy.withUnsafeBytes { content in
            unsafe writer.raw(
              exchange,
              status: status,
              content: content,
              fields: rendered
            )
          }
        }
      }
    }
  }

  package func start(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    length: UInt64
  ) -> gw_status {
    guard let end = end(of: request) else { return GW_E_GONE }
    let claimed = end.gates.claim(request, owner: owner, from: .open, to: .streaming)
    guard claimed == GW_OK else { return claimed }
    end.gates.setLength(length, of: request)
    let rendered = unsafe RenderedFields(fields)
    if let server = inline(end, request) {
      server.startStream(request, status: status, fields: rendered, length: length)
    } else {
      end.post { $0.startStream(request, status: status, fields: rendered, length: length) }
    }
    return GW_OK
  }

  package func write(_ request: UInt64, owner: UInt64, bytes: gw_buffer) -> gw_status {
    defer { unsafe Self.release(bytes) }
    guard let end = end(of: request) else { return GW_E_GONE }
    let count = unsafe bytes.bytes.count
    let admitted = end.gates.admit(count, to: request, owner: owner, mark: streamMark)
    guard admitted >= 0 else { return admitted }
    let copy = unsafe Array(Self.raw(bytes.bytes))
    end.post { $0.writeStream(request, copy) }
    return admitted
  }

  package func finish(_ request: UInt64, owner: UInt64) -> gw_status {
    guard let end = end(of: request) else { return GW_E_GONE }
    let claimed = end.gates.claim(request, owner: owner, from: .streaming, to: .answered)
    if claimed == GW_OK { end.post { $0.finishStream(request) } }
    return claimed
  }

  package func abort(_ request: UInt64, owner: UInt64, reason: String) -> gw_status {
    guard let end = end(of: request) else { return GW_E_GONE }
    var claimed = end.gates.claim(request, owner: owner, from: .streaming, to: .answered)
    if claimed == GW_E_STATE {
      claimed = end.gates.claim(request, owner: owner, from: .open, to: .answered)
    }
    if claimed == GW_OK { end.post { $0.abortStream(request, reason: reason) } }
    return claimed
  }

  package func withRequestID(of request: UInt64, _ use: @escaping @Sendable (String?) -> Void) {
    guard let end = end(of: request) else { return use(nil) }
    if let server = end.local() { return use(server.requestID(of: request)) }
    // Jobs run in their order: the request lives at least until what its plugin posts after this.
    end.post { server in use(server.requestID(of: request)) }
  }

  /// The counts of all loops.
  var traffic: [Traffic] { ends.map(\.traffic) }

  // MARK: - Finding the loop

  private func end(of request: UInt64) -> ServerEnd? {
    guard let loop = AnswerGates.loop(of: request), loop < ends.count else { return nil }
    return ends[loop]
  }

  /// Claims the one whole answer of `request` and, if it is still wanted, has `carryOut` give it.
  private func answer(
    _ request: UInt64,
    _ owner: UInt64,
    _ carryOut: (ServerEnd) -> Void
  ) -> gw_status {
    guard let end = end(of: request) else { return GW_E_GONE }
    let claimed = end.gates.claim(request, owner: owner, from: .open, to: .answered)
    if claimed == GW_OK { carryOut(end) }
    return claimed
  }

  /// The server, when the caller is the inline handler of this very request.
  private func inline(_ end: ServerEnd, _ request: UInt64) -> Server? {
    guard let server = end.local(), server.inlineHandle == request else { return nil }
    return server
  }

  private static func raw(_ bytes: gw_bytes) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: bytes.start, count: bytes.count)
  }

  private static func release(_ buffer: gw_buffer) {
    unsafe buffer.release?(buffer.owner, buffer.bytes.start, buffer.bytes.count)
  }
}
