package import GatewayPlugin
import PluginStorage
import Synchronization

/// Checks the ledger against itself, a slice at each look.
///
/// At each look: all accounts sum to 0 (the account of the supply is below it by what was issued), and the supply is
/// within its maximum. Over looks: every entry balances and its hash follows from the one before, completely once after
/// the start and then what is new; every account has what its postings sum to, round after round. A fault stays until
/// the process ends, and halts the ledger: nothing is entered over a broken one.
package final class LedgerAudit: Sendable {
  private struct Progress {
    /// The last entry that was verified, and its hash.
    var entry: Int64 = 0
    var hash = EntryHash.beginning
    /// The last account that was verified in this round.
    var account = ""
    var rounds: Int64 = 0
    /// When the next round may begin, in nanoseconds since 1970.
    var nextRound = Int64.min
    var fault: String?
  }

  /// Between the beginnings of two rounds over all accounts: a busy account has as many postings as there are entries.
  private static let roundTime: Int64 = 600 * 1_000_000_000

  private let ledger: Ledger
  private let progress = Mutex(Progress())
  private let entriesEachLook: Int
  private let accountsEachLook: Int

  /// An audit that begins at the first entry.
  ///
  /// - Parameters:
  ///   - ledger: What is audited.
  ///   - entries: Verified at each look; 10,000 take about half a second.
  ///   - accounts: Verified at each look.
  package init(_ ledger: Ledger, entries: Int = 10_000, accounts: Int = 1000) {
    self.ledger = ledger
    entriesEachLook = entries
    accountsEachLook = accounts
  }

  /// What is wrong, if anything was found.
  package var fault: String? { progress.withLock { $0.fault } }

  /// Looks once; on a worker, may block.
  ///
  /// - Parameter sumsAlone: Adds up accounts, stakes and locks, and leaves the slices to later looks.
  /// - Returns: What was found, for `/health`; unhealthy with the fault when there is one.
  /// - Throws: `LedgerError.storage` when the database cannot be read.
  @discardableResult
  package func look(sumsAlone: Bool = false) throws(LedgerError) -> Health {
    try progress.withLock { (progress) throws(LedgerError) -> Health in
      var next = progress
      let sums = try ledger.read { connection throws(LedgerError) in
        var sums = Sums()
        sums.fault = try connection.faultOfSums(&sums, ledger.rules)
        return sums
      }
      next.fault = next.fault ?? sums.fault
      if next.fault == nil, !sumsAlone { try verifyEntries(&next) }
      if next.fault == nil, !sumsAlone { try verifyAccounts(&next) }
      progress = next
      if let fault = next.fault {
        ledger.halt()
        return .unhealthy([
          "reason": .string(fault),
          "remedy":
            "nothing is entered any more; see Plugins/Tokens/README.md, and restore a backup",
        ])
      }
      return .healthy([
        "entries": .integer(sums.last), "verified_entries": .integer(next.entry),
        "verified_account_rounds": .integer(next.rounds), "total_supply": .amount(sums.supply),
      ])
    }
  }

  fileprivate struct Sums: Sendable {
    var supply = Amount.zero
    var last: Int64 = 0
    var fault: String?
  }

  private func verifyEntries(_ progress: inout Progress) throws(LedgerError) {
    let (from, hash, count) = (progress.entry, progress.hash, entriesEachLook)
    let found = try ledger.read { connection throws(LedgerError) in
      try connection.verifyChain(after: from, hash, atMost: count)
    }
    (progress.entry, progress.hash, progress.fault) = found
  }

  private func verifyAccounts(_ progress: inout Progress) throws(LedgerError) {
    let (from, count) = (progress.account, accountsEachLook)
    if from.isEmpty {
      guard ledger.now >= progress.nextRound else { return }
      progress.nextRound = ledger.now + Self.roundTime
    }
    let found = try ledger.read { connection throws(LedgerError) in
      try connection.verifyAccounts(after: from, atMost: count)
    }
    progress.fault = found.fault
    progress.account = found.last ?? ""
    if found.last == nil { progress.rounds += 1 }
  }
}

extension Connection {
  /// Adds up all accounts; gives what is wrong with the sums.
  fileprivate mutating func faultOfSums(
    _ sums: inout LedgerAudit.Sums,
    _ rules: LedgerRules
  ) throws(LedgerError) -> String? {
    let sql = """
      SELECT SUM(balance_whole + staked_whole + locked_whole), SUM(balance_nano + staked_nano + locked_nano),
        SUM(balance_atto + staked_atto + locked_atto), SUM(locked_whole), SUM(locked_nano), SUM(locked_atto)
      FROM accounts
      """
    let totals = try find(sql) { (all: $0.amount(0), locked: $0.amount(3)) }
    let (total, locked) = (totals?.all ?? .zero, totals?.locked ?? .zero)
    sums.supply = -(try account(AccountName.supply)?.balance ?? .zero)
    sums.last = try find("SELECT max(id) FROM entries") { $0.integer(0) } ?? 0
    if total != .zero {
      return "the accounts sum to \(total) FOG more than the supply of \(sums.supply) FOG"
    }
    let open = try find(
      "SELECT SUM(whole), SUM(nano), SUM(atto) FROM locks WHERE state = 'open'"
    ) { $0.amount(0) }
    guard open == locked else {
      return
        "the open locks sum to \(open ?? .zero) FOG, and the accounts have \(locked) FOG locked"
    }
    // A maximum that an operator lowered below what exists is no fault: nothing more is issued.
    let staked = try totalStaked()
    let stakes = try find("SELECT SUM(whole), SUM(nano), SUM(atto) FROM stakes") { $0.amount(0) }
    guard stakes == staked else {
      return "the stakes sum to \(stakes ?? .zero) FOG, and the accounts have \(staked) FOG staked"
    }
    return nil
  }

  /// Verifies the entries after one: ids without gaps, balance, hash.
  fileprivate mutating func verifyChain(
    after first: Int64,
    _ hash: String,
    atMost count: Int
  ) throws(LedgerError) -> (last: Int64, hash: String, fault: String?) {
    var (last, hash) = (first, hash)
    let ids = try list(
      "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT ?",
      [.integer(first), .count(count)]
    ) { $0.integer(0) }
    for id in ids {
      guard id == last + 1 else { return (last, hash, "entry \(last + 1) is missing") }
      guard let (entry, kept) = try entry(id) else { break }
      let sum = entry.postings.reduce(Amount.zero) { $0 + $1.amount }
      guard sum == .zero, !entry.postings.isEmpty else {
        return (last, hash, "entry \(id) does not balance: its postings sum to \(sum) FOG")
      }
      guard entry.previous == hash else {
        return (last, hash, "entry \(id) does not name the hash of entry \(last)")
      }
      guard EntryHash.of(entry) == kept else {
        return (last, hash, "entry \(id) was changed: its hash is another")
      }
      (last, hash) = (id, kept)
    }
    return (last, hash, nil)
  }

  /// Verifies that accounts have what their postings sum to; `last` is `nil` at the end of a round.
  fileprivate mutating func verifyAccounts(
    after first: String,
    atMost count: Int
  ) throws(LedgerError) -> (last: String?, fault: String?) {
    let ids = try list(
      "SELECT id FROM accounts WHERE id > ? ORDER BY id LIMIT ?",
      [.text(first), .count(count)]
    ) { $0.text(0) }
    for id in ids {
      guard let account = try account(id) else { continue }
      let sums = try list(
        """
        SELECT bucket, SUM(whole), SUM(nano), SUM(atto) FROM postings INDEXED BY postings_by_account
        WHERE account = ? GROUP BY bucket
        """,
        [.text(id)]
      ) { (bucket: Account.Bucket(rawValue: $0.text(0)), amount: $0.amount(1)) }
      for bucket in Account.Bucket.allCases {
        let sum = sums.first { $0.bucket == bucket }?.amount ?? .zero
        guard account[bucket] == sum else {
          return (
            id,
            "the \(bucket.rawValue) of an account is \(account[bucket]) FOG, and its postings sum to \(sum) FOG"
          )
        }
      }
    }
    return (ids.count < count ? nil : ids.last, nil)
  }
}
