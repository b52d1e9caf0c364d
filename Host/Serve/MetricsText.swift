import Synchronization

extension Core {
  /// The Prometheus text of host and plugins.
  func renderMetrics(_ traffic: [Traffic]) -> [UInt8] {
    var text = """
      # HELP gateway_responses_total Answers by class of status.
      # TYPE gateway_responses_total counter

      """
    for (index, name) in ["1xx", "2xx", "3xx", "4xx", "5xx"].enumerated() {
      let count = traffic.reduce(0) { $0 + $1.byClass[index].count }
      text += "gateway_responses_total{class=\"\(name)\"} \(count)\n"
    }
    text += """
      # HELP gateway_connections Open client connections.
      # TYPE gateway_connections gauge
      gateway_connections \(connections.total)
      # HELP gateway_websockets Open WebSocket connections.
      # TYPE gateway_websockets gauge
      gateway_websockets \(sockets.load(ordering: .relaxed))
      # HELP gateway_pool_waiting Calls that wait for a thread of the pool.
      # TYPE gateway_pool_waiting gauge
      gateway_pool_waiting \(pool.waiting)
      # HELP gateway_tainted Whether a library was loaded in spite of its signature since the start.
      # TYPE gateway_tainted gauge
      gateway_tainted \(health.taint.plugins.isEmpty ? 0 : 1)

      """
    if let counts = counts.withLock({ $0 }) { text += Self.lines(counts) }
    text += """
      # HELP gateway_route_requests_total Requests handed to plugins.
      # TYPE gateway_route_requests_total counter

      """
    let routes = self.routes.pluginRoutes
    for route in routes {
      text += "gateway_route_requests_total{\(Self.labels(route))} "
      text += "\(route.requests.load(ordering: .relaxed))\n"
    }
    text += """
      # HELP gateway_inline_overruns_total Times an inline handler kept its loop too long.
      # TYPE gateway_inline_overruns_total counter

      """
    for route in routes where route.isInline {
      text += "gateway_inline_overruns_total{\(Self.labels(route))} "
      text += "\(route.overruns.load(ordering: .relaxed))\n"
    }
    text += """
      # HELP gateway_inline_moved Routes that were moved to the pool because they kept their loop too often.
      # TYPE gateway_inline_moved gauge

      """
    for route in routes where route.isInline {
      text += "gateway_inline_moved{\(Self.labels(route))} \(route.runsInline ? 0 : 1)\n"
    }
    var output = Array(text.utf8)
    metrics.write(to: &output)
    return output
  }

  private static func lines(_ counts: CrashCounts) -> String {
    """
    # HELP gateway_crashes_total Serving processes that ended unasked since the gateway was started.
    # TYPE gateway_crashes_total counter
    gateway_crashes_total \(counts.crashes)
    # HELP gateway_restarts_total Starts of a serving process in the place of one that had ended.
    # TYPE gateway_restarts_total counter
    gateway_restarts_total \(counts.restarts)

    """
  }

  // Patterns and ids are of a fixed alphabet without quotes and backslashes.
  private static func labels(_ route: PluginRoute) -> String {
    "plugin=\"\(route.instance.id)\",method=\"\(route.method)\",route=\"\(route.pattern.text)\""
  }
}
