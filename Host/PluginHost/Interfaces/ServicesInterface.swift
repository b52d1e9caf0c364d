import CGatewayPlugin
import Synchronization

/// `gw.services/1`.
enum ServicesInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_services_v1(
      serve: { context, name, serve, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let name = unsafe name.text, Names.isDotted(name) else { return GW_E_ARGUMENT }
          let service = unsafe ServiceDirectory.Service(
            server: instance,
            serve: unsafe Callback(serve, user: user, site: instance.site("service \(name)"))
          )
          return instance.declare { declared in
            guard declared.services.count < maxServices else { return GW_E_LIMIT }
            guard instance.claim(.service(name), "service \(name)") else { return GW_E_ARGUMENT }
            declared.services[name] = service
            return GW_OK
          }
        }
      },
      call: { context, name, call, timeout, called, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let name = unsafe name.text else { return GW_E_ARGUMENT }
          guard let service = instance.host.directory.find(name), service.server.phase == .active
          else { return GW_E_NOT_FOUND }
          guard let copy = unsafe ServiceCall(copying: call.pointee, caller: instance.id) else {
            return GW_E_ARGUMENT
          }
          return unsafe ServiceCall.begin(
            copy,
            service,
            from: instance,
            timeout: timeout,
            Callback(called, user: user, site: instance.site)
          )
        }
      }
    )
  )

  /// Services of one plugin.
  private static let maxServices = 256
}

/// One call of one plugin's service by another, copied.
struct ServiceCall: Sendable {
  /// Bytes of method and subject.
  private static let nameBytes = 256
  /// Bytes of argument and result.
  static let maxBytes = 16 * 1024 * 1024
  /// Time of a call that names none, and the most a call can have.
  private static let defaultTimeout: UInt64 = 30_000
  private static let maxTimeout: UInt64 = 600_000

  private let method: [UInt8]
  private let argument: [UInt8]
  private let subject: [UInt8]
  private let caller: String

  init?(copying call: gw_call_v1, caller: String) {
    guard unsafe !call.method.isMalformed, unsafe !call.argument.isMalformed,
      unsafe !call.subject.isMalformed, unsafe call.method.count <= Self.nameBytes,
      unsafe call.subject.count <= Self.nameBytes, unsafe call.argument.count <= Self.maxBytes
    else { return nil }
    method = unsafe call.method.copied
    argument = unsafe call.argument.copied
    subject = unsafe call.subject.copied
    self.caller = caller
  }

  /// Starts the call.
  ///
  /// When the status is below 0, `called` does not come; otherwise it comes once.
  static func begin(
    _ call: ServiceCall,
    _ service: ServiceDirectory.Service,
    from caller: PluginInstance,
    timeout: UInt64,
    _ called: Callback<gw_called_fn>
  ) -> gw_status {
    guard caller.occupancy.enter(.call) else { return GW_E_STATE }
    let host = caller.host
    let ticket = Mutex<TimerThread.Ticket?>(nil)
    let pending = unsafe Pending(ticket: ticket, caller: caller, called: called)
    let answer = host.operations.open(owner: service.server.context, kind: .completion) {
      status,
      result in
      pending.finish(status, result)
    }
    guard let answer else {
      caller.occupancy.leave(.call)
      return GW_E_LIMIT
    }
    pending.begin(answer)
    guard host.calls.submit({ call.serve(service, answer) }) else {
      pending.isDropped.store(true, ordering: .sequentiallyConsistent)
      host.operations.revoke(answer, status: GW_E_BUSY)
      return GW_E_BUSY
    }
    let limit = timeout == 0 ? defaultTimeout : min(timeout, maxTimeout)
    pending.expire(answer, at: MonotonicClock.now + Int64(limit) * 1_000_000)
    return GW_OK
  }

  private func serve(_ service: ServiceDirectory.Service, _ answer: gw_operation) {
    let server = service.server
    guard server.occupancy.enter(.call) else {
      server.host.operations.revoke(answer, status: GW_E_GONE)
      return
    }
    defer { server.occupancy.leave(.call) }
    unsafe withLent(method) { method in
      unsafe withLent(argument) { argument in
        unsafe withLent(subject) { subject in
          unsafe withLent(caller) { caller in
            var call = unsafe gw_call_v1(
              method: method,
              argument: argument,
              subject: subject,
              caller: caller
            )
            unsafe service.serve.within(.serve) {
              unsafe service.serve.function(service.serve.user, &call, answer)
            }
          }
        }
      }
    }
  }
}

/// A call that waits for its answer.
@safe
private final class Pending: Sendable {
  let isDropped = Atomic<Bool>(false)
  private let ticket: Mutex<TimerThread.Ticket?>
  private let operation = Atomic<UInt64>(0)
  private let caller: PluginInstance
  private let called: Callback<gw_called_fn>

  init(
    ticket: consuming Mutex<TimerThread.Ticket?>,
    caller: PluginInstance,
    called: Callback<gw_called_fn>
  ) {
    self.ticket = ticket
    self.caller = caller
    unsafe self.called = unsafe called
  }

  func begin(_ answer: gw_operation) {
    operation.store(answer.v, ordering: .sequentiallyConsistent)
    caller.declared.withLock { _ = $0.calls.insert(answer.v) }
  }

  func expire(_ answer: gw_operation, at due: Int64) {
    let operations = caller.host.operations
    ticket.withLock { ticket in
      ticket = caller.host.timers.schedule(at: due) {
        operations.revoke(answer, status: GW_E_TIMEOUT)
      }
    }
  }

  /// Tells the caller on a worker; comes once, from whoever took the operation.
  func finish(_ status: gw_status, _ result: [UInt8]) {
    caller.declared.withLock { declared in
      _ = declared.calls.remove(operation.load(ordering: .sequentiallyConsistent))
    }
    if let ticket = ticket.withLock({ $0 }) { caller.host.timers.cancel(ticket) }
    guard !isDropped.load(ordering: .sequentiallyConsistent) else {
      caller.occupancy.leave(.call)
      return
    }
    caller.host.calls.submitOwed { [self] in
      unsafe withLent(result) { result in
        unsafe called.within(.called) { unsafe called.function(called.user, status, result) }
      }
      caller.occupancy.leave(.call)
    }
  }
}
