import GatewayPlugin
import PluginStorage

/// An amount that is staked, from when, and until when it is locked.
struct Stake: Sendable, Equatable {
  let id: Int64
  let account: String
  let amount: Amount
  /// Nanoseconds since 1970, like all times here.
  let since: Int64
  let until: Int64
  /// Up to when its reward was paid.
  let rewardedUntil: Int64

  static let columns = "id, account, whole, nano, atto, since, until, rewarded_until"

  init(_ row: Row) {
    id = row.integer(0)
    account = row.text(1)
    amount = row.amount(2)
    since = row.integer(5)
    until = row.integer(6)
    rewardedUntil = row.integer(7)
  }

  func json(accrued: Amount, now: Int64) -> JSON {
    [
      "stake_id": .string(String(id)), "amount": .amount(amount), "staked_at": .time(since),
      "locked_until": .time(until), "unlocked": .bool(until <= now), "accrued": .amount(accrued),
    ]
  }
}

extension Connection {
  /// The stakes of an account, those that unlock first before others.
  mutating func stakes(of account: String) throws(LedgerError) -> [Stake] {
    try list(
      "SELECT \(Stake.columns) FROM stakes WHERE account = ? ORDER BY until, id",
      [.text(account)],
      Stake.init
    )
  }
}
