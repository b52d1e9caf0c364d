import CGatewayPlugin

/// `gw.http/1`: routes, and the seven ways to answer.
///
/// The answer functions are the hot path: they check what costs nothing to check, find the instance without a lock
/// and hand over.
enum HTTPInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_http_v1(
      add_route: { context, route, handler in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          unsafe RouteDeclaration.add(route.pointee, handler, to: instance)
        }
      },
      reply: reply,
      fail: fail,
      respond: respond,
      start: start,
      write: write,
      finish: { context, request in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          instance.host.sink.finish(request.v, owner: context.v)
        }
      },
      abort: { context, request in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          instance.host.sink.abort(
            request.v,
            owner: context.v,
            reason: "it gave the answer up"
          )
        }
      }
    )
  )

  private static let reply:
    @convention(c) (
      gw_context, gw_request, UInt16, gw_bytes, gw_bytes, UnsafePointer<gw_field>?, Int
    ) -> gw_status = { context, request, status, message, data, fields, count in
      // An envelope is a body, which 204 and 205 do not have (RFC 9110 §15.3.5, §15.3.6).
      guard (200...299).contains(status), status != 204, status != 205,
        unsafe !message.isMalformed, unsafe !data.isMalformed,
        let fields = unsafe AnswerFields.checked(fields, count)
      else { return GW_E_ARGUMENT }
      return ContextTable.with(context, gone: GW_E_GONE) { instance in
        unsafe instance.host.sink.reply(
          request.v,
          owner: context.v,
          status: status,
          message: message,
          data: data,
          fields: fields
        )
      }
    }

  private static let fail:
    @convention(c) (
      gw_context, gw_request, UInt16, gw_bytes, gw_bytes, gw_bytes, UnsafePointer<gw_field>?, Int
    ) -> gw_status = { context, request, status, code, message, details, fields, count in
      guard (400...599).contains(status), unsafe !code.isMalformed, unsafe !message.isMalformed,
        unsafe !details.isMalformed, let fields = unsafe AnswerFields.checked(fields, count)
      else { return GW_E_ARGUMENT }
      return ContextTable.with(context, gone: GW_E_GONE) { instance in
        unsafe instance.host.sink.fail(
          request.v,
          owner: context.v,
          status: status,
          code: code,
          message: message,
          details: details,
          fields: fields
        )
      }
    }

  private static let respond:
    @convention(c) (
      gw_context, gw_request, UInt16, UnsafePointer<gw_field>?, Int, gw_buffer
    ) -> gw_status = { context, request, status, fields, count, body in
      guard (200...599).contains(status), unsafe !body.bytes.isMalformed,
        let fields = unsafe AnswerFields.checked(fields, count)
      else {
        unsafe body.giveBack()
        return GW_E_ARGUMENT
      }
      let taken = ContextTable.with(context, gone: gw_status?.none) { instance in
        unsafe instance.host.sink.respond(
          request.v,
          owner: context.v,
          status: status,
          fields: fields,
          body: body
        )
      }
      if taken == nil { unsafe body.giveBack() }
      return taken ?? GW_E_GONE
    }

  private static let start:
    @convention(c) (
      gw_context, gw_request, UInt16, UnsafePointer<gw_field>?, Int, UInt64
    ) -> gw_status = { context, request, status, fields, count, length in
      // A stream is a body, which these three do not have (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
      guard (200...599).contains(status), status != 204, status != 205, status != 304,
        let fields = unsafe AnswerFields.checked(fields, count)
      else { return GW_E_ARGUMENT }
      return ContextTable.with(context, gone: GW_E_GONE) { instance in
        unsafe instance.host.sink.start(
          request.v,
          owner: context.v,
          status: status,
          fields: fields,
          length: length
        )
      }
    }

  private static let write: @convention(c) (gw_context, gw_request, gw_buffer) -> gw_status = {
    context,
    request,
    bytes in
    guard unsafe !bytes.bytes.isMalformed else {
      unsafe bytes.giveBack()
      return GW_E_ARGUMENT
    }
    let taken = ContextTable.with(context, gone: gw_status?.none) { instance in
      unsafe instance.host.sink.write(request.v, owner: context.v, bytes: bytes)
    }
    if taken == nil { unsafe bytes.giveBack() }
    return taken ?? GW_E_GONE
  }
}
