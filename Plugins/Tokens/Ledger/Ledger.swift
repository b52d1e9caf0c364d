import GatewayPlugin
package import PluginStorage
import Synchronization

/// The ledger of FOG: accounts, and a journal of balanced entries whose sum they are.
///
/// Every method that changes something is one transaction of the database's one writer: it is on the disk when the method
/// returns, or nothing of it is. Methods may be called from any thread and block.
package final class Ledger: Sendable {
  /// Told of what was entered, on the thread that did it, once it is on the disk; accounts by the bytes of their names.
  package typealias Observer =
    @Sendable (_ entries: [Entry], _ accounts: [[UInt8]: Account]) -> Void

  package let database: Database
  package let rules: LedgerRules
  private let clock: @Sendable () -> Int64
  private let observer: Observer
  private let halted = Atomic<Bool>(false)

  /// Opens the ledger, and issues the initial supply when it is new.
  ///
  /// - Parameters:
  ///   - path: Of the database, made when absent.
  ///   - rules: What the operator fixed.
  ///   - clock: Nanoseconds since 1970.
  ///   - observer: Told of what was entered.
  /// - Throws: `LedgerError.storage`; nothing of a new ledger stays.
  package init(
    path: String,
    rules: LedgerRules,
    clock: @escaping @Sendable () -> Int64 = Clock.wall,
    observer: @escaping Observer = { _, _ in }
  ) throws(LedgerError) {
    do { database = try Database(path: path, schema: .tokens) } catch { throw .storage(error) }
    self.rules = rules
    self.clock = clock
    self.observer = observer
    try begin()
  }

  /// Whether nothing is entered any more because the audit found a fault.
  package var isHalted: Bool { halted.load(ordering: .acquiring) }

  /// Enters nothing from now on; reading goes on.
  package func halt() { halted.store(true, ordering: .releasing) }

  /// Now, in nanoseconds since 1970.
  package var now: Int64 { clock() }

  private func begin() throws(LedgerError) {
    try change { connection, change throws(LedgerError) in
      if change.lastEntry == 0 {
        for account in [AccountName.supply, AccountName.treasury] {
          try change.open(account, on: &connection)
        }
        if change.rules.initialSupply > .zero {
          let draft = EntryDraft(
            .mint,
            change.rules.initialSupply,
            from: Leg(AccountName.supply),
            to: Leg(AccountName.treasury),
            reason: "The initial supply."
          )
          try change.post(draft, on: &connection)
        }
      }
      try change.noteRate(on: &connection)
    }
  }

  // MARK: Transactions

  /// Runs `body` in one transaction; what it throws rolls everything back.
  func change<Value: Sendable>(
    _ body: (inout Connection, inout LedgerChange) throws(LedgerError) -> Value
  ) throws(LedgerError) -> Value {
    guard !isHalted else { throw .halted }
    var failure: LedgerError?
    var finished: LedgerChange?
    let value: Value
    do throws(StorageError) {
      value = try database.write { (connection) throws(StorageError) -> Value in
        do throws(LedgerError) {
          var change = try LedgerChange(now: clock(), rules: rules, on: &connection)
          let value = try body(&connection, &change)
          finished = change
          return value
        } catch {
          failure = error
          // The writer rolls back for any error of storage; which one the caller gets is noted above.
          throw .busy
        }
      }
    } catch {
      throw failure ?? .storage(error)
    }
    if let finished, !finished.entries.isEmpty { observer(finished.entries, finished.accounts) }
    return value
  }

  /// The same for a request that may come again: the second time it gives the first answer and changes nothing.
  func once(
    _ key: IdempotencyKey?,
    _ body: (inout Connection, inout LedgerChange) throws(LedgerError) -> JSON
  ) throws(LedgerError) -> OnceAnswer {
    try change { connection, change throws(LedgerError) in
      if let key, let kept = try connection.answer(to: key) {
        return OnceAnswer(json: kept, isReplay: true)
      }
      let answer = try body(&connection, &change)
      if let key { try connection.keep(answer, under: key, at: change.now) }
      return OnceAnswer(json: answer, isReplay: false)
    }
  }

  /// Reads at one moment, beside the writer.
  package func read<Value: Sendable>(
    _ body: (inout Connection) throws(LedgerError) -> Value
  ) throws(LedgerError) -> Value {
    var failure: LedgerError?
    do throws(StorageError) {
      return try database.read { (connection) throws(StorageError) -> Value in
        do throws(LedgerError) { return try body(&connection) } catch {
          failure = error
          throw .busy
        }
      }
    } catch {
      throw failure ?? .storage(error)
    }
  }

  // MARK: Accounts

  /// The account, or `nil` when it was never opened.
  package func account(_ id: String) throws(LedgerError) -> Account? {
    try read { connection throws(LedgerError) in try connection.account(id) }
  }

  /// The account, opened with the signup grant at its first sight.
  package func openAccount(_ id: String) throws(LedgerError) -> Account {
    if let account = try account(id) { return account }
    return try change { connection, change throws(LedgerError) in
      try change.open(id, on: &connection)
    }
  }

  /// What there is of FOG.
  package func supply() throws(LedgerError) -> Amount {
    -(try account(AccountName.supply)?.balance ?? .zero)
  }

  /// The numbers that hold now.
  package func policy() throws(LedgerError) -> Policy {
    try read { connection throws(LedgerError) in try rules.policy(on: &connection) }
  }

  /// Forgets users' idempotency keys made before `time`, at most 1000; those of services stay.
  ///
  /// - Parameter time: Nanoseconds since 1970.
  /// - Returns: How many were forgotten.
  /// - Throws: `LedgerError.storage`.
  package func forgetKeys(before time: Int64) throws(LedgerError) -> Int {
    let sql = """
      DELETE FROM idempotency WHERE (subject, key) IN (
        SELECT subject, key FROM idempotency WHERE at < ? AND subject NOT LIKE 'service:%' LIMIT 1000)
      """
    return try change { connection, _ throws(LedgerError) in
      try connection.execute(sql, [.integer(time)])
    }
  }
}
