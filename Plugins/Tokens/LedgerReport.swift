import GatewayPlugin

/// What is told of the ledger to others: events to the owners of accounts, numbers to operators.
struct LedgerReport: Sendable {
  /// Of a changed balance; to its owner alone.
  static let tokenTopic = "token_update"
  /// Of a proposal; to everyone.
  static let governanceTopic = "governance_update"

  private let host: Host
  private let entries: Counter
  private let supply: Gauge

  /// Declares topics and metrics; in the plugin's `init`.
  init(_ host: Host) throws {
    self.host = host
    if host.events.isAvailable {
      try host.events.declare(Self.tokenTopic, scope: .read)
      try host.events.declare(Self.governanceTopic, scope: .read)
    }
    entries = try host.metrics.counter(
      "tokens_entries_total",
      "Entries of the journal made by this process.",
      labels: ["kind"]
    )
    supply = try host.metrics.gauge("tokens_supply_fog", "What there is of FOG.")
  }

  /// Tells of entries that are on the disk now.
  func take(_ made: [Entry], _ accounts: [[UInt8]: Account]) {
    for entry in made { entries.add(1, entry.kind) }
    if let supply = accounts[Array(AccountName.supply.utf8)] { show(supply: -supply.balance) }
    guard host.events.isAvailable else { return }
    for entry in made {
      for id in Set(entry.postings.map { Array($0.account.utf8) }) {
        guard let account = accounts[id], AccountName.isUser(account.id) else { continue }
        let change = entry.postings.filter {
          $0.account.utf8.elementsEqual(id) && $0.bucket == .balance
        }
        .reduce(Amount.zero) { $0 + $1.amount }
        publish(
          Self.tokenTopic,
          [
            "account": .string(account.id), "kind": .string(entry.kind), "amount": .amount(change),
            "balance": .amount(account.balance), "staked": .amount(account.staked),
            "locked": .amount(account.locked), "entry_id": .string(String(entry.id)),
            "reference": .string(entry.reference),
          ],
          to: account.id
        )
      }
    }
  }

  /// Shows what there is of FOG.
  func show(supply amount: Amount) {
    // A gauge is a Double: for looking at, not for counting with.
    supply.set(Double(amount.units) / 1e18)
  }

  /// Tells of a proposal.
  func announce(_ event: String, _ data: JSON) {
    guard host.events.isAvailable else { return }
    var members: [JSON.Member] = [.init(name: "event", value: .string(event))]
    // Who votes how is between the voter and the ledger; the counts are everyone's.
    let kept = [
      "proposal_id", "title", "proposal_type", "status", "votes_for", "votes_against",
      "votes_abstain", "voting_end", "executable_at", "executed_at",
    ]
    members += (data.asMembers ?? []).filter { kept.contains($0.name) }
    publish(Self.governanceTopic, .object(members), to: nil)
  }

  private func publish(_ topic: String, _ payload: JSON, to subject: String?) {
    do { try host.events.publish(topic, payload, to: subject) } catch {
      // It is in the ledger; whoever listens finds it there.
      host.log.warning("A change could not be announced.", ["topic": topic, "why": "\(error)"])
    }
  }
}
