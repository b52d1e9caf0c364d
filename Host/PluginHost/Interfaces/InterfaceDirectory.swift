import CGatewayPlugin
import Glibc

/// The host's tables by their ids.
enum InterfaceDirectory {
  /// What `gw_host_v1.interface` calls.
  static let find: @convention(c) (gw_context, UnsafePointer<CChar>) -> UnsafeRawPointer? = {
    context,
    id in
    unsafe ContextTable.with(context, gone: nil) { instance in
      // Ids are short; whoever passes something else gets no table.
      let length = unsafe strnlen(id, 64)
      let name = unsafe String(
        decoding: UnsafeRawBufferPointer(start: id, count: length),
        as: UTF8.self
      )
      guard let table = unsafe table(name) else {
        instance.log(.debug, "asked for an interface this host does not have", [("id", name)])
        return nil
      }
      return unsafe table
    }
  }

  private static func table(_ id: String) -> UnsafeRawPointer? {
    switch id {
    case GW_CORE_1: unsafe UnsafeRawPointer(CoreInterface.table)
    case GW_LOG_1: unsafe UnsafeRawPointer(LogInterface.table)
    case GW_HTTP_1: unsafe UnsafeRawPointer(HTTPInterface.table)
    case GW_EVENTS_1: unsafe UnsafeRawPointer(EventsInterface.table)
    case GW_SERVICES_1: unsafe UnsafeRawPointer(ServicesInterface.table)
    case GW_HEALTH_1: unsafe UnsafeRawPointer(HealthInterface.table)
    case GW_METRICS_1: unsafe UnsafeRawPointer(MetricsInterface.table)
    case GW_JOBS_1: unsafe UnsafeRawPointer(JobsInterface.table)
    default: nil
    }
  }

  /// A table that lives as long as the process.
  static func keep<Table>(_ table: Table) -> UnsafePointer<Table> {
    let kept = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    unsafe kept.initialize(to: table)
    return unsafe UnsafePointer(kept)
  }
}
