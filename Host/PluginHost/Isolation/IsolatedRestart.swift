import CGatewayPlugin
import Synchronization
import Wire

/// What happens when the process of a plugin dies, and until it serves again.
extension IsolatedPlugin {
  /// A process has ended; on its thread.
  func ended(_ process: IsolatedProcess, _ exit: String) {
    let lost = state.withLock { state -> Lost? in
      guard state.process === process else { return nil }
      defer {
        state.process = nil
        state.isServing = false
        state.calls = [:]
        state.owed = [:]
        state.jobs = [:]
      }
      state.lastExit = exit
      return Lost(
        calls: Array(state.calls.values),
        owed: state.owed,
        jobs: Array(state.jobs.values),
        starts: state.isServing && !state.isEnding
      )
    }
    guard let lost else { return }
    for declaration in state.withLock({ $0.declarations }) {
      declaration.proxy.behind.store(0, ordering: .relaxed)
    }
    for (number, isReport) in lost.owed { complete(number, isReport: isReport, GW_E_GONE) }
    withInstance(()) { instance in
      for job in lost.jobs {
        instance.jobs.end(job)
        instance.occupancy.leave(.job)
      }
    }
    if lost.starts { startLater(exit) }
    for call in lost.calls { refuse(call) }
  }

  private struct Lost {
    var calls: [RemoteCall]
    var owed: [UInt64: Bool]
    var jobs: [gw_job]
    var starts: Bool
  }

  /// Has the process started again after its back-off.
  private func startLater(_ exit: String) {
    let now = MonotonicClock.now
    let (due, breaker) = state.withLock { state in
      state.nextStart = state.breaker.died(now: now)
      return (state.nextStart, state.breaker)
    }
    log(
      .error,
      "the plugin's process has ended",
      [
        ("reason", exit), ("deaths", "\(breaker.deaths)"), ("breaker", breaker.state.rawValue),
        ("restart_in_ms", "\((due - now) / 1_000_000)"),
      ]
    )
    withInstance(()) { instance in
      instance.host.isolation.note(id, breaker.state)
      _ = instance.host.timers.schedule(at: due) { [self] in
        // The steps block: not on the timer's thread. Without a thread there is another try later.
        do throws(SystemError) {
          try HostThread(name: "\(id) restart") { self.restart() }.detach()
        } catch { startLater("no thread for a restart: \(error)") }
      }
    }
  }

  private func restart() {
    guard !state.withLock({ $0.isEnding }) else { return }
    let began = MonotonicClock.now
    var step = "loading the library"
    do throws(IsolatedProcess.Failure) {
      let process = try spawn()
      step = "create"
      try createIn(process)
      if hasStrayed(isWhole: true) { throw .refused(Self.strayed) }
      step = "activate"
      try activate(process)
    } catch {
      let sentence = hasStrayed(isWhole: false) ? Self.strayed : error.sentence(step)
      let isEnding = state.withLock { state in
        state.lastExit = sentence
        state.process.take()?.kill("it was ended: \(sentence)")
        return state.isEnding
      }
      if !isEnding { startLater(sentence) }
      return
    }
    let (restarts, breaker) = state.withLock { state in
      state.restarts += 1
      return (state.restarts, state.breaker.state)
    }
    withInstance(()) { $0.host.isolation.noteRestart(id, breaker) }
    log(
      .info,
      "the plugin's process is back",
      [
        ("milliseconds", "\((MonotonicClock.now - began) / 1_000_000)"),
        ("restarts", "\(restarts)"),
      ]
    )
  }

  static let strayed =
    "its process declares other routes, topics, services, checks, metrics, repeated work or interfaces than at first; reload the plugin"

  /// Whether the new process has declared something else than the first.
  ///
  /// - Parameter isWhole: Whether it has declared all that it will.
  /// - Returns: Whether it must not serve.
  private func hasStrayed(isWhole: Bool) -> Bool {
    state.withLock { state in
      state.hasStrayed || (isWhole && state.repeated != state.declarations.count)
    }
  }

  // MARK: - Requests

  /// Gives a request to the process.
  ///
  /// - Returns: `nil` when there is none, or it is not trusted with one; the request is answered then.
  func admit(_ call: RemoteCall) -> IsolatedProcess? {
    let process = state.withLock { state in
      guard state.isServing, let process = state.process, state.breaker.admits() else {
        return IsolatedProcess?.none
      }
      state.calls[call.handle] = call
      return process
    }
    if process == nil { refuse(call) }
    return process
  }

  /// A request has ended.
  func forget(_ call: RemoteCall) {
    let changed = state.withLock { state in
      guard state.calls[call.handle] === call else { return false }
      state.calls[call.handle] = nil
      guard state.breaker.state == .halfOpen else { return false }
      state.breaker.ended(wasAnswered: call.isAnswered)
      return state.breaker.state == .closed
    }
    if changed { withInstance(()) { $0.host.isolation.note(id, .closed) } }
  }

  func call(_ handle: UInt64) -> RemoteCall? { state.withLock { $0.calls[handle] } }

  /// Answers 503, or cuts the answer that has begun.
  func refuse(_ call: RemoteCall) {
    let wait = state.withLock { max($0.nextStart - MonotonicClock.now, 0) }
    let seconds = "\(wait / 1_000_000_000 + 1)"
    let status = unsafe withLent("Retry-After") { name in
      unsafe withLent(seconds) { value in
        var field = unsafe gw_field(name: name, value: value)
        return unsafe withLent("SERVICE_UNAVAILABLE") { code in
          unsafe withLent("The service \(id) is being restarted; try again in \(seconds) s.") {
            unsafe HTTPInterface.table.pointee.fail(
              context,
              gw_request(v: call.handle),
              503,
              code,
              $0,
              .empty,
              &field,
              1
            )
          }
        }
      }
    }
    guard status == GW_E_STATE else { return }
    withInstance(()) { instance in
      _ = instance.host.sink.abort(
        call.handle,
        owner: instance.context,
        reason: "its process has ended"
      )
    }
  }

  // MARK: - Health

  /// Adds the check under which /health shows the process.
  func declareHealth() -> gw_status {
    let proxy = IsolatedProxy(plugin: self, index: .max)
    state.withLock { $0.health = proxy }
    return unsafe withLent("isolation") { name in
      unsafe HealthInterface.table.pointee.add_check(
        context,
        name,
        250,
        5000,
        { user, answer in
          guard let proxy = unsafe IsolatedProxy.of(user) else { return }
          proxy.plugin.reportHealth(answer)
        },
        proxy.pointer
      )
    }
  }

  private func reportHealth(_ answer: gw_operation) {
    let (detail, isGood) = state.withLock { state in
      let detail: JSON = [
        "breaker": .string(state.breaker.state.rawValue),
        "pid": .integer(Int64(state.process?.pid ?? 0)),
        "restarts": .integer(Int64(state.restarts)),
        "last_exit": .string(state.lastExit),
        "sandbox": .array(state.layers.map { .string($0) }),
      ]
      return (detail, state.isServing && state.breaker.state == .closed)
    }
    _ = unsafe withLent(detail.bytes) { detail in
      unsafe HealthInterface.table.pointee.report(
        context,
        answer,
        isGood ? GW_HEALTHY : GW_DEGRADED,
        detail
      )
    }
  }
}

/// Looks after one isolated plugin: whether its process still answers.
enum Heartbeat {
  private static let longestPeriod: Int64 = 1_000_000_000

  static func begin(_ plugin: IsolatedPlugin) {
    plugin.withInstance(()) { instance in
      let limit = instance.host.limits.processSilence.nanoseconds
      let due = MonotonicClock.now + period(limit)
      _ = instance.host.timers.schedule(at: due) { beat(plugin, limit) }
    }
  }

  private static func period(_ limit: Int64) -> Int64 { min(limit / 4, longestPeriod) }

  private static func beat(_ plugin: IsolatedPlugin, _ limit: Int64) {
    let now = MonotonicClock.now
    let (process, isEnding, closes) = plugin.state.withLock { state in
      let before = state.breaker.state
      state.breaker.look(now: now)
      return (
        state.isServing ? state.process : nil, state.isEnding, before != state.breaker.state
      )
    }
    guard !isEnding else { return }
    if closes { plugin.withInstance(()) { $0.host.isolation.note(plugin.id, .closed) } }
    // Counted in pings: the clock also runs while the gateway is stopped, and while a process that is not asked starts.
    if let process, process.ping() * period(limit) >= limit {
      let silence = Double(limit) / 1e9
      process.kill("it hangs: its loop has not answered for \(silence) s")
    }
    begin(plugin)
  }
}
