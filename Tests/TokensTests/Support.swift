import Foundation
import PluginStorage
import Synchronization
import Testing

@testable import GatewayPlugin
@testable import Tokens

/// A time that a test moves.
final class ManualClock: Sendable {
  private let time = Mutex<Int64>(1_700_000_000_000_000_000)
  var now: Int64 { time.withLock { $0 } }
  func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000_000 } }
}

/// A ledger in a folder of its own, removed with the test.
final class Book: Sendable {
  let folder: String
  let clock = ManualClock()
  let rules: LedgerRules
  let ledger: Ledger
  var path: String { folder + "/tokens.sqlite" }

  init(_ set: (inout LedgerRules) -> Void = { _ in }) throws {
    folder = NSTemporaryDirectory() + "tokens-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var rules = LedgerRules()
    // Amounts in tests are easier to follow without a share for the treasury; `SelfDealingTests` has the defaults.
    rules.policy[.marketplaceFee] = 0
    rules.policy[.rewardLimit] = 100
    set(&rules)
    self.rules = rules
    ledger = try Ledger(
      path: folder + "/tokens.sqlite",
      rules: rules,
      clock: { [clock] in clock.now }
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// The same ledger, opened again as after a restart.
  func reopened(_ set: (inout LedgerRules) -> Void = { _ in }) throws -> Ledger {
    var rules = rules
    set(&rules)
    return try Ledger(path: path, rules: rules, clock: { [clock] in clock.now })
  }

  /// Opens accounts.
  func open(_ accounts: String...) throws { for id in accounts { _ = try ledger.openAccount(id) } }

  /// Gives an account so much more.
  func give(_ account: String, _ amount: String) throws {
    try open(account)
    _ = try ledger.mint(to: account, amount: Amount(amount), reason: "test", key: nil)
  }

  func balance(_ account: String) throws -> String {
    try #require(try ledger.account(account)).balance.description
  }

  func staked(_ account: String) throws -> String {
    try #require(try ledger.account(account)).staked.description
  }

  func locked(_ account: String) throws -> String {
    try #require(try ledger.account(account)).locked.description
  }

  /// What a second connection reads, as an operator's would.
  func rows<Value>(_ sql: String, _ read: (Row) -> Value) throws -> [Value] {
    var connection = try Connection.open(path: path, readOnly: true)
    return try connection.rows(sql, [], read)
  }

  /// Changes the file behind the ledger's back.
  func tamper(_ sql: String) throws {
    var connection = try Connection.open(path: path, readOnly: false)
    try connection.script(sql)
  }

  var entryCount: Int { get throws { try rows("SELECT count(*) FROM entries") { $0.count(0) }[0] } }

  /// Every invariant, by SQL of the test's own and by the audit.
  func expectSound(_ what: String = "") throws {
    let total = try rows(
      """
      SELECT SUM(balance_whole + staked_whole + locked_whole), SUM(balance_nano + staked_nano + locked_nano),
      SUM(balance_atto + staked_atto + locked_atto) FROM accounts
      """
    ) { $0.amount(0) }
    #expect(total == [.zero], "\(what)")
    for bucket in ["balance", "staked", "locked"] {
      // Amounts are compared here: a sum of limbs may be another writing of the same amount.
      let pairs = try rows(
        """
        SELECT a.id, \(bucket)_whole, \(bucket)_nano, \(bucket)_atto, SUM(whole), SUM(nano), SUM(atto)
        FROM accounts a LEFT JOIN postings ON account = id AND bucket = '\(bucket)' GROUP BY a.id
        """
      ) { (id: $0.text(0), has: $0.amount(1), sum: $0.amount(4)) }
      #expect(pairs.filter { $0.has != $0.sum }.map(\.id) == [], "\(bucket) \(what)")
    }
    let locks = try rows(
      """
      SELECT SUM(whole), SUM(nano), SUM(atto) FROM (SELECT -locked_whole whole, -locked_nano nano, -locked_atto atto
      FROM accounts UNION ALL SELECT whole, nano, atto FROM locks WHERE state = 'open')
      """
    ) { $0.amount(0) }
    #expect(locks == [.zero], "locks \(what)")
    let audit = LedgerAudit(ledger, entries: 1_000_000, accounts: 1_000_000)
    _ = try audit.look()
    #expect(audit.fault == nil, "\(what)")
  }
}

func key(_ text: String, _ user: String = "alice", _ argument: JSON = [:]) -> IdempotencyKey {
  IdempotencyKey(subject: "user:" + user, key: text, operation: "test", argument: argument)
}

/// What the ledger refused `body` with; "" when it did not.
func refusal(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch LedgerError.refused(let refusal) {
    return refusal.code.rawValue
  } catch LedgerError.invalid(let errors) {
    return errors.map(\.field).joined(separator: ",")
  } catch {
    return "\(error)"
  }
}
