import CGatewayPlugin
import Wire

/// Takes the routes that a plugin declares.
enum RouteDeclaration {
  /// Routes of one plugin.
  static let maxRoutes = 1024
  /// Bytes of one OpenAPI operation.
  static let maxOperationBytes = 256 * 1024

  private static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

  /// Why a route is not taken.
  struct Refusal: Error {
    let reason: String
  }

  /// What a route is, when it may be taken.
  ///
  /// - Parameters:
  ///   - route: As declared.
  ///   - handler: Its functions.
  ///   - ceilings: Over what it asks for.
  ///   - limits: For what it leaves to the host.
  /// - Returns: Its method, path and terms.
  /// - Throws: `Refusal`.
  static func read(
    _ route: gw_route_v1,
    _ handler: UnsafePointer<gw_http_handler_v1>,
    ceilings: PluginFile.Ceilings,
    limits: Limits
  ) throws(Refusal) -> (method: String, pattern: PathPattern, terms: RouteTerms) {
    let method = unsafe try text(unsafe route.method, "method", limit: 16)
    guard methods.contains(method) else {
      throw Refusal(
        reason:
          "'\(method)' is none of \(methods.joined(separator: ", ")); HEAD and OPTIONS are answered by the host"
      )
    }
    let path = unsafe try text(unsafe route.pattern, "pattern", limit: PathPattern.maxBytes)
    let pattern: PathPattern
    do { pattern = try PathPattern(path) } catch { throw Refusal(reason: "\(error)") }
    let terms = unsafe try terms(of: route, ceilings: ceilings, limits: limits)
    unsafe try checkHandler(handler, isStreaming: terms.isStreaming)
    return (method, pattern, terms)
  }

  /// Adds a route, or explains with the host's own `set_error` why not.
  static func add(
    _ route: gw_route_v1,
    _ handler: UnsafePointer<gw_http_handler_v1>,
    to instance: PluginInstance
  ) -> gw_status {
    do throws(Refusal) {
      let read = unsafe try read(
        route,
        handler,
        ceilings: instance.ceilings,
        limits: instance.host.limits
      )
      let added = unsafe PluginRoute(
        method: read.method,
        pattern: read.pattern,
        declared: read.terms,
        handler: handler.pointee,
        user: route.user,
        instance: instance
      )
      return add(added, to: instance)
    } catch {
      let name = unsafe "\(route.method.text(cutAt: 16)) \(route.pattern.text(cutAt: 128))"
      instance.setError("route \(name): \(error.reason)")
      return GW_E_ARGUMENT
    }
  }

  private static func add(_ route: PluginRoute, to instance: PluginInstance) -> gw_status {
    let status = instance.declare { declared in
      guard declared.routes.count < maxRoutes else { return GW_E_LIMIT }
      let name = DeclarationClaims.Name.route(method: route.method, shape: route.pattern.shape)
      guard instance.claim(name, "route \(route.name)") else { return GW_E_ARGUMENT }
      declared.routes.append(route)
      return GW_OK
    }
    if status == GW_E_STATE {
      instance.setError("route \(route.name): routes are added before activate")
    }
    return status
  }

  private static func terms(
    of route: gw_route_v1,
    ceilings: PluginFile.Ceilings,
    limits: Limits
  ) throws(Refusal) -> RouteTerms {
    var terms = RouteTerms()
    let flags = unsafe route.flags
    terms.isInline = flags & GW_ROUTE_INLINE != 0
    terms.isStreaming = flags & GW_ROUTE_STREAM != 0
    terms.isPublic = flags & GW_ROUTE_PUBLIC != 0
    terms.scope = unsafe try text(unsafe route.scope, "scope", limit: 64)
    switch (terms.isPublic, terms.scope.isEmpty) {
    case (true, false): throw Refusal(reason: "a public route has no scope")
    case (false, true):
      throw Refusal(reason: "a scope is missing; only a route with GW_ROUTE_PUBLIC has none")
    case (false, false) where !Names.isScope(terms.scope):
      throw Refusal(reason: "the scope '\(terms.scope)' is not one word")
    default: break
    }
    terms.operation = unsafe route.operation.copied
    guard unsafe !route.operation.isMalformed, terms.operation.count <= maxOperationBytes else {
      throw Refusal(reason: "the OpenAPI operation is longer than \(maxOperationBytes) bytes")
    }
    try checkOperation(terms.operation)
    let inFlight = Int(unsafe route.max_in_flight)
    terms.maxInFlight = lower(inFlight, ceilings.inFlight, default: limits.requestsPerRoute)
    let body = unsafe route.max_body
    terms.maxBody = lower(body, ceilings.bodyBytes, default: UInt64(limits.bodyBytes))
    // 292 years: beyond, nanoseconds do not fit.
    let milliseconds = Int64(clamping: min(unsafe route.timeout_ms, 9_000_000_000_000))
    let timeout = Duration.milliseconds(milliseconds)
    let resolved = lower(timeout, ceilings.timeout, default: limits.answerTime)
    terms.timeout = resolved == .zero ? nil : resolved
    return terms
  }

  private static func checkOperation(_ bytes: [UInt8]) throws(Refusal) {
    guard !bytes.isEmpty else { return }
    let operation: JSON
    do throws(JSONError) { operation = try JSON.parse(bytes) } catch {
      throw Refusal(reason: "the OpenAPI operation is not JSON: \(error)")
    }
    guard operation.asMembers != nil else {
      throw Refusal(reason: "the OpenAPI operation is not a JSON object")
    }
  }

  /// The route's own number or the default, at most `ceiling`; without a ceiling, zero stays zero.
  private static func lower<Number: Comparable>(
    _ own: Number,
    _ ceiling: Number?,
    default fallback: Number
  ) -> Number where Number: AdditiveArithmetic {
    guard let ceiling else { return own }
    return min(own == .zero ? fallback : own, ceiling)
  }

  private static func checkHandler(
    _ handler: UnsafePointer<gw_http_handler_v1>,
    isStreaming: Bool
  ) throws(Refusal) {
    // Swift believes the header that `request` is never NULL, so the word in memory is looked at instead.
    guard unsafe UnsafeRawPointer(handler).load(as: UInt.self) != 0 else {
      throw Refusal(reason: "the handler has no request function")
    }
    if isStreaming, unsafe handler.pointee.body == nil {
      throw Refusal(reason: "a streaming route needs the handler's body function")
    }
  }

  private static func text(
    _ bytes: gw_bytes,
    _ what: String,
    limit: Int
  ) throws(Refusal) -> String {
    guard let text = unsafe bytes.text else { throw Refusal(reason: "the \(what) is not UTF-8") }
    guard text.utf8.count <= limit else {
      throw Refusal(reason: "the \(what) is longer than \(limit) bytes")
    }
    return text
  }
}
