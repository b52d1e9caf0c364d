/// One part of what a plugin contributes to `/health`.
public struct HealthCheck: Sendable {
  let name: String
  let period: Duration
  let timeout: Duration
  let check: @Sendable () throws -> Health

  /// A check that the host runs in the background, on a worker.
  ///
  /// - Parameters:
  ///   - name: Shown under the plugin.
  ///   - period: At least 100 ms.
  ///   - timeout: Without an answer for so long, the check is shown as stale.
  ///   - check: May block. What it throws is logged and counts as unhealthy.
  public init(
    _ name: String,
    every period: Duration,
    timeout: Duration = .seconds(5),
    _ check: @escaping @Sendable () throws -> Health
  ) {
    self.name = name
    self.period = period
    self.timeout = timeout
    self.check = check
  }
}

/// What a check found.
public struct Health: Sendable, Equatable {
  enum State: Int32, Sendable {
    case healthy = 0
    case degraded = 1
    case unhealthy = 2
  }

  let state: State
  let detail: JSON

  /// All is well; `detail` is an object shown beside it.
  public static func healthy(_ detail: JSON = [:]) -> Health {
    Health(state: .healthy, detail: detail)
  }

  /// It serves, but not as it should; `detail` is an object that says why.
  public static func degraded(_ detail: JSON) -> Health { Health(state: .degraded, detail: detail) }

  /// It cannot serve; `detail` is an object that says why.
  public static func unhealthy(_ detail: JSON) -> Health {
    Health(state: .unhealthy, detail: detail)
  }
}
