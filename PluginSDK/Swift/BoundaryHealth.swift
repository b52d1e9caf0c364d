internal import CGatewayPlugin

/// A check as the host calls it.
private final class RegisteredCheck: Registration {
  let host: Host
  let check: HealthCheck

  init(_ check: HealthCheck, host: Host) {
    self.host = host
    self.check = check
  }

  func answer(_ operation: gw_operation) {
    let health: Health
    do {
      health = try check.check()
    } catch {
      host.log.error("A health check failed.", ["check": check.name, "why": sentence(error)])
      health = .unhealthy(["error": "the check failed; the log has the reason"])
    }
    guard let table = unsafe host.tables.health else { return }
    // Refused only when the host has given this run up.
    _ = unsafe lend(health.detail) {
      unsafe table.pointee.report(host.tables.context, operation, health.state.rawValue, $0)
    }
  }
}

/// Registers a check; a gateway without health does without.
func add(_ check: HealthCheck, _ host: Host) throws(HostRefusal) {
  guard let table = unsafe host.tables.health else { return }
  let user = unsafe host.keep(RegisteredCheck(check, host: host))
  let status = unsafe lend(check.name) { name in
    unsafe table.pointee.add_check(
      host.tables.context,
      name,
      check.period.milliseconds,
      check.timeout.milliseconds,
      { user, operation in
        guard let user = unsafe user else { return }
        unsafe Unmanaged<RegisteredCheck>.fromOpaque(user).takeUnretainedValue().answer(operation)
      },
      user
    )
  }
  try HostRefusal.check(status, GW_HEALTH_1)
}
