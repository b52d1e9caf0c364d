import CGatewayPlugin
import Synchronization

/// What goes to the plugin's process besides requests, and what it is owed.
extension IsolatedPlugin {
  /// The process, if it serves.
  private var serving: IsolatedProcess? { state.withLock { $0.isServing ? $0.process : nil } }

  func deliver(
    _ proxy: IsolatedProxy,
    _ topic: gw_bytes,
    _ subject: gw_bytes,
    _ payload: gw_bytes
  ) {
    // What is published while there is no process is not kept, as before activate.
    guard let process = serving else { return }
    proxy.behind.add(1, ordering: .relaxed)
    unsafe process.send(.event, room: 256 + payload.count) { frame in
      frame.add(proxy.index)
      unsafe frame.add(topic)
      unsafe frame.add(subject)
      unsafe frame.add(payload)
    }
  }

  func serve(_ proxy: IsolatedProxy, _ call: gw_call_v1, _ answer: gw_operation) {
    guard let process = owe(answer, isReport: false) else {
      return complete(answer.v, isReport: false, GW_E_BUSY)
    }
    process.send(.serve, room: unsafe 1024 + call.argument.count) { frame in
      frame.add(proxy.index)
      frame.add(answer.v)
      unsafe frame.add(call.method)
      unsafe frame.add(call.argument)
      unsafe frame.add(call.subject)
      unsafe frame.add(call.caller)
    }
  }

  func check(_ proxy: IsolatedProxy, _ answer: gw_operation) {
    guard let process = owe(answer, isReport: true) else {
      return complete(answer.v, isReport: true, GW_E_GONE)
    }
    process.send(.check) { frame in
      frame.add(proxy.index)
      frame.add(answer.v)
    }
  }

  func round(_ proxy: IsolatedProxy) { serving?.send(.round) { $0.add(proxy.index) } }

  func tellJobs(_ isStopping: Bool) { serving?.send(.jobs) { $0.add(isStopping) } }

  /// Remembers what the process must complete; `nil` when there is none.
  private func owe(_ operation: gw_operation, isReport: Bool) -> IsolatedProcess? {
    let operations = withInstance(nil) { $0.host.operations }
    return state.withLock { state in
      guard state.isServing, let process = state.process else { return nil }
      state.owed[operation.v] = isReport
      if state.owed.count > state.owedMark {
        // Calls and checks whose time was over, which it never completed.
        state.owed = state.owed.filter { operations?.isOpen(gw_operation(v: $0.key)) ?? false }
        state.owedMark = max(1024, 2 * state.owed.count)
      }
      return process
    }
  }

  /// Completes an operation in the place of a process that cannot.
  func complete(_ number: UInt64, isReport: Bool, _ status: gw_status) {
    let operation = gw_operation(v: number)
    if isReport {
      _ = unsafe withLent(#"{"reason":"its process is not running"}"#) { detail in
        unsafe HealthInterface.table.pointee.report(context, operation, GW_DEGRADED, detail)
      }
    } else {
      _ = unsafe CoreInterface.table.pointee.complete(context, operation, status, .empty)
    }
  }
}
