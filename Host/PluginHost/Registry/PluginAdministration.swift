import CGatewayPlugin
import Glibc
import Synchronization
import Wire

/// The routes under `/v1/admin`: the same changes as the command line's, for holders of the scope `admin`.
///
/// They are served as a plugin's are, over the same contract, so that limits, scopes, errors and the OpenAPI document
/// hold for them without a word here.
// Sendable: `descriptor` and the tables point at constants that live as long as the process.
@safe
package final class PluginAdministration: PluginCode, @unchecked Sendable {
  /// No plugin can have it.
  package static let name = "admin"
  let id: String = PluginAdministration.name
  let version = Version.text
  let summary = "Shows and changes the plugins of the running gateway."
  let digest = ""
  let tie: String? = "it is the gateway's own"
  let descriptor = unsafe PluginAdministration.description
  private let endpoints: [AdministrationRoute]

  /// - Parameter registry: What is shown and changed.
  package init(_ registry: PluginRegistry) {
    endpoints = Action.allCases.map { AdministrationRoute($0, registry) }
  }

  func noteForeignThreads(_ names: [String]) {}
  func close(obstacle: String?) -> PluginLibrary.Closing { .retired(reason: obstacle ?? "") }

  /// Milliseconds that a change may take.
  private static let timeout: UInt64 = 300_000
  /// Requests of one of the routes at once; each change has a thread.
  private static let maxInFlight: UInt32 = 4

  fileprivate enum Action: String, CaseIterable {
    case list, show, reload, enable, disable, rescan

    var route: (method: String, pattern: String) {
      switch self {
      case .list: ("GET", "/v1/admin/plugins")
      case .show: ("GET", "/v1/admin/plugins/{name}")
      case .reload, .enable, .disable: ("POST", "/v1/admin/plugins/{name}/\(rawValue)")
      case .rescan: ("POST", "/v1/admin/rescan")
      }
    }

    var summary: String {
      switch self {
      case .list: "Lists the plugins"
      case .show: "Shows one plugin"
      case .reload:
        "Replaces a plugin by its library as it is on disk; with force=true, ends older jobs and drops state"
      case .enable: "Switches a plugin on"
      case .disable: "Switches a plugin off"
      case .rescan: "Makes everything what the plugins directory and the libraries say"
      }
    }

    /// What a reader of the API is told; the host adds the rest.
    var operation: JSON {
      var members: [JSON.Member] = [
        .init(name: "summary", value: .string(summary)),
        .init(name: "operationId", value: .string("admin_\(rawValue)")),
        .init(name: "tags", value: ["admin"]),
      ]
      var responses: [JSON.Member] = [.init(name: "200", value: ["description": "Success"])]
      switch self {
      case .list, .rescan: break
      case .show, .reload, .enable, .disable:
        responses.append(.init(name: "404", value: ["description": "There is no such plugin"]))
      }
      switch self {
      case .list, .show, .rescan: break
      case .reload, .enable, .disable:
        let text = "It could not be changed, and serves as before; details has the steps"
        responses.append(.init(name: "409", value: ["description": .string(text)]))
      }
      if self == .reload {
        let force: JSON = ["name": "force", "in": "query", "schema": ["type": "boolean"]]
        members.append(.init(name: "parameters", value: [force]))
      }
      members.append(.init(name: "responses", value: .object(responses)))
      return .object(members)
    }
  }

  // MARK: - As a plugin

  // Unchecked: constant after it is made.
  private nonisolated(unsafe) static let description = unsafe InterfaceDirectory.keep(
    gw_plugin_v1(
      struct_size: UInt32(MemoryLayout<gw_plugin_v1>.size),
      abi_major: GW_ABI_MAJOR,
      abi_minor: GW_ABI_MINOR,
      flags: 0,
      id: gw_bytes(),
      version: gw_bytes(),
      description: gw_bytes(),
      create: { host, _, _ in
        unsafe ContextTable.with(host.pointee.context, gone: GW_E_GONE) { instance in
          guard let admin = instance.library as? PluginAdministration else { return GW_E_INTERNAL }
          return admin.declareRoutes(of: instance)
        }
      },
      interface: { _, _ in nil },
      activate: { _ in GW_OK },
      quiesce: { _, _ in },
      destroy: { _ in }
    )
  )

  private func declareRoutes(of instance: PluginInstance) -> gw_status {
    for endpoint in endpoints {
      let action = endpoint.action
      let operation = action.operation
      endpoint.serve(instance.context)
      let (method, pattern) = action.route
      let status = unsafe withLent(method) { method in
        unsafe withLent(pattern) { pattern in
          unsafe withLent("admin") { scope in
            unsafe withLent(operation.bytes) { operation in
              let route = unsafe gw_route_v1(
                method: method,
                pattern: pattern,
                scope: scope,
                flags: 0,
                max_in_flight: Self.maxInFlight,
                max_body: 0,
                timeout_ms: Self.timeout,
                operation: operation,
                user: Unmanaged.passUnretained(endpoint).toOpaque()
              )
              var handler = unsafe gw_http_handler_v1(
                request: AdministrationRoute.handle,
                body: nil,
                writable: nil,
                cancel: nil,
                end: nil
              )
              return unsafe RouteDeclaration.add(route, &handler, to: instance)
            }
          }
        }
      }
      if status != GW_OK { return status }
    }
    return GW_OK
  }
}

/// One route of the administration.
private final class AdministrationRoute: Sendable {
  let action: PluginAdministration.Action
  private let place: Mutex<Place>

  private struct Place: Sendable {
    // The registry keeps the routes, so the routes must not keep it.
    weak var registry: PluginRegistry?
    var context: UInt64 = 0
  }

  init(_ action: PluginAdministration.Action, _ registry: PluginRegistry) {
    self.action = action
    place = Mutex(Place(registry: registry))
  }

  /// Answers as the instance of `context` from now on.
  func serve(_ context: UInt64) { place.withLock { $0.context = context } }

  /// What the route calls; `user` is the endpoint, which the administration keeps.
  static let handle:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<gw_request_v1>,
      UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> gw_status = { user, request, _ in
      guard let user = unsafe user else { return GW_E_ARGUMENT }
      let endpoint = unsafe Unmanaged<AdministrationRoute>.fromOpaque(user).takeUnretainedValue()
      let name =
        unsafe request.pointee.parameter_count > 0
        ? request.pointee.parameters?.pointee.value.text ?? "" : ""
      let query = unsafe request.pointee.query.text ?? ""
      return unsafe endpoint.begin(request.pointee.handle, name, query)
    }

  private func begin(_ request: gw_request, _ name: String, _ query: String) -> gw_status {
    guard let registry = place.withLock({ $0.registry }) else { return GW_E_GONE }
    switch action {
    case .list: return reply(request, "", registry.answer(["verb": "plugins"]))
    case .show:
      let plugins = registry.describe().asArray ?? []
      guard let plugin = plugins.first(where: { $0["name"]?.asString == name }) else {
        return fail(request, 404, "There is no plugin \"\(name)\".", nil)
      }
      return reply(request, "", plugin)
    case .reload where !["", "force=true", "force=false"].contains(query):
      return fail(request, 400, "The query of a reload is force=true, force=false or nothing.", nil)
    case .reload, .enable, .disable, .rescan: break
    }
    let isForced = query == "force=true"
    // A change may wait for the pool's threads, so it must not hold one.
    do throws(SystemError) {
      try HostThread(name: "admin") { [self] in change(registry, request, name, isForced) }.detach()
      return GW_PENDING
    } catch {
      return fail(request, 503, "There is no thread for the change; try again.", nil)
    }
  }

  private func change(
    _ registry: PluginRegistry,
    _ request: gw_request,
    _ name: String,
    _ isForced: Bool
  ) {
    let report: ChangeReport
    switch action {
    case .reload: report = registry.reload(name, force: isForced)
    case .enable: report = registry.enable(name)
    case .disable: report = registry.disable(name)
    case .rescan, .list, .show:
      _ = reply(request, "", ["reports": .array(registry.rescan().map(\.json))])
      return
    }
    switch report.outcome {
    case .done, .unchanged: _ = reply(request, report.message, report.json)
    case .failed where report.isUnknown:
      _ = fail(request, 404, "There is no plugin \"\(name)\".", nil)
    case .failed: _ = fail(request, 409, report.message, report.json)
    }
  }

  private func reply(_ request: gw_request, _ message: String, _ data: JSON) -> gw_status {
    let context = gw_context(v: place.withLock { $0.context })
    return unsafe withLent(message) { message in
      unsafe withLent(data.bytes) { data in
        unsafe HTTPInterface.table.pointee.reply(context, request, 200, message, data, nil, 0)
      }
    }
  }

  private func fail(
    _ request: gw_request,
    _ status: UInt16,
    _ message: String,
    _ details: JSON?
  ) -> gw_status {
    let context = gw_context(v: place.withLock { $0.context })
    return unsafe withLent(message) { message in
      unsafe withLent(details?.bytes ?? []) { details in
        unsafe HTTPInterface.table.pointee.fail(
          context,
          request,
          status,
          .empty,
          message,
          details,
          nil,
          0
        )
      }
    }
  }
}
