import Synchronization
package import Wire

/// What every service last said about its health.
///
/// The board only remembers: whoever asks gets an answer at once, also while a check hangs.
package final class HealthBoard: Sendable {
  package enum State: Int32, Sendable, Comparable {
    case healthy, degraded, unhealthy

    package static func < (one: State, other: State) -> Bool { one.rawValue < other.rawValue }

    package var name: String {
      switch self {
      case .healthy: "healthy"
      case .degraded: "degraded"
      case .unhealthy: "unhealthy"
      }
    }
  }

  /// One check of one service.
  package struct CheckID: Sendable, Hashable {
    let service: String
    let name: String
    /// Which `run` of the service: answers of an earlier one are nobody's any more.
    let run: UInt64
  }

  package struct Summary: Sendable, Equatable {
    package var state: State
    /// One member for each service, in order of name.
    package var services: JSON
    /// Ended generations of plugins whose code stays mapped.
    package var retired = 0
    /// Plugins that were loaded in spite of their signatures, in order of name.
    package var tainted: [String] = []
  }

  /// What the checks of one service say together.
  package struct Standing: Sendable, Equatable {
    /// Whether a check has not answered yet.
    package var isPending = false
    /// The checks for which the service is not fit to serve, in words.
    package var failing: [String] = []
  }

  private enum Phase {
    case running
    case failed(reason: String)
    case stopped
  }

  private struct Check {
    let timeout: Int64
    var startedAt: Int64?
    var answeredAt: Int64?
    var state = State.healthy
    var detail: JSON?

    // An answer that has come takes the staleness back at once.
    func isStale(at now: Int64) -> Bool { startedAt.map { now - $0 > timeout } ?? false }
  }

  private struct Service {
    var phase: Phase
    var version: String
    var run: UInt64 = 0
    var checks: [String: Check] = [:]
  }

  /// What was loaded in spite of its signature, until the process ends.
  package let taint = Taint()
  private let services = Mutex<[String: Service]>([:])
  private let retired = Mutex((count: 0, isFull: false))
  private let runs = Atomic<UInt64>(0)

  package init() {}

  /// The service is loaded and answers; its earlier checks are forgotten.
  package func run(_ service: String, version: String) {
    let run = runs.add(1, ordering: .relaxed).newValue
    services.withLock { $0[service] = Service(phase: .running, version: version, run: run) }
  }

  /// The service could not be loaded; `reason` is shown to operators, so it holds no secret.
  package func fail(_ service: String, reason: String) {
    services.withLock { $0[service] = Service(phase: .failed(reason: reason), version: "") }
  }

  /// The service was stopped on purpose.
  package func stop(_ service: String) {
    services.withLock { services in
      services[service]?.phase = .stopped
      services[service]?.checks = [:]
    }
  }

  /// So many ended generations of plugins stay mapped; `isFull` when there must not be more, which degrades.
  package func retire(_ count: Int, isFull: Bool) {
    retired.withLock { $0 = (count, isFull) }
  }

  /// The service is not known any more.
  package func remove(_ service: String) {
    _ = services.withLock { $0.removeValue(forKey: service) }
  }

  /// Adds a check; it counts as healthy until its first answer.
  ///
  /// - Parameters:
  ///   - name: Shown under the service's `checks`.
  ///   - service: Must be running.
  ///   - timeout: Without an answer for longer, the check is shown as stale.
  /// - Returns: `nil` when the service is not running or has a check of that name.
  package func addCheck(_ name: String, to service: String, timeout: Duration) -> CheckID? {
    services.withLock { services in
      guard let known = services[service], case .running = known.phase, known.checks[name] == nil
      else { return nil }
      let (seconds, attoseconds) = timeout.components
      services[service]?.checks[name] = Check(
        timeout: seconds * 1_000_000_000 + attoseconds / 1_000_000_000
      )
      return CheckID(service: service, name: name, run: known.run)
    }
  }

  /// The check was asked at `now`, in nanoseconds of the monotonic clock.
  package func checkStarted(_ check: CheckID, now: Int64) {
    services.withLock { services in
      guard services[check.service]?.run == check.run else { return }
      services[check.service]?.checks[check.name]?.startedAt = now
    }
  }

  /// The check answered at `now`.
  package func checkAnswered(_ check: CheckID, _ state: State, detail: JSON?, now: Int64) {
    services.withLock { services in
      guard services[check.service]?.run == check.run,
        var known = services[check.service]?.checks[check.name]
      else { return }
      known.startedAt = nil
      known.answeredAt = now
      known.state = state
      known.detail = detail
      services[check.service]?.checks[check.name] = known
    }
  }

  /// What is known at `now`.
  ///
  /// `degraded`: a service failed, is degraded, or has a check without an answer. `unhealthy`: a check says so, or no
  /// service that should run does.
  package func summary(now: Int64) -> Summary {
    let services = services.withLock { $0 }
    let tainted = taint.plugins.keys.sorted()
    var worst = State.healthy
    var wanted = 0
    var failed = 0
    var members: [JSON.Member] = []
    for (name, service) in services.sorted(by: { $0.key < $1.key }) {
      if case .stopped = service.phase {} else { wanted += 1 }
      if case .failed = service.phase { failed += 1 }
      let (state, described) = Self.describe(service, now: now)
      var value = described
      if tainted.contains(name), let known = value.asMembers {
        value = .object(known + [JSON.Member(name: "tainted", value: true)])
      }
      worst = max(worst, state)
      members.append(JSON.Member(name: name, value: value))
    }
    if wanted > 0, failed == wanted { worst = .unhealthy }
    let retired = retired.withLock { $0 }
    if retired.isFull { worst = max(worst, .degraded) }
    return Summary(
      state: worst,
      services: .object(members),
      retired: retired.count,
      tainted: tainted
    )
  }

  /// What the checks of one running service say at `now`; `nil` when it does not run.
  package func checks(of service: String, now: Int64) -> Standing? {
    guard let known = services.withLock({ $0[service] }), case .running = known.phase else {
      return nil
    }
    var standing = Standing()
    for (name, check) in known.checks.sorted(by: { $0.key < $1.key }) {
      if check.answeredAt == nil { standing.isPending = true }
      if check.isStale(at: now) { standing.failing.append("\(name) does not answer") }
      if check.state == .unhealthy { standing.failing.append("\(name) is unhealthy") }
    }
    return standing
  }

  private static func describe(_ service: Service, now: Int64) -> (State, JSON) {
    switch service.phase {
    case .failed(let reason):
      return (.degraded, ["status": "error", "available": false, "reason": .string(reason)])
    case .stopped:
      return (.healthy, ["status": "stopped", "available": false])
    case .running: break
    }
    var worst = State.healthy
    var isStale = false
    var checks: [JSON.Member] = []
    for (name, check) in service.checks.sorted(by: { $0.key < $1.key }) {
      let stale = check.isStale(at: now)
      isStale = isStale || stale
      worst = max(worst, stale ? .degraded : check.state)
      checks.append(JSON.Member(name: name, value: describe(check, isStale: stale, now: now)))
    }
    let status =
      switch worst {
      case .unhealthy: "error"
      case .degraded: isStale ? "stale" : "degraded"
      case .healthy: "running"
      }
    // Degraded still serves; of a service that does not answer its own check nothing can be promised.
    let available = status == "running" || status == "degraded"
    var members: [JSON.Member] = [
      JSON.Member(name: "status", value: .string(status)),
      JSON.Member(name: "available", value: .bool(available)),
      JSON.Member(name: "version", value: .string(service.version)),
    ]
    if !checks.isEmpty { members.append(JSON.Member(name: "checks", value: .object(checks))) }
    return (worst, .object(members))
  }

  private static func describe(_ check: Check, isStale: Bool, now: Int64) -> JSON {
    let status =
      isStale ? "stale" : check.answeredAt == nil ? "pending" : check.state.name
    var members = [JSON.Member(name: "status", value: .string(status))]
    if isStale, let started = check.startedAt {
      let seconds = (now - started) / 1_000_000_000
      members.append(JSON.Member(name: "unanswered_seconds", value: .integer(seconds)))
    }
    if let detail = check.detail { members.append(JSON.Member(name: "detail", value: detail)) }
    return .object(members)
  }
}
