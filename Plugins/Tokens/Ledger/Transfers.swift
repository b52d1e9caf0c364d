import GatewayPlugin
import PluginStorage

extension Ledger {
  /// Moves an amount from one user's account to another account, and the fee to the treasury.
  ///
  /// - Parameters:
  ///   - from: Opened at its first sight.
  ///   - to: Must have been opened.
  ///   - amount: More than 0.
  ///   - memo: Kept as the entry's reason.
  ///   - key: Of the request.
  /// - Returns: `transaction_id, from, to, amount, fee, balance, memo, timestamp`.
  /// - Throws: `INSUFFICIENT_BALANCE` when amount and fee are more than the balance, `UNKNOWN_ACCOUNT`, `NOT_ALLOWED`.
  package func transfer(
    from: String,
    to: String,
    amount: Amount,
    memo: String = "",
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    guard amount > .zero else { throw .invalid("amount", AmountError.zero.description) }
    guard from != to else {
      throw .invalid("to", "must be another account than the sender's")
    }
    guard to != AccountName.supply else {
      throw .refused(
        .notAllowed,
        "\(to) is the ledger's own; FOG goes back to it by POST /v1/tokens/burn."
      )
    }
    return try once(key) { connection, change throws(LedgerError) in
      let sender = try change.open(from, on: &connection)
      _ = try change.known(to, on: &connection)
      let fee = change.policy.amount(.transferFee)
      guard sender.balance >= amount + fee else {
        throw .insufficient(account: from, needed: amount + fee, sender.balance)
      }
      let entry = try change.post(
        EntryDraft(.transfer, amount, from: Leg(from), to: Leg(to), reason: memo),
        on: &connection
      )
      if fee > .zero {
        let draft = EntryDraft(
          .fee,
          fee,
          from: Leg(from),
          to: Leg(AccountName.treasury),
          reason: "The fee of a transfer.",
          reference: String(entry)
        )
        try change.post(draft, on: &connection)
      }
      return [
        "transaction_id": .string(String(entry)), "from": .string(from), "to": .string(to),
        "amount": .string(amount.description), "fee": .string(fee.description),
        "balance": .string(try change.known(from, on: &connection).balance.description),
        "memo": .string(memo), "status": "confirmed", "timestamp": .time(change.now),
      ]
    }
  }

  /// Issues an amount to an account.
  ///
  /// - Parameters:
  ///   - account: Must have been opened.
  ///   - amount: More than 0.
  ///   - reason: Why.
  ///   - key: Of the request.
  /// - Returns: `transaction_id, account, amount, balance, total_supply, timestamp`.
  /// - Throws: `SUPPLY_CAP`, `UNKNOWN_ACCOUNT`, `NOT_ALLOWED`.
  package func mint(
    to account: String,
    amount: Amount,
    reason: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    try issue(.mint, account, amount, reason, key)
  }

  /// Takes an amount of an account out of the world.
  ///
  /// - Parameters:
  ///   - account: Must have been opened.
  ///   - amount: More than 0.
  ///   - reason: Why.
  ///   - key: Of the request.
  /// - Returns: `transaction_id, account, amount, balance, total_supply, timestamp`.
  /// - Throws: `INSUFFICIENT_BALANCE`, `UNKNOWN_ACCOUNT`, `NOT_ALLOWED`.
  package func burn(
    from account: String,
    amount: Amount,
    reason: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    try issue(.burn, account, amount, reason, key)
  }

  private func issue(
    _ kind: EntryKind,
    _ account: String,
    _ amount: Amount,
    _ reason: String,
    _ key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    guard amount > .zero else { throw .invalid("amount", AmountError.zero.description) }
    guard account != AccountName.supply else {
      throw .invalid("account", "must be another account than the ledger's own \(account)")
    }
    return try once(key) { connection, change throws(LedgerError) in
      _ = try change.known(account, on: &connection)
      let legs = [Leg(AccountName.supply), Leg(account)]
      let draft = EntryDraft(
        kind,
        amount,
        from: kind == .mint ? legs[0] : legs[1],
        to: kind == .mint ? legs[1] : legs[0],
        reason: reason
      )
      let entry = try change.post(draft, on: &connection)
      return [
        "transaction_id": .string(String(entry)), "account": .string(account),
        "amount": .string(amount.description),
        "balance": .string(try change.known(account, on: &connection).balance.description),
        "total_supply": .string(try change.supply(on: &connection).description),
        "status": "confirmed", "timestamp": .time(change.now),
      ]
    }
  }
}

extension JSON {
  /// A time as RFC 3339 text with milliseconds, from nanoseconds since 1970.
  static func time(_ nanoseconds: Int64) -> JSON {
    .string(Timestamp.text(nanoseconds: nanoseconds, milliseconds: true))
  }

  /// An amount as a decimal text.
  static func amount(_ amount: Amount) -> JSON { .string(amount.description) }
}
