import CGatewayPlugin
import Synchronization

/// The services that plugins offer to each other.
final class ServiceDirectory: Sendable {
  @safe
  struct Service: Sendable {
    let server: PluginInstance
    let serve: Callback<gw_serve_fn>
  }

  private let services = Mutex<[String: Service]>([:])

  func find(_ name: String) -> Service? { services.withLock { $0[name] } }

  /// Has these answer for `plugin`, and nothing else of it.
  func expose(_ offered: [String: Service], of plugin: String) {
    services.withLock { services in
      services = services.filter { $0.value.server.id != plugin }
      services.merge(offered) { _, new in new }
    }
  }

  /// Takes back what the generation of `context` offers.
  func remove(context: UInt64) {
    services.withLock { services in
      services = services.filter { $0.value.server.context != context }
    }
  }
}
