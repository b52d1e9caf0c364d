public import GatewayPlugin

/// The FOG ledger: accounts, transfers, stakes and votes.
public final class TokensPlugin: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "tokens",
    version: "1.0.0",
    description: "A ledger of FOG that balances: transfers, stakes, governance."
  )

  /// Opens the ledger of the host's data directory.
  ///
  /// - Parameter host: What the gateway offers.
  public init(host: Host) throws {}
}
