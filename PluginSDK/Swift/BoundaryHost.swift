internal import CGatewayPlugin
internal import Synchronization

/// The host's tables, looked up once for an instance.
///
/// The pointers are the host's and stand until `destroy` returned; `Host` outlives no instance that
/// the author does not leak. They are never written, so threads may share them.
@safe struct HostTables: @unchecked Sendable {
  let context: gw_context
  let generation: UInt32
  let core: UnsafePointer<gw_core_v1>
  let log: UnsafePointer<gw_log_v1>?
  let http: UnsafePointer<gw_http_v1>?
  let events: UnsafePointer<gw_events_v1>?
  let services: UnsafePointer<gw_services_v1>?
  let health: UnsafePointer<gw_health_v1>?
  let metrics: UnsafePointer<gw_metrics_v1>?
  let jobs: UnsafePointer<gw_jobs_v1>?

  /// Looks the tables up; `nil` when the host has no core or is of another layout.
  init?(_ host: UnsafePointer<gw_host_v1>) {
    guard unsafe host.pointee.struct_size == UInt32(MemoryLayout<gw_host_v1>.size),
      unsafe host.pointee.abi_major == GW_ABI_MAJOR
    else { return nil }
    context = unsafe host.pointee.context
    generation = unsafe host.pointee.generation
    func table<Table>(_ id: String) -> UnsafePointer<Table>? {
      let found = unsafe id.withCString { unsafe host.pointee.interface(host.pointee.context, $0) }
      return unsafe found?.assumingMemoryBound(to: Table.self)
    }
    guard let core: UnsafePointer<gw_core_v1> = unsafe table(GW_CORE_1) else { return nil }
    unsafe self.core = core
    unsafe log = table(GW_LOG_1)
    unsafe http = table(GW_HTTP_1)
    unsafe events = table(GW_EVENTS_1)
    unsafe services = table(GW_SERVICES_1)
    unsafe health = table(GW_HEALTH_1)
    unsafe metrics = table(GW_METRICS_1)
    unsafe jobs = table(GW_JOBS_1)
  }
}

/// What the gateway offers one instance.
///
/// An interface that this gateway does not have makes its functions throw
/// `HostRefusal.unsupported`; that is normal, and for the author to decide about.
public final class Host: Sendable {
  /// The `settings` of the plugin's file.
  public let settings: Settings

  /// Absolute path of this plugin's own directory, kept over generations and restarts.
  public let dataDirectory: String

  let tables: HostTables

  // What the host calls back with: owned here from registration until `destroy`.
  private let registered = Mutex<[any Registration]>([])
  private let hasEnded = Atomic<Bool>(false)

  init(tables: HostTables, settings: Settings) {
    self.tables = tables
    self.settings = settings
    dataDirectory = unsafe tables.core.pointee.data_directory(tables.context).string
  }

  /// How often this plugin was loaded in this process, from 1.
  public var generation: Int { Int(tables.generation) }

  /// The monotonic clock, from a start of its own.
  public var now: Duration {
    Duration(nanoseconds: unsafe tables.core.pointee.now(tables.context))
  }

  /// Lines for the operator.
  public var log: Log { Log(host: self, about: gw_request(v: 0)) }

  /// WebSocket topics, and events between plugins.
  public var events: Events { Events(host: self) }

  /// Calls between plugins.
  public var services: Services { Services(host: self) }

  /// Numbers for operators.
  public var metrics: Metrics { Metrics(host: self) }

  /// The host's threads.
  public var jobs: Jobs { Jobs(host: self) }

  /// False once the instance is destroyed: the tables must not be used any more.
  var isLive: Bool { !hasEnded.load(ordering: .acquiring) }

  /// Keeps `registration` until `destroy`, and gives the pointer that stands for it.
  func keep(_ registration: some Registration) -> UnsafeMutableRawPointer {
    registered.withLock { $0.append(registration) }
    return unsafe Unmanaged.passUnretained(registration).toOpaque()
  }

  /// Lets go of all closures the host could call.
  func end() {
    hasEnded.store(true, ordering: .releasing)
    // Freed outside the lock: a closure's captures may do anything when they go.
    let released = registered.withLock { all in
      let released = all
      all = []
      return released
    }
    _ = consume released
  }

  /// Tells the host why the call that is about to return failed.
  func explain(_ message: String) {
    unsafe lend(message) { unsafe tables.core.pointee.set_error(tables.context, $0) }
  }

  func complete(_ operation: gw_operation, _ status: gw_status, _ result: [UInt8]) -> gw_status {
    unsafe lend(result) {
      unsafe tables.core.pointee.complete(tables.context, operation, status, $0)
    }
  }
}

/// An object behind a `user` pointer.
protocol Registration: AnyObject, Sendable {}

/// A sentence for the log about an error of the author's; clients never get it.
func sentence(_ error: any Error) -> String {
  switch error {
  case let failure as PluginFailure: failure.description
  case let failure as Failure: failure.message
  case let refusal as HostRefusal: refusal.description
  case let error as JSONError:
    "not JSON at line \(error.line), column \(error.column): \(error.reason)"
  default: "an error of type \(type(of: error)) was not handled: \(error)"
  }
}
