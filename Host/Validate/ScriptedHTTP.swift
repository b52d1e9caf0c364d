import CGatewayPlugin
import Wire

/// The scripted host's table of routes and answers.
enum ScriptedHTTP {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_http_v1(
      add_route: { context, route, handler in
        ScriptedHost.with(context, "http->add_route", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "http->add_route") { return status }
          return unsafe addRoute(host, route.pointee, handler)
        }
      },
      reply: reply,
      fail: fail,
      respond: respond,
      start: start,
      write: write,
      finish: { context, request in
        with(context, request, "finish") { $0.finish() }
      },
      abort: { context, request in
        with(context, request, "abort") { $0.abort() }
      }
    )
  )

  private static func addRoute(
    _ host: ScriptedHost,
    _ route: gw_route_v1,
    _ handler: UnsafePointer<gw_http_handler_v1>
  ) -> gw_status {
    do throws(RouteDeclaration.Refusal) {
      let read = unsafe try RouteDeclaration.read(
        route,
        handler,
        ceilings: PluginFile.Ceilings(),
        limits: Limits()
      )
      let added = unsafe ScriptedRoute(
        method: read.method,
        pattern: read.pattern,
        terms: read.terms,
        handler: handler.pointee,
        user: route.user
      )
      if host.routes.contains(where: {
        $0.method == added.method && $0.pattern.shape == added.pattern.shape
      }) {
        host.setSentence("\(added.name) exists already")
        return GW_E_ARGUMENT
      }
      return host.declare { $0.routes.append(added) }
    } catch {
      host.setSentence(error.reason)
      let name = unsafe "\(route.method.text(cutAt: 16)) \(route.pattern.text(cutAt: 128))"
      host.breach("http->add_route \(name): \(error.reason).")
      return GW_E_ARGUMENT
    }
  }

  /// Calls `body` with a live request; `GW_E_GONE` when there never was one.
  private static func with(
    _ context: gw_context,
    _ request: gw_request,
    _ call: String,
    _ body: (ScriptedRequest) -> gw_status
  ) -> gw_status {
    ScriptedHost.with(context, "http->\(call)", gone: GW_E_GONE) { host in
      guard let found = host.state.withLock({ $0.requests[request.v] }) else {
        host.breach("http->\(call) was called for a request that never was; keep request->handle.")
        return GW_E_GONE
      }
      return body(found)
    }
  }

  private static let reply:
    @convention(c) (
      gw_context, gw_request, UInt16, gw_bytes, gw_bytes, UnsafePointer<gw_field>?, Int
    ) -> gw_status = { context, request, status, message, data, fields, count in
      with(context, request, "reply") { request in
        guard (200...299).contains(status), status != 204, status != 205 else {
          return request.refuse("reply has status \(status); use 200 to 299 without 204 and 205")
        }
        guard unsafe areFields(fields, count) else { return request.refuseFields("reply") }
        guard unsafe message.text != nil, unsafe isJSON(data) else {
          return request.refuse(
            "reply's data is not one JSON value in UTF-8, and goes into the answer as it is"
          )
        }
        return request.settle("reply")
      }
    }

  private static let fail:
    @convention(c) (
      gw_context, gw_request, UInt16, gw_bytes, gw_bytes, gw_bytes, UnsafePointer<gw_field>?, Int
    ) -> gw_status = { context, request, status, code, message, details, fields, count in
      with(context, request, "fail") { request in
        guard (400...599).contains(status) else {
          return request.refuse("fail has status \(status); use 400 to 599")
        }
        guard unsafe areFields(fields, count) else { return request.refuseFields("fail") }
        guard unsafe code.text != nil, unsafe message.text != nil, unsafe isJSON(details) else {
          return request.refuse(
            "fail's details are not one JSON value in UTF-8, and go into the answer as they are"
          )
        }
        return request.settle("fail")
      }
    }

  private static let respond:
    @convention(c) (
      gw_context, gw_request, UInt16, UnsafePointer<gw_field>?, Int, gw_buffer
    ) -> gw_status = { context, request, status, fields, count, body in
      let done = with(context, request, "respond") { request in
        guard (200...599).contains(status), unsafe !body.bytes.isMalformed else {
          return request.refuse("respond has status \(status), or a body without bytes")
        }
        guard unsafe areFields(fields, count) else { return request.refuseFields("respond") }
        let taken = request.settle("respond")
        if taken == GW_OK { unsafe request.hold(body) }
        return taken
      }
      if done != GW_OK { unsafe body.giveBack() }
      return done
    }

  private static let start:
    @convention(c) (
      gw_context, gw_request, UInt16, UnsafePointer<gw_field>?, Int, UInt64
    ) -> gw_status = { context, request, status, fields, count, length in
      with(context, request, "start") { request in
        guard (200...599).contains(status), ![204, 205, 304].contains(status) else {
          return request.refuse("start has status \(status), which has no body")
        }
        guard unsafe areFields(fields, count) else { return request.refuseFields("start") }
        return request.start(length: length)
      }
    }

  private static let write: @convention(c) (gw_context, gw_request, gw_buffer) -> gw_status = {
    context,
    request,
    bytes in
    let done = with(context, request, "write") { request in
      guard unsafe !bytes.bytes.isMalformed else {
        return request.refuse("write counts bytes and has none")
      }
      let taken = request.write(unsafe bytes.bytes.count)
      if taken >= 0 { unsafe request.hold(bytes) }
      return taken
    }
    if done < 0 { unsafe bytes.giveBack() }
    return done
  }

  private static func areFields(_ fields: UnsafePointer<gw_field>?, _ count: Int) -> Bool {
    unsafe AnswerFields.checked(fields, count) != nil
  }

  private static func isJSON(_ bytes: gw_bytes) -> Bool {
    guard unsafe !bytes.isMalformed else { return false }
    return unsafe bytes.count == 0 || (try? JSON.parse(bytes.copied)) != nil
  }
}
