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
  package let sockets = Atomic<Int>(0)
  package let isReady = Atomic<Bool>(false)
  package let isDraining = Atomic<Bool>(false)
  private let version = Atomic<UInt64>(1)
  private let table: Mutex<RouteTable>
  /// Topics of all plugins by name.
  private let topicTable = Mutex<[String: TopicDeclaration]>([:])

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
    connections = ConnectionCounts(
      limit: settings.limits.connections,
      limitPerAddress: settings.limits.connectionsPerAddress
    )
    table = Mutex(RouteTable(pluginRoutes: []))
  }

  /// The newest route table, and its number.
  ///
  /// Loops keep the table and ask again when `routesVersion` has moved on.
  package func routes() -> (RouteTable, UInt64) {
    table.withLock { ($0, version.load(ordering: .acquiring)) }
  }

  package var routesVersion: UInt64 { version.load(ordering: .acquiring) }

  /// Replaces all routes and topics at once; requests under way keep the table they began with.
  package func publish(_ routes: RouteTable, topics: [TopicDeclaration]) {
    topicTable.withLock { known in
      known = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
    }
    table.withLock { table in
      table = routes
      version.add(1, ordering: .releasing)
    }
  }

  /// The declaration of a topic, `nil` when no plugin publishes it.
  func topic(_ name: String) -> TopicDeclaration? { topicTable.withLock { $0[name] } }

  /// Names of all topics, in order.
  var topicNames: [String] { topicTable.withLock { $0.keys.sorted() } }
}
