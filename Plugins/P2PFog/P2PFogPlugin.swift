public import GatewayPlugin
import Peering
import PluginStorage

/// A peer of the network, and a node of the fog.
public final class P2PFogPlugin: Plugin, JobMoving {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "p2p_fog",
    version: "1.0.0",
    description: "Peers that talk (BitChat, BetaNet) and nodes that work (fog jobs)."
  )

  private let peer: PeerService

  /// Makes the peer of the host's data directory; it goes on the network when it is activated.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a store that cannot be opened.
  public init(host: Host) throws {
    let settings = try P2PFogSettings(host.settings)
    do {
      let database = try Database(path: host.dataDirectory + "/p2p_fog.sqlite", schema: .p2pFog)
      peer = try PeerService(host: host, settings: settings, database: database)
    } catch {
      throw PluginFailure("The store of peers and jobs cannot be opened: \(error).")
    }
  }

  /// Peers, messages and invitations.
  public var routes: [Route] {
    StatusRoute(service: peer).route
    PeerRoutes(service: peer).all
    InvitationRoutes(service: peer).all
    MessageRoutes(service: peer).all
  }

  /// The network.
  public var checks: [HealthCheck] {
    HealthCheck("network", every: .seconds(2)) { [peer] in peer.health() }
  }

  /// Goes on the network.
  public func activate() throws { try peer.activate() }

  /// Nothing further: the network's job sees that it should stop, and says goodbye.
  public func quiesce() {}

  /// Goes on the network again: the swap failed or was undone.
  public func resumeJobs() { peer.resume() }
}
