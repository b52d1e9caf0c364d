import CGatewayPlugin
import Synchronization

/// One request at the plugin, in the plugin's process.
// Sendable: `state` is touched by the loop's thread alone; the rest is constant.
@safe
final class GuestCall: @unchecked Sendable {
  /// What the plugin answers: a gate of this process.
  let handle: UInt64
  let route: PluginRoute
  /// The steps on the pool; `nil` on an inline route.
  let steps: PluginCall?
  fileprivate var state: UnsafeMutableRawPointer?

  init(handle: UInt64, route: PluginRoute, steps: PluginCall?) {
    self.handle = handle
    self.route = route
    self.steps = steps
  }

  fileprivate func runInline(_ frame: LinkFrame) throws(LinkFrame.Fault) -> gw_status {
    unsafe try RequestFrame.read(frame, handle: handle) { request in
      unsafe route.handler.request(route.user, request, &state)
    }
  }

  fileprivate func tellRoom() {
    if let steps { return steps.tellRoom() }
    unsafe route.handler.writable?(route.user, state, gw_request(v: handle))
  }

  fileprivate func cancel(_ reason: CancelReason, hasStarted: Bool) {
    if let steps { return steps.cancel(reason, hasStarted: hasStarted) }
    unsafe route.handler.cancel?(route.user, state, gw_request(v: handle), reason.rawValue)
  }

  fileprivate func end(on pool: WorkerPool) {
    if let steps { return steps.add(.end, on: pool) }
    unsafe route.handler.end?(route.user, state, gw_request(v: handle))
    route.inFlight.subtract(1, ordering: .releasing)
  }
}

/// The bytes of a request that came over the link.
private struct GuestImage: RequestSource {
  let frame: LinkFrame

  func withRequest<Result>(
    handle: UInt64,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    do {
      return unsafe try RequestFrame.read(frame, handle: handle, use)
    } catch {
      // Read once already, when it came.
      preconditionFailure("a request cannot be read twice")
    }
  }
}

extension Guest {
  /// Begins a request.
  func begin(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (number, index) = try frame.read { (reader) throws(LinkFrame.Fault) in
      let pair = try (reader.number(UInt64.self), reader.number(UInt32.self))
      reader.skip()
      return pair
    }
    guard let route = desk.declared(index)?.route,
      let handle = desk.gates.open(owner: instance.context)
    else { return link.send(.refused) { $0.add(number) } }
    desk.know(handle, as: number)
    route.inFlight.add(1, ordering: .relaxed)
    if route.isInline, !route.isStreaming {
      let call = GuestCall(handle: handle, route: route, steps: nil)
      calls[number] = call
      let status = try call.runInline(frame)
      desk.returned(handle, status, error: status < 0 ? instance.takeError() : nil)
      return
    }
    unsafe try RequestFrame.read(frame, handle: handle) { _ in }
    let steps = PluginCall(route: route, handle: handle, image: GuestImage(frame: frame)) {
      [desk] report in
      switch report {
      case .returned(let status, let error): desk.returned(handle, status, error: error)
      case .consumed(let count, let status, let error):
        desk.consumed(handle, count, status, error: error)
      }
    }
    guard steps.begin(on: host.pool) else {
      route.inFlight.subtract(1, ordering: .relaxed)
      desk.gates.close(handle)
      desk.forget(handle)
      return link.send(.refused) { $0.add(number) }
    }
    calls[number] = GuestCall(handle: handle, route: route, steps: steps)
  }

  /// What follows a request; of one that has ended nothing is left to do.
  func go(on frame: LinkFrame) throws(LinkFrame.Fault) {
    try frame.read { (reader) throws(LinkFrame.Fault) in
      let number = try reader.number(UInt64.self)
      let call = calls[number]
      switch frame.kind {
      case .body:
        let (isLast, bytes) = try (reader.flag(), reader.array())
        call?.steps?.add(.body(bytes, isLast: isLast), on: host.pool)
      case .cancel:
        guard let reason = try CancelReason(rawValue: reader.number()) else {
          throw .badValue
        }
        guard let call else { return }
        call.cancel(reason, hasStarted: desk.gates.revoke(call.handle))
      case .taken:
        let count = try reader.count(most: .max)
        guard let call else { return }
        let mark = host.limits.streamBytes
        if desk.gates.release(count, of: call.handle, mark: mark) { call.tellRoom() }
      default:
        guard let call else { return }
        calls[number] = nil
        desk.gates.close(call.handle)
        desk.forget(call.handle)
        call.end(on: host.pool)
      }
    }
  }
}
