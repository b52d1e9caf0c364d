/// What all plugin instances of one registry share.
final class HostResources: Sendable {
  let sink: any AnswerSink
  let pool: WorkerPool
  /// Health checks have threads of their own: one that hangs must not take a request's.
  let checks: WorkerPool
  /// Calls between plugins have threads of their own too: who calls may wait for the answer on a thread of `pool`.
  let calls: WorkerPool
  let timers: TimerThread
  let compute: ComputePool
  let operations = OperationTable()
  let exchange: EventExchange
  let directory = ServiceDirectory()
  let claims: DeclarationClaims
  let metrics: MetricsRegistry
  let isolation: IsolationMetrics
  let health: HealthBoard
  let retired: RetiredGenerations
  let log: Log
  let limits: Limits
  let quarantine: Quarantine

  /// Threads for health checks of all plugins together.
  static let checkThreads = 4
  /// Health checks of all plugins that may wait for a thread.
  static let checkQueue = 256

  init(
    sink: any AnswerSink,
    outlet: any EventOutlet,
    pool: WorkerPool,
    claims: DeclarationClaims,
    metrics: MetricsRegistry,
    health: HealthBoard,
    log: Log,
    limits: Limits,
    cores: Int,
    quarantine: Quarantine = Quarantine()
  ) throws(SystemError) {
    self.sink = sink
    self.pool = pool
    checks = try WorkerPool(threads: Self.checkThreads, queue: Self.checkQueue, name: "check")
    calls = try WorkerPool(threads: limits.poolThreads, queue: limits.poolQueue, name: "call")
    timers = try TimerThread()
    compute = ComputePool(cores: cores)
    exchange = EventExchange(outlet: outlet)
    self.claims = claims
    self.metrics = metrics
    isolation = IsolationMetrics(metrics)
    self.health = health
    retired = RetiredGenerations(
      budget: limits.retiredGenerations,
      log: log,
      health: health,
      metrics: metrics
    )
    self.log = log
    self.limits = limits
    self.quarantine = quarantine
  }

  /// Ends the threads; one that hangs in a plugin is left to itself.
  func shutDown() {
    timers.shutDown()
    checks.shutDown(limit: .seconds(1))
    calls.shutDown(limit: .seconds(1))
    compute.shutDown()
  }
}
