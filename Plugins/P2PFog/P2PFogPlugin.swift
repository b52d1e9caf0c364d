public import GatewayPlugin
import Peering
import PluginStorage

/// A peer of the network, and a node and coordinator of the fog.
public final class P2PFogPlugin: Plugin, JobMoving {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "p2p_fog",
    version: "1.0.0",
    description: "Peers that talk (BitChat, BetaNet) and nodes that work (fog jobs)."
  )

  private let peer: PeerService
  private let fog: FogService
  private let worker: FogWorker
  private let isNode: Bool

  /// Makes the peer of the host's data directory; it goes on the network when it is activated.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a store that cannot be opened.
  public init(host: Host) throws {
    let settings = try P2PFogSettings(host.settings)
    let directory = host.dataDirectory
    do {
      let database = try Database(path: directory + "/p2p_fog.sqlite", schema: .p2pFog)
      let peer = try PeerService(host: host, settings: settings, database: database)
      self.peer = peer
      fog = try FogService(
        host: host,
        calls: peer.calls,
        database: database,
        directory: directory,
        settings: settings.fog,
        mayBeNode: { [store = peer.store, own = peer.identity.id] id in
          id == own || (try? store.mayBeNode(id)) == true
        }
      )
      worker = try FogWorker(
        host: host,
        calls: peer.calls,
        directory: directory + "/node",
        settings: settings.node
      )
    } catch {
      throw PluginFailure("The peer, its store or its jobs cannot be set up: \(error).")
    }
    isNode = settings.node.isEnabled
    // The last words of jobs that end now leave by the network.
    peer.linger { [worker] in worker.isBusy }
  }

  /// Peers, messages, invitations; nodes, jobs, the market.
  public var routes: [Route] {
    StatusRoute(service: peer).route
    PeerRoutes(service: peer) { [worker] id in worker.leave(id) }.all
    InvitationRoutes(service: peer).all
    MessageRoutes(service: peer).all
    CoordinatorRoutes(service: peer, worker: worker, isNode: isNode).all
    fog.routes
  }

  /// The network, the jobs, and this machine as a node.
  public var checks: [HealthCheck] {
    HealthCheck("network", every: .seconds(2)) { [peer] in peer.health() }
    fog.checks
    worker.checks
  }

  /// Goes on the network, and to work.
  public func activate() throws {
    try fog.activate()
    try peer.activate()
    try work()
  }

  /// Ends the jobs, so that they run elsewhere; the network's own job says goodbye after them.
  public func quiesce() {
    worker.quiesce()
    fog.quiesce()
    peer.stop()
  }

  /// Goes on the network again, and to work: the swap failed or was undone.
  public func resumeJobs() {
    try? fog.activate()
    peer.resume()
    try? work()
  }

  private func work() throws {
    worker.activate()
    guard isNode else { return }
    worker.join(coordinator: peer.identity.id)
    for entry in try peer.store.all() where entry.isCoordinator && !entry.isBanned {
      worker.join(coordinator: entry.id)
    }
  }
}
