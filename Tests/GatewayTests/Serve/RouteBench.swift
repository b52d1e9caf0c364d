import CGatewayPlugin
import Testing

@testable import Gateway

/// The instance of a real plugin, to hang routes of a test's own on.
///
/// One for all tests of a run: what a test needs of it is an id and a context.
final class RouteBench {
  let instance: PluginInstance
  private let bench: PluginBench

  init() throws {
    bench = try PluginBench(["10-answers.json": #"{"library": "answers"}"#], fixtures: ["answers"])
    _ = bench.registry.loadAll()
    instance = try #require(bench.registry.routes.first).instance
  }

  /// Unloads the plugin; call last.
  func end() throws { _ = try bench.end() }

  /// A route of the instance, served by `handler`.
  func route(
    _ method: String,
    _ pattern: String,
    _ terms: RouteTerms = RouteTerms(),
    handler: gw_http_handler_v1 = RouteBench.silent,
    user: UnsafeMutableRawPointer? = nil
  ) throws -> PluginRoute {
    PluginRoute(
      method: method,
      pattern: try PathPattern(pattern),
      declared: terms,
      handler: handler,
      user: user,
      instance: instance
    )
  }

  /// A handler that never answers.
  static var silent: gw_http_handler_v1 {
    gw_http_handler_v1(
      request: { _, _, _ in GW_PENDING },
      body: nil,
      writable: nil,
      cancel: nil,
      end: nil
    )
  }
}
