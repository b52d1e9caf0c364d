public import GatewayPlugin

/// Small language models that are trained here, and talked to.
public final class AgentForgePlugin: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "agent_forge",
    version: "1.0.0",
    description: "Trains small language models and talks with them."
  )

  private let host: Host

  /// Opens the model store of the host's data directory.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a store that cannot be opened.
  public init(host: Host) throws { self.host = host }
}
