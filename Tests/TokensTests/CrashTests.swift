import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import Tokens

/// Every change of the ledger, broken off before each of its writes and before its commit.
///
/// The fault is in the database, not in the ledger's code: triggers count the writes to every table and make the n-th
/// fail, as a full or failing disk would; a deferred constraint makes the commit fail after all of them.
@Suite("A crash between any two statements")
struct CrashTests {
  static let tables = [
    "accounts", "entries", "postings", "idempotency", "stakes", "proposals", "votes", "parameters",
    "locks", "contributions", "rates",
  ]

  static let arm =
    "CREATE TABLE fault(left INTEGER, failing INTEGER); INSERT INTO fault VALUES (1000000, 0);"
    + "CREATE TABLE nowhere(id INTEGER PRIMARY KEY); CREATE TABLE commits(x INTEGER REFERENCES nowhere(id) DEFERRABLE INITIALLY DEFERRED);"
    + tables.flatMap { table in
      ["INSERT", "UPDATE", "DELETE"].map { verb in
        """
        CREATE TRIGGER fault_\(table)_\(verb) BEFORE \(verb) ON \(table) BEGIN
          UPDATE fault SET left = left - 1;
          SELECT RAISE(ABORT, 'the disk failed') WHERE (SELECT left FROM fault) < 0;
          INSERT INTO commits SELECT 1 FROM fault WHERE failing = 1;
        END;
        """
      }
    }.joined()

  /// What is tried, by name; each changes something in the ledger of `prepared`.
  static let operations: [(String, @Sendable (Ledger) throws -> Void)] = [
    ("open", { _ = try $0.openAccount("new") }),
    (
      "transfer",
      { _ = try $0.transfer(from: "alice", to: "bob", amount: Amount("1.5"), key: key("t")) }
    ),
    ("mint", { _ = try $0.mint(to: "alice", amount: Amount("5"), reason: "x", key: key("m")) }),
    ("burn", { _ = try $0.burn(from: "alice", amount: Amount("5"), reason: "x", key: key("b")) }),
    ("stake", { _ = try $0.stake("alice", amount: Amount("1000"), seconds: nil, key: key("s")) }),
    ("unstake", { _ = try $0.unstake("alice", amount: Amount("1500"), key: key("u")) }),
    ("claim", { _ = try $0.claim("alice", key: key("c")) }),
    ("propose", { _ = try $0.propose(GovernanceTests.fee(), by: "whale", key: key("p")) }),
    ("vote", { _ = try $0.vote(2, .for, by: "whale", key: key("v")) }),
    ("execute", { _ = try $0.execute(1, key: key("e")) }),
    ("lock", { _ = try $0.lock("carol", amount: Amount("7"), reference: "j", key: key("l")) }),
    ("release", { _ = try $0.release(try lockID($0), key: key("r")) }),
    (
      "settle",
      { ledger in
        var settlement = Settlement(lock: try lockID(ledger))
        settlement.payments = [
          .init(to: "dora", amount: try Amount("3"), reason: .payment),
          .init(to: "", amount: try Amount("1"), reason: .credit),
        ]
        var work = Contribution()
        work.computeHours = 1_000_000
        settlement.reward = ("fog:n", work)
        settlement.penalty = ("alice", try Amount("100000"))
        _ = try ledger.settle(settlement, key: key("x"))
      }
    ),
  ]

  static func lockID(_ ledger: Ledger) throws -> String {
    try ledger.read { (connection) throws(LedgerError) in
      try connection.find("SELECT id FROM locks WHERE state = 'open'") { $0.text(0) } ?? ""
    }
  }

  static func prepared() throws -> Book {
    let book = try Book()
    try book.give("alice", "5000")
    try book.open("bob")
    try book.give("whale", "2001000")
    _ = try book.ledger.stake("whale", amount: Amount("2000000"), seconds: nil, key: nil)
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    let draft = ProposalDraft(
      .parameterChange,
      title: "x",
      parameters: ["staking_apy_basis_points": 7, "transfer_fee": "0.1"]
    )
    _ = try book.ledger.propose(draft, by: "whale", key: nil)
    _ = try book.ledger.vote(1, .for, by: "whale", key: nil)
    book.clock.advance(seconds: 10 * 86_400)
    _ = try book.ledger.propose(GovernanceTests.fee(), by: "whale", key: nil)
    _ = try book.ledger.lock("bob", amount: Amount("10"), reference: "j", key: nil)
    try book.tamper(arm)
    return book
  }

  /// Everything in the tables, to compare.
  static func dump(_ book: Book) throws -> [String] {
    try tables.flatMap { table in
      let columns = try book.rows("SELECT name FROM pragma_table_info('\(table)')") { $0.text(0) }
      let row = columns.map { "quote(\($0))" }.joined(separator: " || '|' || ")
      return try book.rows("SELECT '\(table) ' || \(row) FROM \(table)") { $0.text(0) }.sorted()
    }
  }

  @Test(
    "leaves nothing of a change behind, and the change can be made afterwards",
    arguments: operations.map(\.0)
  )
  func crash(_ name: String) throws {
    let operation = try #require(Self.operations.first { $0.0 == name }).1
    let book = try Self.prepared()
    let before = try Self.dump(book)
    var writes = 0
    while true {
      try book.tamper("UPDATE fault SET left = \(writes), failing = 0")
      let ledger = try book.reopened()
      do {
        try operation(ledger)
        break
      } catch LedgerError.storage {
        #expect(try Self.dump(book) == before, "broken off before write \(writes + 1)")
        try book.expectSound("\(name), broken off before write \(writes + 1)")
      }
      writes += 1
      try #require(writes < 200)
    }
    #expect(writes >= 3, "a change of \(writes) writes was not broken off at all")
    #expect(try Self.dump(book) != before)
    try book.expectSound(name)
  }

  @Test("at the commit leaves nothing behind either", arguments: operations.map(\.0))
  func commit(_ name: String) throws {
    let operation = try #require(Self.operations.first { $0.0 == name }).1
    let book = try Self.prepared()
    let before = try Self.dump(book)
    try book.tamper("UPDATE fault SET failing = 1")
    #expect(throws: LedgerError.self) { try operation(book.ledger) }
    #expect(try Self.dump(book) == before)
    try book.tamper("UPDATE fault SET failing = 0")
    try operation(book.ledger)
    try book.expectSound(name)
  }

  @Test("at the first start leaves no half of a new ledger")
  func genesis() throws {
    let book = try Book()
    // A ledger that cannot have its supply is refused as a whole, and begins at the next start.
    let path = book.folder + "/second.sqlite"
    var rules = LedgerRules()
    rules.initialSupply = Amount(whole: 2)
    rules.maximumSupply = Amount(whole: 1)
    #expect(throws: LedgerError.self) { try Ledger(path: path, rules: rules) }
    rules.maximumSupply = Amount(whole: 2)
    #expect(try Ledger(path: path, rules: rules).supply() == Amount(whole: 2))
  }
}
