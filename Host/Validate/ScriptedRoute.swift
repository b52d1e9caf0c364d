import CGatewayPlugin

/// One route as the plugin declared it.
// Sendable although it holds pointers: constant, and passed back to the plugin's functions only.
@safe
struct ScriptedRoute: @unchecked Sendable {
  let method: String
  let pattern: PathPattern
  let terms: RouteTerms
  let handler: gw_http_handler_v1
  let user: UnsafeMutableRawPointer?

  /// Method and pattern, as they are shown to people.
  var name: String { "\(method) \(pattern.text)" }

  /// Names of its parameters, in order.
  var parameters: [String] {
    pattern.segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
  }

  /// Bytes of the largest body it takes.
  var maxBody: UInt64 { terms.maxBody == 0 ? UInt64(Limits().bodyBytes) : terms.maxBody }
}
