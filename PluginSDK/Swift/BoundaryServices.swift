internal import CGatewayPlugin
internal import Synchronization

/// Calls between plugins, as JSON.
public struct Services: Sendable {
  let host: Host

  /// One call to a service of this plugin.
  public struct Call: Sendable, Equatable {
    /// What is wanted.
    public let method: String
    /// With what.
    public let argument: JSON
    /// On whose behalf, as the caller says; empty for the plugin itself.
    public let subject: String
    /// The plugin that calls.
    public let caller: String
  }

  /// What ends a call.
  public typealias Completion = @Sendable (Result<JSON, HostRefusal>) -> Void

  /// Whether this gateway has services.
  public var isAvailable: Bool { unsafe host.tables.services != nil }

  /// Offers a service.
  ///
  /// In `init` only.
  ///
  /// - Parameters:
  ///   - name: `[a-z][a-z0-9_.]{0,63}`; one server a name.
  ///   - serve: Runs on a worker. A thrown `HostRefusal` reaches the caller; any other error is
  ///     logged, and the caller learns only that the call failed.
  /// - Throws: What the gateway refused.
  public func serve(
    _ name: String,
    _ serve: @escaping @Sendable (Call) throws -> JSON
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let user = unsafe host.keep(Server(host: host, serve: serve))
    let status = unsafe lend(name) {
      unsafe table.pointee.serve(host.tables.context, $0, serveCall, user)
    }
    try HostRefusal.check(status, GW_SERVICES_1)
  }

  /// Calls another plugin's service; from any thread.
  ///
  /// - Parameters:
  ///   - service: Its name.
  ///   - method: What is wanted.
  ///   - argument: With what.
  ///   - subject: On whose behalf; empty for this plugin.
  ///   - timeout: Then `HostRefusal.timeout`.
  ///   - completion: Runs once, on a worker, unless this throws.
  /// - Throws: `HostRefusal.notFound` when nobody serves it.
  public func call(
    _ service: String,
    _ method: String,
    _ argument: JSON,
    subject: String = "",
    timeout: Duration = .seconds(10),
    completion: @escaping Completion
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let box = unsafe Unmanaged.passRetained(PendingCall(completion))
    let status = unsafe lend(service) { service in
      unsafe lend(method) { method in
        unsafe lend(argument) { argument in
          unsafe lend(subject) { subject in
            var call = unsafe gw_call_v1(
              method: method,
              argument: argument,
              subject: subject,
              caller: .none
            )
            return unsafe table.pointee.call(
              host.tables.context,
              service,
              &call,
              timeout.milliseconds,
              callEnded,
              box.toOpaque()
            )
          }
        }
      }
    }
    if status < 0 { unsafe box.release() }
    try HostRefusal.check(status, GW_SERVICES_1)
  }

  /// Calls another plugin's service and waits; only on a worker or in a job.
  ///
  /// - Parameters:
  ///   - service: Its name.
  ///   - method: What is wanted.
  ///   - argument: With what.
  ///   - subject: On whose behalf; empty for this plugin.
  ///   - timeout: Then `HostRefusal.timeout`.
  /// - Returns: The result.
  /// - Throws: What ended the call.
  public func call(
    _ service: String,
    _ method: String,
    _ argument: JSON,
    subject: String = "",
    timeout: Duration = .seconds(10)
  ) throws(HostRefusal) -> JSON {
    let waiter = Waiter()
    try call(service, method, argument, subject: subject, timeout: timeout) {
      waiter.settle($0)
    }
    return try waiter.result(atMost: timeout)
  }

  private func table() throws(HostRefusal) -> UnsafePointer<gw_services_v1> {
    guard host.isLive, let table = unsafe host.tables.services else {
      throw .unsupported(GW_SERVICES_1)
    }
    return unsafe table
  }
}

private final class Server: Registration {
  let host: Host
  let serve: @Sendable (Services.Call) throws -> JSON

  init(host: Host, serve: @escaping @Sendable (Services.Call) throws -> JSON) {
    self.host = host
    self.serve = serve
  }
}

private final class PendingCall: Sendable {
  let completion: Services.Completion
  init(_ completion: @escaping Services.Completion) { self.completion = completion }
}

/// The end of one call, for the thread that waits for it.
private final class Waiter: Sendable {
  private let gate = Gate()
  private let outcome = Mutex<Result<JSON, HostRefusal>?>(nil)

  func settle(_ result: Result<JSON, HostRefusal>) {
    outcome.withLock { $0 = result }
    gate.open()
  }

  func result(atMost timeout: Duration) throws(HostRefusal) -> JSON {
    // The end itself needs a worker. When all of them wait here, only this limit frees them.
    guard gate.wait(atMost: timeout + .seconds(1)), let result = outcome.withLock({ $0 }) else {
      throw .timeout
    }
    return try result.get()
  }
}

private func serveCall(
  user: UnsafeMutableRawPointer?,
  call: UnsafePointer<gw_call_v1>,
  answer: gw_operation
) {
  guard let user = unsafe user else { return }
  let server = unsafe Unmanaged<Server>.fromOpaque(user).takeUnretainedValue()
  var status = GW_OK
  var result: [UInt8] = []
  do {
    let call = try unsafe Services.Call(
      method: call.pointee.method.string,
      argument: call.pointee.argument.count == 0 ? .null : JSON.parse(call.pointee.argument.array),
      subject: call.pointee.subject.string,
      caller: call.pointee.caller.string
    )
    result = try server.serve(call).bytes
  } catch let refusal as HostRefusal {
    status = refusal.status
  } catch {
    server.host.log.error("A service call failed.", ["why": sentence(error)])
    status = GW_E_INTERNAL
  }
  // Refused only when the caller no longer waits.
  _ = server.host.complete(answer, status, result)
}

private func callEnded(user: UnsafeMutableRawPointer?, status: gw_status, result: gw_bytes) {
  guard let user = unsafe user else { return }
  let pending = unsafe Unmanaged<PendingCall>.fromOpaque(user).takeRetainedValue()
  do throws(HostRefusal) {
    try HostRefusal.check(status, GW_SERVICES_1)
    if unsafe result.count == 0 { return pending.completion(.success(.null)) }
    // A result that is not JSON breaks the convention; the caller can do nothing with it.
    guard let json = try? unsafe JSON.parse(result.array) else { throw .failed(GW_E_INTERNAL) }
    pending.completion(.success(json))
  } catch {
    pending.completion(.failure(error))
  }
}

extension HostRefusal {
  var status: gw_status {
    switch self {
    case .gone: GW_E_GONE
    case .argument: GW_E_ARGUMENT
    case .state: GW_E_STATE
    case .denied: GW_E_DENIED
    case .unsupported: GW_E_UNSUPPORTED
    case .limit: GW_E_LIMIT
    case .timeout: GW_E_TIMEOUT
    case .busy: GW_E_BUSY
    case .notFound: GW_E_NOT_FOUND
    case .failed(let status): status < 0 ? status : GW_E_INTERNAL
    }
  }
}
