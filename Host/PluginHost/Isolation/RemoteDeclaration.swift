import CGatewayPlugin

/// One thing a plugin declares, on its way over the link.
enum RemoteDeclaration {
  enum Kind: UInt8 {
    case route = 1
    case topic, subscription, service, check, metric, repeated
  }

  /// Declares in the plugin's stead, with functions that pass on.
  ///
  /// - Parameters:
  ///   - frame: Of kind `declare`.
  ///   - context: Of the plugin.
  ///   - proxy: The argument of those functions.
  ///   - metric: The number of a metric.
  /// - Returns: What the host says; its sentence waits for this thread.
  /// - Throws: When the frame is malformed.
  static func carryOut(
    _ frame: LinkFrame,
    context: gw_context,
    _ proxy: IsolatedProxy,
    _ metric: inout UInt64
  ) throws(LinkFrame.Fault) -> gw_status {
    var number = gw_metric(v: 0)
    defer { metric = number.v }
    return try frame.read { (reader) throws(LinkFrame.Fault) in
      _ = try (reader.number(UInt32.self), reader.number(UInt32.self))
      guard let kind = try Kind(rawValue: reader.number()) else { throw .badValue }
      switch kind {
      case .route: return try route(&reader, context, proxy)
      case .metric: return unsafe try define(&reader, context, &number)
      default: return try named(kind, &reader, context, proxy)
      }
    }
  }

  /// What has a name, and a function that stands in for the plugin's.
  private static func named(
    _ kind: Kind,
    _ reader: inout FrameReader,
    _ context: gw_context,
    _ proxy: IsolatedProxy
  ) throws(LinkFrame.Fault) -> gw_status {
    let (events, name) = unsafe try (EventsInterface.table.pointee, reader.span())
    let user = unsafe proxy.pointer
    switch kind {
    case .topic:
      return unsafe try events.declare(context, name, reader.span(), reader.number())
    case .subscription: return unsafe events.subscribe(context, name, IsolatedTable.event, user)
    case .service:
      let services = unsafe ServicesInterface.table.pointee
      return unsafe services.serve(context, name, IsolatedTable.serve, user)
    case .check:
      let (period, timeout) = try (reader.number(UInt64.self), reader.number(UInt64.self))
      let health = unsafe HealthInterface.table.pointee
      return unsafe health.add_check(context, name, period, timeout, IsolatedTable.check, user)
    default:
      let (period, jobs) = unsafe try (
        reader.number(UInt64.self), JobsInterface.table.pointee
      )
      return unsafe jobs.every(context, name, period, IsolatedTable.round, user)
    }
  }

  private static func define(
    _ reader: inout FrameReader,
    _ context: gw_context,
    _ metric: UnsafeMutablePointer<gw_metric>
  ) throws(LinkFrame.Fault) -> gw_status {
    let form = try reader.number(Int32.self)
    let (name, help) = unsafe try (reader.span(), reader.span())
    let labels = unsafe try reader.spans(most: 64)
    let table = unsafe MetricsInterface.table.pointee
    return unsafe table.define(context, form, name, help, labels, labels.count, metric)
  }

  private static func route(
    _ reader: inout FrameReader,
    _ context: gw_context,
    _ proxy: IsolatedProxy
  ) throws(LinkFrame.Fault) -> gw_status {
    var route = unsafe gw_route_v1()
    unsafe route.method = try reader.span()
    unsafe route.pattern = try reader.span()
    unsafe route.scope = try reader.span()
    unsafe route.operation = try reader.span()
    unsafe route.flags = try reader.number()
    unsafe route.max_in_flight = try reader.number()
    unsafe route.max_body = try reader.number()
    unsafe route.timeout_ms = try reader.number()
    // Nothing of the plugin runs on a loop of this process.
    unsafe route.flags &= ~UInt32(GW_ROUTE_INLINE)
    unsafe route.user = proxy.pointer
    let hasBody = try reader.flag()
    var handler = unsafe gw_http_handler_v1(
      request: IsolatedTable.noRequest,
      body: hasBody ? IsolatedTable.noBody : nil,
      writable: nil,
      cancel: nil,
      end: nil
    )
    return unsafe HTTPInterface.table.pointee.add_route(context, &route, &handler)
  }
}
