public import GatewayPlugin
import PluginStorage

/// The FOG ledger: accounts, transfers, stakes and votes.
public final class TokensPlugin: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "tokens",
    version: "1.0.0",
    description: "A ledger of FOG that balances: transfers, stakes, governance."
  )

  private let settings: TokensSettings
  private let ledger: Ledger
  private let audit: LedgerAudit
  private let report: LedgerReport

  /// Opens the ledger of the host's data directory, and issues the initial supply when it is new.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a ledger that cannot be opened.
  public init(host: Host) throws {
    let settings = try TokensSettings(host.settings)
    let report = try LedgerReport(host)
    self.settings = settings
    self.report = report
    do {
      ledger = try Ledger(
        path: host.dataDirectory + "/tokens.sqlite",
        rules: settings.rules,
        observer: report.take
      )
      report.show(supply: try ledger.supply())
    } catch {
      throw PluginFailure("The ledger cannot be opened: \(error).")
    }
    audit = LedgerAudit(ledger)
    if host.services.isAvailable {
      let service = TokensService(ledger, trusted: settings.trustedCallers) { [host] why in
        host.log.warning("A call to the service was malformed.", ["why": why])
      }
      try host.services.serve(TokensService.name) { try service.answer($0) }
    }
    if host.jobs.isAvailable {
      let kept = Int64(settings.idempotencyDays) * 86_400 * 1_000_000_000
      try host.jobs.every(.seconds(3600), name: "forget idempotency keys") { [ledger] job in
        while !job.shouldStop, try ledger.forgetKeys(before: ledger.now - kept) > 0 {}
      }
    }
  }

  /// Accounts, transfers, stakes and governance.
  public var routes: [Route] {
    TokenRoutes(ledger: ledger).all
    StakeRoutes(ledger: ledger).all
    GovernanceRoutes(ledger: ledger, announce: report.announce).all
  }

  /// The audit of the ledger.
  public var checks: [HealthCheck] {
    // A busy account's postings take seconds to add up, once in a round.
    HealthCheck("ledger", every: .seconds(settings.auditSeconds), timeout: .seconds(60)) {
      [audit] in try audit.look()
    }
  }

  /// Adds up the ledger before the first request: a broken one is served for reading alone.
  public func activate() throws {
    do { try audit.look(sumsAlone: true) } catch {
      throw PluginFailure("The ledger cannot be read: \(error).")
    }
  }
}
