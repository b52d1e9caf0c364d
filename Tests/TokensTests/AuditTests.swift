import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("The audit")
struct AuditTests {
  static func book() throws -> Book {
    let book = try Book()
    try book.open("alice", "bob")
    for _ in 0..<20 {
      _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("1"), key: nil)
    }
    _ = try book.ledger.stake("bob", amount: Amount("1000"), seconds: nil, key: nil)
    _ = try book.ledger.lock("alice", amount: Amount("5"), reference: "j", key: nil)
    return book
  }

  static let unguard =
    "DROP TRIGGER entries_stay; DROP TRIGGER entries_remain; DROP TRIGGER postings_stay; DROP TRIGGER postings_remain; PRAGMA foreign_keys = OFF;"

  @Test("a sound ledger is healthy, and is verified slice by slice")
  func sound() throws {
    let book = try Self.book()
    let audit = LedgerAudit(book.ledger, entries: 10, accounts: 2)
    let entries = try book.entryCount
    for look in 1...6 {
      let health = try audit.look()
      #expect(health.state == .healthy)
      #expect(health.detail["verified_entries"]?.asInteger == Int64(min(entries, look * 10)))
    }
    #expect(try audit.look().detail["verified_account_rounds"] == 1)
    #expect(!book.ledger.isHalted)
  }

  @Test(
    "whatever is changed behind the ledger's back is found, and halts it",
    arguments: [
      ("UPDATE accounts SET balance_whole = balance_whole + 1 WHERE id = 'alice'", "sum to"),
      (
        "UPDATE accounts SET staked_atto = 1, balance_whole = balance_whole - 1, balance_nano = 999999999, balance_atto = 999999999 WHERE id = 'alice'",
        ""
      ),
      (
        "UPDATE accounts SET balance_whole = balance_whole + (CASE id WHEN 'alice' THEN 1 ELSE -1 END) WHERE id IN ('alice', 'bob')",
        "postings sum"
      ),
      ("UPDATE entries SET reason = 'forged' WHERE id = 7", "entry 7"),
      ("UPDATE entries SET at = at + 1 WHERE id = 7", "entry 7"),
      ("UPDATE entries SET hash = previous WHERE id = 7", "entry 7"),
      ("DELETE FROM entries WHERE id = 7", "entry 7"),
      ("UPDATE postings SET whole = -2 WHERE entry = 7 AND ordinal = 0", "entry 7"),
      ("UPDATE postings SET account = 'bob' WHERE entry = 7 AND ordinal = 0", "entry 7"),
      ("DELETE FROM postings WHERE entry = 7", "entry 7"),
      ("UPDATE postings SET whole = whole * 2 WHERE entry = 6", "entry 6"),
      ("UPDATE stakes SET whole = 999", "stakes sum"),
      ("UPDATE locks SET state = 'released'", "locks sum"),
    ] as [(String, String)]
  )
  func finds(_ sql: String, _ words: String) throws {
    let book = try Self.book()
    try book.tamper(Self.unguard + sql)
    let audit = LedgerAudit(book.ledger, entries: 10, accounts: 100)
    for _ in 1...6 { _ = try audit.look() }
    let fault = try #require(audit.fault)
    #expect(words.isEmpty || fault.contains(words), "\(fault)")
    let health = try audit.look()
    #expect(health.state == .unhealthy && health.detail["reason"]?.asString == fault)
    #expect(book.ledger.isHalted)
    #expect(throws: LedgerError.halted) {
      try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("1"), key: nil)
    }
    #expect(try book.ledger.account("alice") != nil, "reading goes on")
  }

  @Test("the database itself refuses overdrafts and changes of the journal")
  func guarded() throws {
    let book = try Self.book()
    for sql in [
      "UPDATE accounts SET balance_whole = -1 WHERE id = 'alice'",
      "UPDATE accounts SET staked_nano = -1 WHERE id = 'bob'",
      "UPDATE accounts SET locked_whole = -1 WHERE id = 'alice'",
      "UPDATE accounts SET balance_whole = 1 WHERE id = 'system:supply'",
      "UPDATE accounts SET balance_nano = 1000000000 WHERE id = 'alice'",
      "UPDATE entries SET reason = ''", "DELETE FROM entries", "UPDATE postings SET whole = 0",
      "DELETE FROM postings",
      "INSERT INTO postings VALUES (1, 2, 'alice', 'balance', 1, 0, 0)",
      "INSERT INTO postings VALUES (99999, 0, 'alice', 'balance', 0, 0, 0)",
      "INSERT INTO entries VALUES (9999, 0, 'gift', '', '', '', '')",
    ] {
      #expect(throws: (any Error).self, "\(sql)") { try book.tamper(sql) }
    }
    try book.expectSound()
  }
}
