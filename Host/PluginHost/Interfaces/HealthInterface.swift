import CGatewayPlugin
import Wire

/// `gw.health/1`.
enum HealthInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_health_v1(
      add_check: { context, name, period, timeout, check, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let name = unsafe name.text, Names.isLabel(name),
            (minPeriod...maxPeriod).contains(period), (1...maxPeriod).contains(timeout)
          else { return GW_E_ARGUMENT }
          return unsafe addCheck(
            instance,
            name,
            period: .milliseconds(Int64(period)),
            timeout: .milliseconds(Int64(timeout)),
            Callback(check, user: user, site: instance.site("check \(name)"))
          )
        }
      },
      report: { context, answer, state, detail in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard HealthBoard.State(rawValue: state) != nil, unsafe isDetail(detail) else {
            return GW_E_ARGUMENT
          }
          return unsafe instance.host.operations.complete(
            answer,
            owner: context.v,
            kind: .report,
            status: state,
            result: detail
          )
        }
      }
    )
  )

  /// Milliseconds between two rounds of a check.
  private static let minPeriod: UInt64 = 100
  private static let maxPeriod: UInt64 = 86_400_000
  /// Checks of one plugin.
  private static let maxChecks = 64
  /// Bytes of one detail.
  private static let detailBytes = 16 * 1024

  private static func isDetail(_ detail: gw_bytes) -> Bool {
    guard unsafe !detail.isMalformed, unsafe detail.count <= detailBytes else { return false }
    if unsafe detail.count == 0 { return true }
    guard case .object? = try? JSON.parse(unsafe detail.copied) else { return false }
    return true
  }

  private static func addCheck(
    _ instance: PluginInstance,
    _ name: String,
    period: Duration,
    timeout: Duration,
    _ check: Callback<gw_check_fn>
  ) -> gw_status {
    let host = instance.host
    return instance.declare { declared in
      guard declared.checks.count < maxChecks else { return GW_E_LIMIT }
      guard !declared.checks.contains(where: { $0.name == name }) else {
        instance.setError("the check '\(name)' exists already")
        return GW_E_ARGUMENT
      }
      let place = DeclaredCheck.Place()
      let work = PeriodicWork(period: period, timers: host.timers, pool: host.checks) { done in
        guard let id = place.current else { return done() }
        unsafe run(instance, id, check, done)
      }
      declared.checks.append(
        DeclaredCheck(name: name, timeout: timeout, place: place, work: work)
      )
      return GW_OK
    }
  }

  private static func run(
    _ instance: PluginInstance,
    _ id: HealthBoard.CheckID,
    _ check: Callback<gw_check_fn>,
    _ done: @escaping @Sendable () -> Void
  ) {
    let host = instance.host
    guard instance.occupancy.enter(.check) else { return done() }
    defer { instance.occupancy.leave(.check) }
    let answer = host.operations.open(owner: instance.context, kind: .report) { state, detail in
      // A state that is none comes from a revoked operation: the plugin did not answer.
      if let state = HealthBoard.State(rawValue: state) {
        let detail = detail.isEmpty ? nil : try? JSON.parse(detail)
        host.health.checkAnswered(id, state, detail: detail, now: MonotonicClock.now)
      }
      done()
    }
    guard let answer else { return done() }
    host.health.checkStarted(id, now: MonotonicClock.now)
    unsafe check.within(.check) { unsafe check.function(check.user, answer) }
  }
}
