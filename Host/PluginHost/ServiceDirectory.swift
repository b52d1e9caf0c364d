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

  /// Offers a service; gives the id of who offers it already, or `nil`.
  func offer(_ name: String, _ service: Service) -> String? {
    services.withLock { services in
      if let other = services[name] { return other.server.id }
      services[name] = service
      return nil
    }
  }

  func find(_ name: String) -> Service? { services.withLock { $0[name] } }

  /// Takes back all that the instance of `context` offers.
  func remove(context: UInt64) {
    services.withLock { services in
      services = services.filter { $0.value.server.context != context }
    }
  }
}
