package import Synchronization

/// What all loops of one gateway share.
package final class Core: Sendable {
  package let settings: Settings
  package let log: Log
  package let writer: LogWriter
  package let authenticator: Authenticator
  package let rates: any RateCounter
  package let tiers: RateTiers
  package let pool: WorkerPool
  package let metrics: MetricsRegistry
  package let health: HealthBoard
  package let connections: ConnectionCounts
  /// What had crashed before this process began.
  let crashes: CrashJournal
  /// What the supervisor has counted; `nil` without one.
  let counts = Mutex<CrashCounts?>(nil)
  package let sockets = Atomic<Int>(0)
  package let isReady = Atomic<Bool>(false)
  package let isDraining = Atomic<Bool>(false)
  /// Whether each connection ends with its next answer.
  package let endsConnections = Atomic<Bool>(false)
  private let version = Atomic<UInt64>(1)
  private let served: Mutex<Served>

  /// What all loops serve, of one moment.
  struct Served {
    var table: RouteTable
    /// Topics of all plugins by name.
    var topics: [String: TopicDeclaration] = [:]
    /// Ids of the plugins at which no request may begin now.
    var held: Set<String> = []
  }

  package init(settings: Settings, writer: LogWriter, log: Log, revocations: any RevocationList)
    throws(SystemError)
  {
    self.settings = settings
    self.writer = writer
    self.log = log
    authenticator = Authenticator(settings, revocations: revocations)
    rates = RateWindows(callers: settings.limits.rateCallers)
    tiers = RateTiers(settings.tiers)
    pool = try WorkerPool(threads: settings.limits.poolThreads, queue: settings.limits.poolQueue)
    metrics = MetricsRegistry()
    health = HealthBoard()
    crashes = CrashJournal(directory: settings.dataDirectory)
    connections = ConnectionCounts(
      limit: settings.limits.connections,
      limitPerAddress: settings.limits.connectionsPerAddress
    )
    served = Mutex(Served(table: RouteTable(pluginRoutes: [])))
  }

  /// What is served now, and its number.
  ///
  /// Loops keep it and ask again when `servedVersion` has moved on.
  func whatIsServed() -> (Served, UInt64) {
    served.withLock { ($0, version.load(ordering: .acquiring)) }
  }

  var servedVersion: UInt64 { version.load(ordering: .acquiring) }

  /// The newest route table.
  package var routes: RouteTable { served.withLock { $0.table } }

  /// Replaces all routes and topics at once; requests under way keep the table they began with.
  ///
  /// Loops follow at their next request; `RouteSwitch` waits for them.
  package func publish(_ routes: RouteTable, topics: [TopicDeclaration]) {
    change { served in
      served.table = routes
      served.topics = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
    }
  }

  /// Lets no request begin at `plugin`, or lets them again.
  func hold(_ plugin: String, _ isHeld: Bool) {
    change { served in
      if isHeld { served.held.insert(plugin) } else { served.held.remove(plugin) }
    }
  }

  private func change(_ change: (inout Served) -> Void) {
    served.withLock { served in
      change(&served)
      version.add(1, ordering: .releasing)
    }
  }

  /// The declaration of a topic, `nil` when no plugin publishes it.
  func topic(_ name: String) -> TopicDeclaration? { served.withLock { $0.topics[name] } }

  /// Names of all topics, in order.
  var topicNames: [String] { served.withLock { $0.topics.keys.sorted() } }
}
