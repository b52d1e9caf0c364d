public import GatewayPlugin

/// A peer of the network, and a node of the fog.
public final class P2PFogPlugin: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "p2p_fog",
    version: "1.0.0",
    description: "Peers that talk (BitChat, BetaNet) and nodes that work (fog jobs)."
  )

  /// Makes the peer of the host's data directory.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings.
  public init(host: Host) throws {}
}
