package import GatewayPlugin
import PluginStorage

/// An amount of an account that is held for a job.
struct BalanceLock: Sendable, Equatable {
  /// How far a lock is.
  enum State: String, Sendable {
    case open
    case settled
    case released
  }

  let id: String
  let account: String
  let amount: Amount
  let reference: String
  let state: State

  static let columns = "id, account, whole, nano, atto, reference, state"

  init(_ row: Row) {
    id = row.text(0)
    account = row.text(1)
    amount = row.amount(2)
    reference = row.text(5)
    // The table's CHECK allows no other word.
    state = State(rawValue: row.text(6)) ?? .released
  }

  var json: JSON {
    [
      "lock_id": .string(id), "state": .string(state.rawValue), "amount": .amount(amount),
      "account": .string(account), "reference": .string(reference),
    ]
  }
}

extension Connection {
  mutating func balanceLock(_ id: String) throws(LedgerError) -> BalanceLock {
    let sql = "SELECT \(BalanceLock.columns) FROM locks WHERE id = ?"
    guard let lock = try find(sql, [.text(id)], BalanceLock.init) else {
      throw .refused(
        .unknownLock,
        "There is no lock \(JSON.string(id.shortened).text)."
      )
    }
    return lock
  }

  /// The lock, which must be open.
  fileprivate mutating func openLock(_ id: String) throws(LedgerError) -> BalanceLock {
    let lock = try balanceLock(id)
    guard lock.state == .open else {
      throw .refused(.lockClosed, "The lock \(id) is \(lock.state.rawValue); that is done once.")
    }
    return lock
  }

  fileprivate mutating func close(
    _ lock: BalanceLock,
    _ state: BalanceLock.State,
    at: Int64
  ) throws(LedgerError) {
    try execute(
      "UPDATE locks SET state = ?, closed_at = ? WHERE id = ?",
      [.text(state.rawValue), .integer(at), .text(lock.id)]
    )
  }
}

extension Ledger {
  /// Holds an amount of an account.
  ///
  /// - Parameters:
  ///   - account: Opened at its first sight; not the ledger's own.
  ///   - amount: More than 0.
  ///   - reference: What it is for, like a job.
  ///   - key: Of the call.
  /// - Returns: `lock_id, amount, balance`.
  /// - Throws: `INSUFFICIENT_BALANCE`, `INVALID_AMOUNT`, `NOT_ALLOWED`.
  package func lock(
    _ account: String,
    amount: Amount,
    reference: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    guard amount > .zero else {
      throw .refused(.invalidAmount, "amount \(AmountError.zero)")
    }
    guard !AccountName.isSystem(account) else {
      throw .refused(.notAllowed, "\(account) is the ledger's own; nothing of it is locked.")
    }
    return try once(key) { connection, change throws(LedgerError) in
      try change.open(account, on: &connection)
      let id = UUID4.make()
      try connection.execute(
        """
        INSERT INTO locks(id, account, whole, nano, atto, reference, state, created_at)
        VALUES (?, ?, ?, ?, ?, ?, 'open', ?)
        """,
        [.text(id), .text(account)] + amount.columns + [.text(reference), .integer(change.now)]
      )
      let draft = EntryDraft(
        .lock,
        amount,
        from: Leg(account),
        to: Leg(account, .locked),
        reason: "lock:\(id)",
        reference: reference
      )
      try change.post(draft, on: &connection)
      return [
        "lock_id": .string(id), "amount": .amount(amount),
        "balance": .amount(try change.known(account, on: &connection).balance),
      ]
    }
  }

  /// Gives all of a lock back to its account.
  ///
  /// - Parameters:
  ///   - id: The lock.
  ///   - key: Of the call.
  /// - Returns: `refunded`.
  /// - Throws: `UNKNOWN_LOCK`, `LOCK_CLOSED`.
  package func release(_ id: String, key: IdempotencyKey?) throws(LedgerError) -> OnceAnswer {
    try once(key) { connection, change throws(LedgerError) in
      let lock = try connection.openLock(id)
      try connection.close(lock, .released, at: change.now)
      try change.post(lock.release(lock.amount), on: &connection)
      return ["refunded": .amount(lock.amount)]
    }
  }

  /// The lock as it stands.
  package func lockState(_ id: String) throws(LedgerError) -> JSON {
    try read { connection throws(LedgerError) in try connection.balanceLock(id).json }
  }

  /// Settles a lock in one transaction: payments, the rest back, the reward, the penalty.
  ///
  /// - Parameters:
  ///   - settlement: What is paid to whom.
  ///   - key: Of the call.
  /// - Returns: `settled, paid, refunded, reward, reward_reason, penalty, entries`.
  /// - Throws: `UNKNOWN_LOCK`, `LOCK_CLOSED`, `INVALID_AMOUNT`, `NOT_ALLOWED`.
  package func settle(
    _ settlement: Settlement,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    try once(key) { connection, change throws(LedgerError) in
      let lock = try connection.openLock(settlement.lock)
      try connection.close(lock, .settled, at: change.now)
      return try change.settle(settlement, lock, on: &connection)
    }
  }
}

extension BalanceLock {
  func release(_ amount: Amount) -> EntryDraft {
    EntryDraft(
      .release,
      amount,
      from: Leg(account, .locked),
      to: Leg(account),
      reason: "lock:\(id)",
      reference: reference
    )
  }
}
