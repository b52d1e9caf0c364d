package import GatewayPlugin
package import Peering
package import PluginStorage
import Synchronization

/// The coordinator as part of the plugin: its routes, its check, its ticks.
package final class FogService: Sendable {
  /// The WebSocket topic of nodes, jobs and utilisation.
  package static let topic = "fog_update"
  /// Service calls of a settlement that had no answer are made again after so long, doubled each time.
  private static let patience = 1...32

  let coordinator: Coordinator
  private let metrics: FogMetrics
  private let host: Host
  // Ticks of 200 ms until settlements are sent again, and how many it will be the next time.
  private let pause = Mutex((left: 0, next: patience.lowerBound))
  private let shown = Mutex<JSON>(.null)

  /// Declares topic, metrics and ticks; during `init` of the plugin.
  ///
  /// - Parameters:
  ///   - host: The gateway.
  ///   - calls: The network; the coordinator serves its methods there.
  ///   - database: With `FogTables.create`.
  ///   - directory: For logs and results; made when absent.
  ///   - settings: What the operator has decided.
  ///   - mayBeNode: Whether a peer may be a node at all.
  /// - Throws: `HostRefusal`, `StorageError`.
  package init(
    host: Host,
    calls: any PeerCalls,
    database: Database,
    directory: String,
    settings: FogSettings,
    mayBeNode: @escaping @Sendable (PeerID) -> Bool
  ) throws {
    let metrics = try FogMetrics(host)
    self.metrics = metrics
    self.host = host
    var around = Surroundings(
      calls: calls,
      mayBeNode: mayBeNode,
      ledger: { (method, argument) throws(HostRefusal) in
        try host.services.call("tokens", method, argument)
      },
      files: { (method, argument, subject) throws(HostRefusal) in
        try host.services.call("utilities.files", method, argument, subject: subject)
      },
      publish: { payload, subject in
        // Whoever asks finds the same in the job's and the node's answers.
        try? host.events.publish(Self.topic, payload, to: subject)
      },
      later: { work in
        do {
          // Not on a worker: a node that hangs would hold one of the few that answer requests.
          try host.jobs.start("call fog nodes") { _ in work() }
          return true
        } catch {
          return false
        }
      },
      now: { Moment(monotonic: Clock.monotonic(), wall: UInt64(Clock.wall() / 1_000_000)) },
      warn: { what, why in host.log.warning("\(what)", ["why": "\(why)"]) },
      measure: metrics.take
    )
    around.hasModel = { (model, subject) throws(HostRefusal) in
      let argument: JSON = ["model_id": .string(model)]
      let answer = try host.services.call("forge.generate", "describe", argument, subject: subject)
      return answer["error"] == nil
    }
    coordinator = try Coordinator(
      around: around,
      database: database,
      directory: directory,
      settings: settings
    )
    if host.events.isAvailable { try host.events.declare(Self.topic, scope: .read) }
    if host.jobs.isAvailable { try startTicks() }
  }

  private func startTicks() throws(HostRefusal) {
    try host.jobs.every(.milliseconds(100), name: "place fog jobs") { [coordinator] _ in
      coordinator.tick()
    }
    try host.jobs.every(.milliseconds(200), name: "settle fog jobs") { [weak self] _ in
      self?.settle()
    }
    try host.jobs.every(.seconds(2), name: "show the fog") { [weak self] _ in
      self?.coordinator.reconcile()
      try self?.show()
    }
    try host.jobs.every(.seconds(10), name: "keep the fog's house") { [coordinator] _ in
      coordinator.keepHouse()
    }
    try host.jobs.every(.seconds(60), name: "forget old fog jobs") { [coordinator] _ in
      coordinator.forget()
    }
  }

  private func settle() {
    let isDue = pause.withLock { pause in
      pause.left = max(0, pause.left - 1)
      return pause.left == 0
    }
    guard isDue else { return }
    let isAnswered = coordinator.settle()
    pause.withLock { pause in
      if isAnswered {
        pause.next = Self.patience.lowerBound
      } else {
        pause.left = 5 * pause.next
        pause.next = min(Self.patience.upperBound, pause.next * 2)
      }
    }
  }

  /// Numbers for operators, and utilisation for clients when it has changed.
  private func show() throws {
    metrics.show(try coordinator.figures())
    let resources = coordinator.resourcesAnswer()
    let isNews = shown.withLock { shown in
      defer { shown = resources }
      return shown != resources
    }
    guard isNews, var members = resources.asMembers else { return }
    members.insert(.init(name: "event", value: "utilization"), at: 0)
    coordinator.around.publish(.object(members), nil)
  }

  /// Nodes, jobs, market.
  @ListBuilder<Route> package var routes: [Route] {
    FogNodeRoutes(coordinator: coordinator).all
    FogJobRoutes(coordinator: coordinator).all
    FogResultRoutes(coordinator: coordinator).all
    FogMarketRoutes(coordinator: coordinator).all
  }

  /// The check `fog`.
  @ListBuilder<HealthCheck> package var checks: [HealthCheck] {
    HealthCheck("fog", every: .seconds(2)) { [coordinator] in try coordinator.health() }
  }

  /// Takes up what an earlier life of the process, or another generation, has left; also when a swap was undone.
  package func activate() throws(StorageError) { try coordinator.activate() }

  /// Places nothing further.
  package func quiesce() { coordinator.quiesce() }
}
