public import CGatewayPlugin
internal import Synchronization

/// What `gw_plugin_entry` gives the host.
public typealias PluginDescriptor = UnsafePointer<gw_plugin_v1>

extension Plugin {
  /// What this library is: the same static answer each time.
  ///
  /// - Parameters:
  ///   - major: The host's version of the contract.
  ///   - minor: Of the same; every minor version fits, as what is missing in it is asked for by id.
  /// - Returns: The descriptor; `nil` when this build cannot serve that host.
  public static func descriptor(_ major: UInt32, _ minor: UInt32) -> PluginDescriptor? {
    guard major == GW_ABI_MAJOR else { return nil }
    return unsafe Library.describe(Self.self)
  }
}

/// The plugin types of this image.
///
/// A library has one; a test bundle links several, at most 8.
///
/// `create` is told nothing that says which type is meant, so each type has a function of its own.
// Sendable: the memory behind the pointers is written before they are stored here, and never again.
@safe private struct Library: @unchecked Sendable {
  let type: any Plugin.Type
  let descriptor: PluginDescriptor
  let stateTable: UnsafePointer<gw_plugin_state_v1>?

  // Never freed: the contract wants it valid while the library is mapped.
  static let all = Mutex<[Library]>([])

  static func describe(_ type: any Plugin.Type) -> PluginDescriptor? {
    unsafe all.withLock { all in
      if let known = all.first(where: { $0.type == type }) { return unsafe known.descriptor }
      guard let create = unsafe creator(all.count) else { return nil }
      let identity = type.identity
      let table = UnsafeMutablePointer<gw_plugin_v1>.allocate(capacity: 1)
      unsafe table.initialize(
        to: gw_plugin_v1(
          struct_size: UInt32(MemoryLayout<gw_plugin_v1>.size),
          abi_major: GW_ABI_MAJOR,
          abi_minor: GW_ABI_MINOR,
          flags: 0,
          id: lasting(identity.id),
          version: lasting(identity.version),
          description: lasting(identity.description),
          create: create,
          interface: interface,
          activate: activate,
          quiesce: quiesce,
          destroy: destroy
        )
      )
      let state = unsafe (type as? any StateKeeping.Type).map { unsafe stateTable($0.stateSchema) }
      unsafe all.append(Library(type: type, descriptor: PluginDescriptor(table), stateTable: state))
      return unsafe PluginDescriptor(table)
    }
  }

  private static func stateTable(_ schema: StateSchema) -> UnsafePointer<gw_plugin_state_v1> {
    let table = UnsafeMutablePointer<gw_plugin_state_v1>.allocate(capacity: 1)
    unsafe table.initialize(
      to: gw_plugin_state_v1(
        schema: lasting(schema.name),
        writes: schema.writes,
        reads_from: schema.reads.lowerBound,
        reads_to: schema.reads.upperBound,
        snapshot: snapshot,
        restore: restore
      )
    )
    return unsafe UnsafePointer(table)
  }

  private static func lasting(_ text: String) -> gw_bytes {
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
    _ = unsafe copy.initialize(from: text.utf8)
    return unsafe gw_bytes(start: UnsafePointer(copy.baseAddress), count: copy.count)
  }
}

/// One instance, as the host holds it.
private final class Instance: Sendable {
  let plugin: any Plugin
  let host: Host
  let slot: Int

  init(plugin: any Plugin, host: Host, slot: Int) {
    self.plugin = plugin
    self.host = host
    self.slot = slot
  }

  static func from(_ pointer: UnsafeMutableRawPointer?) -> Instance? {
    unsafe pointer.map { unsafe Unmanaged<Instance>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Runs a step that may fail; what it throws becomes the host's sentence.
  func attempt(_ step: () throws -> Void) -> gw_status {
    do {
      try step()
      return GW_OK
    } catch {
      host.explain(sentence(error))
      return GW_E_INTERNAL
    }
  }
}

/// A refusal that the host has already explained itself.
private struct Explained: Error {
  let status: gw_status
}

private typealias Create =
  @convention(c) (
    UnsafePointer<gw_host_v1>, gw_bytes, UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> gw_status

private func creator(_ slot: Int) -> Create? {
  switch slot {
  case 0: { unsafe create(0, $0, $1, $2) }
  case 1: { unsafe create(1, $0, $1, $2) }
  case 2: { unsafe create(2, $0, $1, $2) }
  case 3: { unsafe create(3, $0, $1, $2) }
  case 4: { unsafe create(4, $0, $1, $2) }
  case 5: { unsafe create(5, $0, $1, $2) }
  case 6: { unsafe create(6, $0, $1, $2) }
  case 7: { unsafe create(7, $0, $1, $2) }
  default: nil
  }
}

private func create(
  _ slot: Int,
  _ raw: UnsafePointer<gw_host_v1>,
  _ settings: gw_bytes,
  _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> gw_status {
  guard let tables = unsafe HostTables(raw) else { return GW_E_UNSUPPORTED }
  let text = unsafe settings.array
  let type = Library.all.withLock { $0[slot].type }
  let json = Result { text.isEmpty ? .object([]) : try JSON.parse(text) }
  let host = Host(tables: tables, settings: Settings(json: (try? json.get()) ?? .null))
  do {
    _ = try json.get()
    let plugin = try type.init(host: host)
    try declare(plugin, type.identity, host)
    let instance = Instance(plugin: plugin, host: host, slot: slot)
    unsafe out.pointee = Unmanaged.passRetained(instance).toOpaque()
    return GW_OK
  } catch {
    // `self` was not set, so no `destroy` follows: everything goes here.
    defer { host.end() }
    if let explained = error as? Explained { return explained.status }
    host.explain(sentence(error))
    return GW_E_INTERNAL
  }
}

private func declare(_ plugin: any Plugin, _ identity: PluginIdentity, _ host: Host) throws {
  let routes = plugin.routes
  if !routes.isEmpty, unsafe host.tables.http == nil {
    throw PluginFailure("The plugin serves routes, and this gateway does not offer \(GW_HTTP_1).")
  }
  for route in routes { try add(route, identity, host) }
  for check in plugin.checks { try add(check, host) }
}

private func add(_ route: Route, _ identity: PluginIdentity, _ host: Host) throws {
  guard let http = unsafe host.tables.http else { return }
  let user = unsafe host.keep(Endpoint(route, host: host))
  var handler = Endpoint.handler
  var flags: UInt32 = 0
  if route.place == .inline { flags |= GW_ROUTE_INLINE }
  if route.scope == .anyone { flags |= GW_ROUTE_PUBLIC }
  if case .upload = route.action { flags |= GW_ROUTE_STREAM } else { unsafe handler.body = nil }
  let status = unsafe lend(route.method) { method in
    unsafe lend(route.pattern) { pattern in
      unsafe lend(route.scope.name) { scope in
        unsafe lend(route.operation(plugin: identity.id)) { operation in
          var raw = unsafe gw_route_v1(
            method: method,
            pattern: pattern,
            scope: scope,
            flags: flags,
            max_in_flight: UInt32(clamping: route.limits.maxInFlight ?? 0),
            max_body: UInt64(clamping: route.limits.maxBody ?? 0),
            timeout_ms: route.limits.timeout?.milliseconds ?? 0,
            operation: operation,
            user: user
          )
          return unsafe http.pointee.add_route(host.tables.context, &raw, &handler)
        }
      }
    }
  }
  if status < 0 { throw Explained(status: status) }
}

private func interface(
  _ this: UnsafeMutableRawPointer?,
  _ id: UnsafePointer<CChar>
) -> UnsafeRawPointer? {
  guard let instance = unsafe Instance.from(this) else { return nil }
  switch unsafe String(cString: id) {
  case GW_PLUGIN_STATE_1:
    return unsafe UnsafeRawPointer(Library.all.withLock { unsafe $0[instance.slot].stateTable })
  case GW_PLUGIN_JOBS_1 where instance.plugin is any JobMoving: return unsafe UnsafeRawPointer(jobs)
  case GW_PLUGIN_SELFTEST_1 where instance.plugin is any SelfTesting:
    return unsafe UnsafeRawPointer(selfTests)
  default: return nil
  }
}

// Unchecked: constant after they are made, and valid while the library is mapped.
private nonisolated(unsafe) let jobs = {
  let table = UnsafeMutablePointer<gw_plugin_jobs_v1>.allocate(capacity: 1)
  unsafe table.initialize(to: gw_plugin_jobs_v1(resume: resume))
  return unsafe UnsafePointer(table)
}()

private nonisolated(unsafe) let selfTests = {
  let table = UnsafeMutablePointer<gw_plugin_selftest_v1>.allocate(capacity: 1)
  unsafe table.initialize(to: gw_plugin_selftest_v1(run: selfTest))
  return unsafe UnsafePointer(table)
}()

private func resume(_ this: UnsafeMutableRawPointer?) {
  guard let instance = unsafe Instance.from(this) else { return }
  (instance.plugin as? any JobMoving)?.resumeJobs()
}

private func selfTest(_ this: UnsafeMutableRawPointer?) -> gw_status {
  guard let instance = unsafe Instance.from(this),
    let plugin = instance.plugin as? any SelfTesting
  else { return GW_E_ARGUMENT }
  return instance.attempt { try plugin.selfTest() }
}

private func activate(_ this: UnsafeMutableRawPointer?) -> gw_status {
  guard let instance = unsafe Instance.from(this) else { return GW_E_ARGUMENT }
  return instance.attempt { try instance.plugin.activate() }
}

private func quiesce(_ this: UnsafeMutableRawPointer?, _ done: gw_operation) {
  guard let instance = unsafe Instance.from(this) else { return }
  instance.plugin.quiesce()
  // Refused only when the host no longer waits.
  _ = instance.host.complete(done, GW_OK, [])
}

private func destroy(_ this: UnsafeMutableRawPointer?) {
  guard let this = unsafe this else { return }
  let instance = unsafe Unmanaged<Instance>.fromOpaque(this).takeRetainedValue()
  instance.host.end()
}

private func snapshot(
  _ this: UnsafeMutableRawPointer?,
  _ sink: UnsafeMutableRawPointer?,
  _ write: @convention(c) (UnsafeMutableRawPointer?, gw_bytes) -> gw_status
) -> gw_status {
  guard let instance = unsafe Instance.from(this),
    let plugin = instance.plugin as? any StateKeeping
  else { return GW_E_ARGUMENT }
  var state: [UInt8] = []
  let status = instance.attempt { state = try plugin.snapshot() }
  if status < 0 { return status }
  return unsafe lend(state) { unsafe write(sink, $0) }
}

private func restore(
  _ this: UnsafeMutableRawPointer?,
  _ schema: UInt32,
  _ state: gw_bytes
) -> gw_status {
  guard let instance = unsafe Instance.from(this),
    let plugin = instance.plugin as? any StateKeeping
  else { return GW_E_ARGUMENT }
  guard type(of: plugin).stateSchema.reads.contains(schema) else { return GW_E_SCHEMA }
  let bytes = unsafe state.array
  return instance.attempt { try plugin.restore(bytes, schema: Int(schema)) }
}
