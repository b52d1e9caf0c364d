import CGatewayPlugin
import Synchronization

/// What the gateway has the plugin do besides requests.
extension Guest {
  func owe(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    switch frame.kind {
    case .event: try event(frame)
    case .serve: try serve(frame)
    case .called: try called(frame)
    case .check: try check(frame)
    default: try round(frame)
    }
  }

  private func event(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (index, topic, subject, payload) = try frame.read { (reader) throws(LinkFrame.Fault) in
      try (reader.number(UInt32.self), reader.array(), reader.array(), reader.array())
    }
    guard let callback = unsafe desk.declared(index)?.event else { return }
    events.add(to: index) { [link, instance] in
      defer { link.send(.delivered) { $0.add(index) } }
      guard instance.occupancy.enter(.event) else { return }
      defer { instance.occupancy.leave(.event) }
      unsafe withLent(topic) { topic in
        unsafe withLent(subject) { subject in
          unsafe withLent(payload) { payload in
            unsafe callback.function(callback.user, topic, subject, payload)
          }
        }
      }
    }
  }

  private func serve(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (index, number) = try frame.read { (reader) throws(LinkFrame.Fault) in
      let pair = try (reader.number(UInt32.self), reader.number(UInt64.self))
      reader.skip()
      return pair
    }
    let answer = host.operations.open(owner: instance.context, kind: .completion) {
      [desk]
      status,
      result in
      desk.complete(.complete, number, status, result)
    }
    guard let callback = unsafe desk.declared(index)?.serve, let answer else {
      return desk.complete(.complete, number, GW_E_LIMIT, [])
    }
    let taken = host.calls.submit { [instance] in
      guard instance.occupancy.enter(.call) else {
        instance.host.operations.revoke(answer, status: GW_E_GONE)
        return
      }
      defer { instance.occupancy.leave(.call) }
      try? frame.read { (reader) throws(LinkFrame.Fault) in
        _ = try (reader.number(UInt32.self), reader.number(UInt64.self))
        var call = unsafe gw_call_v1()
        unsafe call.method = try reader.span()
        unsafe call.argument = try reader.span()
        unsafe call.subject = try reader.span()
        unsafe call.caller = try reader.span()
        unsafe callback.function(callback.user, &call, answer)
      }
    }
    if !taken { host.operations.revoke(answer, status: GW_E_BUSY) }
  }

  private func called(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (token, status, result) = try frame.read { (reader) throws(LinkFrame.Fault) in
      try (reader.number(UInt64.self), reader.number(gw_status.self), reader.array())
    }
    guard let callback = unsafe desk.state.withLock({ unsafe $0.calls.removeValue(forKey: token) })
    else {
      return
    }
    host.calls.submitOwed { [instance] in
      unsafe withLent(result) { unsafe callback.function(callback.user, status, $0) }
      instance.occupancy.leave(.call)
    }
  }

  private func check(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (index, number) = try frame.read { (reader) throws(LinkFrame.Fault) in
      try (reader.number(UInt32.self), reader.number(UInt64.self))
    }
    guard let callback = unsafe desk.declared(index)?.check,
      let answer = host.operations.open(
        owner: instance.context,
        kind: .report,
        { [desk] state, detail in desk.complete(.report, number, state, detail) }
      )
    else { return }
    let taken = host.checks.submit { [instance] in
      guard instance.occupancy.enter(.check) else { return }
      defer { instance.occupancy.leave(.check) }
      unsafe callback.function(callback.user, answer)
    }
    if !taken { host.operations.revoke(answer, status: GW_DEGRADED) }
  }

  private func round(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let index = try frame.read { (reader) throws(LinkFrame.Fault) in
      try reader.number(UInt32.self)
    }
    guard let declaration = desk.declared(index), let callback = unsafe declaration.repeated,
      !declaration.isBusy.value.exchange(true, ordering: .acquiringAndReleasing)
    else { return }
    let taken = host.pool.submit { [instance] in
      defer { declaration.isBusy.value.store(false, ordering: .releasing) }
      guard instance.occupancy.enter(.repeated) else { return }
      defer { instance.occupancy.leave(.repeated) }
      guard let job = instance.jobs.begin(declaration.name, hasThread: false) else { return }
      unsafe callback.function(callback.user, job)
      instance.jobs.end(job)
    }
    if !taken { declaration.isBusy.value.store(false, ordering: .releasing) }
  }
}

/// Events that wait, each subscription's one after the other.
final class GuestEvents: Sendable {
  private struct State {
    var waiting: [UInt32: [@Sendable () -> Void]] = [:]
    var running: Set<UInt32> = []
  }

  private let pool: WorkerPool
  private let state = Mutex(State())

  init(pool: WorkerPool) { self.pool = pool }

  func add(to index: UInt32, _ deliver: @escaping @Sendable () -> Void) {
    let starts = state.withLock { state in
      state.waiting[index, default: []].append(deliver)
      return state.running.insert(index).inserted
    }
    if starts { pool.submitOwed { self.run(index) } }
  }

  private func run(_ index: UInt32) {
    while true {
      let batch = state.withLock { state in
        let batch = state.waiting.removeValue(forKey: index) ?? []
        if batch.isEmpty { state.running.remove(index) }
        return batch
      }
      if batch.isEmpty { return }
      for deliver in batch { deliver() }
    }
  }
}
