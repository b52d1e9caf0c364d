package import GatewayPlugin
import PluginStorage

extension Ledger {
  /// Stakes that one account may have at once.
  static let mostStakes = 1000

  /// Stakes an amount for a time.
  ///
  /// - Parameters:
  ///   - account: Opened at its first sight.
  ///   - amount: At least the policy's minimum stake.
  ///   - seconds: How long it is locked; `nil` for the policy's minimum.
  ///   - key: Of the request, if it may come again.
  /// - Returns: `stake_id, transaction_id, amount, balance, staked, locked_until, voting_power, validator`.
  /// - Throws: `INSUFFICIENT_BALANCE`; `invalid` for an amount or a time below the minimum.
  package func stake(
    _ account: String,
    amount: Amount,
    seconds: Int?,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    guard amount > .zero else { throw .invalid("amount", AmountError.zero.description) }
    return try once(key) { connection, change throws(LedgerError) in
      let seconds = seconds ?? Int(change.policy[.minimumLockSeconds])
      try change.checkStake(amount, seconds)
      try change.open(account, on: &connection)
      guard try connection.stakes(of: account).count < Self.mostStakes else {
        let reason =
          "cannot be staked: the account has \(Self.mostStakes) stakes; unstake some first"
        throw .invalid("amount", reason)
      }
      let until = change.now + Int64(seconds) * 1_000_000_000
      try connection.execute(
        "INSERT INTO stakes(account, whole, nano, atto, since, until, rewarded_until) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [.text(account)] + amount.columns
          + [.integer(change.now), .integer(until), .integer(change.now)]
      )
      let id = String(try connection.find("SELECT last_insert_rowid()") { $0.integer(0) } ?? 0)
      let entry = try change.post(
        EntryDraft(
          .stake,
          amount,
          from: Leg(account),
          to: Leg(account, .staked),
          reason: "Locked for \(seconds) s.",
          reference: id
        ),
        on: &connection
      )
      return .object(
        [
          .init(name: "stake_id", value: .string(id)),
          .init(name: "transaction_id", value: .string(String(entry))),
          .init(name: "amount", value: .amount(amount)),
          .init(name: "locked_until", value: .time(until)),
        ] + (try change.standing(account, on: &connection))
      )
    }
  }

  /// Gives staked FOG back, with what its stakes have earned.
  ///
  /// - Parameters:
  ///   - account: Whose.
  ///   - amount: More than 0; taken from the stakes that unlocked first.
  ///   - id: Take it from this stake alone; `nil` for all.
  ///   - key: Of the request, if it may come again.
  /// - Returns: `transaction_id, amount, reward, capped, balance, staked, voting_power, validator`.
  /// - Throws: `STAKE_LOCKED` with the time when it may be, `INSUFFICIENT_STAKE`; `invalid` for a stake of another.
  package func unstake(
    _ account: String,
    amount: Amount,
    stake id: Int64? = nil,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    guard amount > .zero else { throw .invalid("amount", AmountError.zero.description) }
    return try once(key) { connection, change throws(LedgerError) in
      let stakes = try connection.stakes(of: account).filter { id == nil || $0.id == id }
      guard id == nil || !stakes.isEmpty else {
        throw .invalid("stake_id", "is none of your stakes; GET /v1/tokens/stakes lists them")
      }
      let touched = try change.unlocked(amount, of: stakes, account)
      let reward = try change.payRewards(touched.map(\.stake), on: &connection)
      for (stake, taken) in touched {
        try connection.reduce(stake, by: taken)
      }
      let entry = try change.post(
        EntryDraft(
          .unstake,
          amount,
          from: Leg(account, .staked),
          to: Leg(account),
          reference: id.map(String.init) ?? ""
        ),
        on: &connection
      )
      return .object(
        [
          .init(name: "transaction_id", value: .string(String(entry))),
          .init(name: "amount", value: .amount(amount)),
        ] + reward.members + (try change.standing(account, on: &connection))
      )
    }
  }

  /// Pays what all stakes of an account have earned so far.
  ///
  /// - Parameters:
  ///   - account: Whose.
  ///   - key: Of the request, if it may come again.
  /// - Returns: `reward, capped, balance, staked, voting_power, validator`.
  /// - Throws: `UNKNOWN_ACCOUNT`.
  package func claim(
    _ account: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    try once(key) { connection, change throws(LedgerError) in
      _ = try change.known(account, on: &connection)
      let stakes = try connection.stakes(of: account)
      let reward = try change.payRewards(stakes, on: &connection)
      return .object(reward.members + (try change.standing(account, on: &connection)))
    }
  }

  /// The stakes of an account, with what each has earned since it was last paid.
  package func stakes(of account: String) throws(LedgerError) -> JSON {
    let now = now
    return try read { connection throws(LedgerError) in
      let stakes = try connection.stakes(of: account)
      let rate = try connection.stakingRate()
      var accrued = Amount.zero
      let list = stakes.map { stake in
        let reward = rate.reward(of: stake.amount, from: stake.rewardedUntil, to: now)
        accrued += reward
        return stake.json(accrued: reward, now: now)
      }
      let staked = try connection.account(account)?.staked ?? .zero
      return [
        "stakes": .array(list), "total_count": .integer(Int64(list.count)),
        "staked": .amount(staked), "accrued": .amount(accrued), "user_account": .string(account),
      ]
    }
  }
}

/// What was paid of rewards.
struct PaidReward {
  let amount: Amount
  /// Whether the maximum supply left less than was earned.
  let isCapped: Bool

  var members: [JSON.Member] {
    [.init(name: "reward", value: .amount(amount)), .init(name: "capped", value: .bool(isCapped))]
  }
}

extension LedgerChange {
  /// Throws when the policy does not allow such a stake.
  fileprivate func checkStake(_ amount: Amount, _ seconds: Int) throws(LedgerError) {
    let least = policy.amount(.minimumStake)
    guard amount >= least else {
      throw .invalid("amount", "must be at least \(least) FOG, the least that can be staked")
    }
    let shortest = Int(policy[.minimumLockSeconds])
    guard (shortest...Policy.longestLockSeconds).contains(seconds) else {
      throw .invalid(
        "lock_seconds",
        "must be a whole number of \(shortest) to \(Policy.longestLockSeconds)"
      )
    }
  }

  /// From which stakes an amount is taken, and how much of each: those that unlock first before others.
  ///
  /// - Throws: `INSUFFICIENT_STAKE`, or `STAKE_LOCKED` with the time when all of it is unlocked.
  fileprivate func unlocked(
    _ amount: Amount,
    of stakes: [Stake],
    _ account: String
  ) throws(LedgerError) -> [(stake: Stake, taken: Amount)] {
    var touched: [(stake: Stake, taken: Amount)] = []
    var left = amount
    for stake in stakes where left > .zero {
      touched.append((stake, min(left, stake.amount)))
      left -= min(left, stake.amount)
    }
    guard left == .zero, let last = touched.last?.stake else {
      throw .insufficient(account: account, .staked, needed: amount, amount - left)
    }
    guard last.until <= now else {
      let open = stakes.filter { $0.until <= now }.reduce(Amount.zero) { $0 + $1.amount }
      throw .refused(
        .stakeLocked,
        """
        \(open) FOG of this are unlocked now; \(amount) FOG can be unstaked from \
        \(Timestamp.text(nanoseconds: last.until, milliseconds: true)) on.
        """,
        details: ["unlocked": .amount(open), "until": .time(last.until)]
      )
    }
    return touched
  }

  /// Mints what these stakes of one account have earned, as far as the maximum supply allows; the rest is forfeited.
  mutating func payRewards(
    _ stakes: [Stake],
    on connection: inout Connection
  ) throws(LedgerError) -> PaidReward {
    guard let account = stakes.first?.account else {
      return PaidReward(amount: .zero, isCapped: false)
    }
    let rate = try connection.stakingRate()
    var earned = Amount.zero
    for stake in stakes {
      earned += rate.reward(of: stake.amount, from: stake.rewardedUntil, to: now)
      try connection.execute(
        "UPDATE stakes SET rewarded_until = ? WHERE id = ?",
        [.integer(max(now, stake.rewardedUntil)), .integer(stake.id)]
      )
    }
    let paid = min(earned, try mintable(on: &connection))
    if paid > .zero {
      let draft = EntryDraft(
        .reward,
        paid,
        from: Leg(AccountName.supply),
        to: Leg(account),
        reason: "The reward of stakes.",
        reference: stakes.map { String($0.id) }.prefix(16).joined(separator: ",")
      )
      try post(draft, on: &connection)
    }
    return PaidReward(amount: paid, isCapped: paid < earned)
  }

  /// Takes up to `amount` of an account's stakes for a penalty, those that unlock first before others.
  ///
  /// What they have earned for the part that is taken is lost.
  ///
  /// - Returns: How much was there to take.
  func slash(
    _ account: String,
    _ amount: Amount,
    on connection: inout Connection
  ) throws(LedgerError) -> Amount {
    var left = amount
    for stake in try connection.stakes(of: account) where left > .zero {
      let taken = min(left, stake.amount)
      try connection.reduce(stake, by: taken)
      left -= taken
    }
    return amount - left
  }

  /// What an account has after a change of its stakes.
  func standing(
    _ id: String,
    on connection: inout Connection
  ) throws(LedgerError) -> [JSON.Member] {
    let account = try known(id, on: &connection)
    return [
      .init(name: "balance", value: .amount(account.balance)),
      .init(name: "staked", value: .amount(account.staked)),
      .init(name: "voting_power", value: .amount(account.staked)),
      .init(
        name: "validator",
        value: .bool(account.staked >= policy.amount(.validatorStake))
      ),
    ]
  }
}

extension Connection {
  fileprivate mutating func reduce(_ stake: Stake, by taken: Amount) throws(LedgerError) {
    if taken == stake.amount {
      try execute("DELETE FROM stakes WHERE id = ?", [.integer(stake.id)])
    } else {
      try execute(
        "UPDATE stakes SET whole = ?, nano = ?, atto = ? WHERE id = ?",
        (stake.amount - taken).columns + [.integer(stake.id)]
      )
    }
  }
}
