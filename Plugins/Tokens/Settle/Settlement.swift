import GatewayPlugin
import PluginStorage

/// What becomes of a lock once its job is over.
package struct Settlement: Sendable, Equatable {
  /// One payment out of the lock.
  package struct Payment: Sendable, Equatable {
    /// Why it is paid.
    package enum Reason: String, Sendable, CaseIterable {
      /// For work done.
      case payment
      /// Back to the lock's account, because a promise was missed.
      case credit = "sla_credit"
    }

    package let to: String
    package let amount: Amount
    package let reason: Reason

    package init(to: String, amount: Amount, reason: Reason) {
      self.to = to
      self.amount = amount
      self.reason = reason
    }
  }

  package let lock: String
  package var payments: [Payment] = []
  package var reward: (to: String, for: Contribution)?
  package var penalty: (from: String, amount: Amount)?

  package init(lock: String) { self.lock = lock }

  package static func == (one: Settlement, other: Settlement) -> Bool {
    one.lock == other.lock && one.payments == other.payments
      && one.reward?.to == other.reward?.to && one.reward?.for == other.reward?.for
      && one.penalty?.from == other.penalty?.from && one.penalty?.amount == other.penalty?.amount
  }
}

extension LedgerChange {
  mutating func settle(
    _ settlement: Settlement,
    _ lock: BalanceLock,
    on connection: inout Connection
  ) throws(LedgerError) -> JSON {
    let first = entries.count
    var left = lock.amount
    var paid = Amount.zero
    // Whoever pays an own account has paid nothing.
    var paidToOthers = Amount.zero
    var settled: [JSON] = []
    for payment in settlement.payments where payment.amount > .zero {
      guard payment.amount <= left else {
        throw .refused(
          .invalidAmount,
          "payments are more than the \(lock.amount) FOG of the lock; pay at most that."
        )
      }
      left -= payment.amount
      if payment.reason == .payment {
        paid += payment.amount
        if payment.to != lock.account { paidToOthers += payment.amount }
      }
      let entry = try pay(payment, lock, on: &connection)
      settled.append([
        "to": .string(payment.reason == .credit ? lock.account : payment.to),
        "amount": .amount(payment.amount), "reason": .string(payment.reason.rawValue),
        "entry": .string(String(entry)),
      ])
    }
    if left > .zero { try post(lock.release(left), on: &connection) }
    let reward = try reward(settlement, lock, paid: paidToOthers, on: &connection)
    let penalty = try penalize(settlement, lock, on: &connection)
    var members: [JSON.Member] = [
      .init(name: "settled", value: .array(settled)),
      .init(name: "paid", value: .amount(paid)),
      .init(name: "refunded", value: .amount(lock.amount - paid)),
      .init(name: "reward", value: .amount(reward.amount)),
      .init(name: "penalty", value: .amount(penalty)),
      .init(
        name: "entries",
        value: .array(entries[first...].map { .string(String($0.id)) })
      ),
    ]
    if let reason = reward.reason {
      members.append(.init(name: "reward_reason", value: .string(reason)))
    }
    return .object(members)
  }

  private mutating func pay(
    _ payment: Settlement.Payment,
    _ lock: BalanceLock,
    on connection: inout Connection
  ) throws(LedgerError) -> Int64 {
    let isCredit = payment.reason == .credit
    let payee = isCredit ? lock.account : payment.to
    guard !isCredit || payment.to.isEmpty || payment.to == lock.account else {
      throw .refused(
        .notAllowed,
        "An sla_credit goes to the lock's own account, not to \(payment.to)."
      )
    }
    try openPayee(payee, on: &connection)
    let entry = try post(
      EntryDraft(
        .settlement,
        payment.amount,
        from: Leg(lock.account, .locked),
        to: Leg(payee),
        reason: payment.reason.rawValue,
        reference: lock.reference
      ),
      on: &connection
    )
    let fee = payment.amount.share(policy[.marketplaceFee], of: 10_000)
    if !isCredit, fee > .zero, payee != AccountName.treasury {
      let draft = EntryDraft(
        .marketplaceFee,
        fee,
        from: Leg(payee),
        to: Leg(AccountName.treasury),
        reason: "entry:\(entry)",
        reference: lock.reference
      )
      try post(draft, on: &connection)
    }
    return entry
  }

  /// Opens the account of somebody who gets something; the ledger's own get nothing, but the treasury.
  private mutating func openPayee(
    _ account: String,
    on connection: inout Connection
  ) throws(LedgerError) {
    guard !AccountName.isSystem(account) || account == AccountName.treasury else {
      throw .refused(.notAllowed, "\(account) is the ledger's own; nothing is paid to it.")
    }
    try open(account, on: &connection)
  }

  /// Mints what a contribution earns, as far as others paid for it, or nothing when that would pass the maximum supply.
  private mutating func reward(
    _ settlement: Settlement,
    _ lock: BalanceLock,
    paid: Amount,
    on connection: inout Connection
  ) throws(LedgerError) -> (amount: Amount, reason: String?) {
    guard let (account, contribution) = settlement.reward else { return (.zero, nil) }
    let week: Int64 = 7 * 86_400 * 1_000_000_000
    let rewarded = try connection.rewardedCompute(since: now - week)
    let earned = contribution.reward(policy, rewarded: rewarded)
    guard earned > .zero else { return (.zero, "The contribution earns nothing by the rule.") }
    guard account != lock.account else {
      return (.zero, "Work for one's own account earns nothing.")
    }
    let amount = min(earned, paid.share(policy[.rewardLimit], of: 100))
    let limited =
      amount < earned
      ? "Limited from \(earned) FOG to \(policy[.rewardLimit]) % of the payment." : nil
    guard amount > .zero else { return (.zero, limited) }
    try openPayee(account, on: &connection)
    guard amount <= (try mintable(on: &connection)) else {
      return (.zero, "\(amount) FOG would pass the maximum supply of \(rules.maximumSupply) FOG.")
    }
    let halves = Contribution.scarcityHalves(rewarded: rewarded)
    let bonus = Amount(units: contribution.bonusFifths * Amount.unitsOfOne / 5)
    let scarcity = Amount(units: halves * Amount.unitsOfOne / 2)
    let entry = try post(
      EntryDraft(
        .reward,
        amount,
        from: Leg(AccountName.supply),
        to: Leg(account),
        reason: "Work; bonus \(bonus) %, scarcity \(scarcity).",
        reference: lock.reference
      ),
      on: &connection
    )
    try connection.insert(contribution, entry: entry, account: account, at: now)
    return (amount, limited)
  }

  /// Burns a penalty, as far as balance and then stake of the account reach; gives what was taken.
  private mutating func penalize(
    _ settlement: Settlement,
    _ lock: BalanceLock,
    on connection: inout Connection
  ) throws(LedgerError) -> Amount {
    guard let (id, amount) = settlement.penalty,
      let account = try connection.account(id)
    else { return .zero }
    guard !AccountName.isSystem(id) else {
      throw .refused(.notAllowed, "\(id) is the ledger's own; it pays no penalty.")
    }
    let ofBalance = min(amount, account.balance)
    let ofStake = try slash(id, amount - ofBalance, on: &connection)
    for (taken, bucket) in [(ofBalance, Account.Bucket.balance), (ofStake, .staked)]
    where taken > .zero {
      let draft = EntryDraft(
        .penalty,
        taken,
        from: Leg(id, bucket),
        to: Leg(AccountName.supply),
        reason: "A penalty for a promise that was not kept.",
        reference: lock.reference
      )
      try post(draft, on: &connection)
    }
    return ofBalance + ofStake
  }
}
