import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("Accounts, transfers, mint and burn")
struct TransferTests {
  @Test("a new ledger issues the initial supply once, to the treasury, in entry 1")
  func genesis() throws {
    let book = try Book()
    #expect(try book.balance(AccountName.treasury) == "1000000000")
    #expect(try book.balance(AccountName.supply) == "-1000000000")
    let entry = try #require(try book.ledger.entry(1, seenBy: nil))
    #expect(entry["type"] == "mint" && entry["to_account"] == "system:treasury")
    #expect(entry["previous_hash"]?.asString == EntryHash.beginning)
    _ = try book.reopened()
    _ = try book.reopened { $0.initialSupply = Amount(whole: 5) }
    #expect(try book.entryCount == 1)
    try book.expectSound()
  }

  @Test("an account is opened once with the signup grant; a node's and the ledger's own get none")
  func opens() throws {
    let book = try Book()
    for _ in 0..<3 { try book.open("alice", "fog:n1") }
    #expect(try book.balance("alice") == "1000" && book.balance("fog:n1") == "0")
    #expect(try book.ledger.supply().description == "1000001000")
    #expect(
      try book.rows("SELECT count(*) FROM entries WHERE kind = 'signup_grant'") { $0.count(0) } == [
        1
      ]
    )
    try book.expectSound()
  }

  @Test("a transfer moves the amount and the fee, each in an entry of its own")
  func transfers() throws {
    let book = try Book()
    try book.open("alice", "bob")
    let answer = try book.ledger.transfer(
      from: "alice",
      to: "bob",
      amount: Amount("12.5"),
      memo: "lunch",
      key: nil
    ).json
    #expect(answer["balance"] == "987.49" && answer["fee"] == "0.01" && answer["memo"] == "lunch")
    #expect(try book.balance("bob") == "1012.5")
    #expect(try book.balance(AccountName.treasury) == "1000000000.01")
    let id = try #require(answer["transaction_id"]?.asString)
    let fee = try #require(try book.ledger.entry(Int64(id)! + 1, seenBy: "alice"))
    #expect(fee["type"] == "fee" && fee["reference"]?.asString == id)
    try book.expectSound()
  }

  @Test("fault of the original: the fee counts when the balance is checked")
  func feeCounts() throws {
    let book = try Book()
    try book.open("alice", "bob")
    let entries = try book.entryCount
    for amount in ["1000", "999.990000000000000001", "1000.01", "999999999"] {
      #expect(
        refusal {
          _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount(amount), key: nil)
        } == "INSUFFICIENT_BALANCE"
      )
    }
    #expect(try book.balance("alice") == "1000" && book.entryCount == entries)
    _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("999.99"), key: nil)
    #expect(try book.balance("alice") == "0")
    #expect(
      refusal {
        _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount(units: 1), key: nil)
      } == "INSUFFICIENT_BALANCE"
    )
    try book.expectSound()
  }

  @Test("fault of the original: nothing negative or zero is transferred, minted, burned or staked")
  func onlyPositive() throws {
    let book = try Book()
    try book.open("alice", "bob")
    for amount in [Amount.zero, Amount(units: -1), Amount(whole: -500)] {
      #expect(
        refusal { _ = try book.ledger.transfer(from: "alice", to: "bob", amount: amount, key: nil) }
          == "amount"
      )
      #expect(
        refusal { _ = try book.ledger.mint(to: "bob", amount: amount, reason: "", key: nil) }
          == "amount"
      )
      #expect(
        refusal { _ = try book.ledger.burn(from: "bob", amount: amount, reason: "", key: nil) }
          == "amount"
      )
      #expect(
        refusal { _ = try book.ledger.stake("bob", amount: amount, seconds: nil, key: nil) }
          == "amount"
      )
      #expect(refusal { _ = try book.ledger.unstake("bob", amount: amount, key: nil) } == "amount")
      #expect(
        refusal { _ = try book.ledger.lock("bob", amount: amount, reference: "", key: nil) }
          == "INVALID_AMOUNT"
      )
    }
    #expect(try book.balance("alice") == "1000" && book.balance("bob") == "1000")
  }

  @Test("fault of the original: nothing is minted to an account that does not exist")
  func mintsToKnown() throws {
    let book = try Book()
    let before = try book.ledger.supply()
    #expect(
      refusal { _ = try book.ledger.mint(to: "nobody", amount: Amount("5"), reason: "x", key: nil) }
        == "UNKNOWN_ACCOUNT"
    )
    #expect(
      refusal {
        _ = try book.ledger.burn(from: "nobody", amount: Amount("5"), reason: "x", key: nil)
      } == "UNKNOWN_ACCOUNT"
    )
    #expect(try book.ledger.supply() == before && book.ledger.account("nobody") == nil)
  }

  @Test("fault of the original: an account that is opened again keeps its balance")
  func opensOnce() throws {
    let book = try Book()
    try book.open("alice", "bob")
    _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("999.99"), key: nil)
    try book.open("alice")
    #expect(try book.balance("alice") == "0")
    #expect(try book.reopened().openAccount("alice").balance == .zero)
  }

  @Test("self-transfers, unknown receivers and the issuing account are refused, and change nothing")
  func refusesReceivers() throws {
    let book = try Book()
    try book.open("alice")
    let entries = try book.entryCount
    #expect(
      refusal {
        _ = try book.ledger.transfer(from: "alice", to: "alice", amount: Amount("1"), key: nil)
      } == "to"
    )
    #expect(
      refusal {
        _ = try book.ledger.transfer(from: "alice", to: "nobody", amount: Amount("1"), key: nil)
      } == "UNKNOWN_ACCOUNT"
    )
    #expect(
      refusal {
        _ = try book.ledger.transfer(
          from: "alice",
          to: AccountName.supply,
          amount: Amount("1"),
          key: nil
        )
      } == "NOT_ALLOWED"
    )
    #expect(
      refusal {
        _ = try book.ledger.mint(to: AccountName.supply, amount: Amount("1"), reason: "", key: nil)
      } == "account"
    )
    #expect(try book.entryCount == entries)
  }

  @Test("the supply never passes its maximum, at the edge and one past")
  func cap() throws {
    let book = try Book {
      $0.initialSupply = Amount(whole: 10)
      $0.maximumSupply = Amount(whole: 1500)
    }
    try book.open("alice", "bob")
    #expect(try book.balance("alice") == "1000" && book.balance("bob") == "490")
    #expect(try book.ledger.openAccount("carol").balance == .zero)
    #expect(
      refusal {
        _ = try book.ledger.mint(to: "bob", amount: Amount(units: 1), reason: "", key: nil)
      } == "SUPPLY_CAP"
    )
    _ = try book.ledger.burn(from: "alice", amount: Amount("5"), reason: "", key: nil)
    #expect(
      refusal {
        _ = try book.ledger.mint(
          to: "bob",
          amount: Amount(units: 5 * Amount.unitsOfOne + 1),
          reason: "",
          key: nil
        )
      } == "SUPPLY_CAP"
    )
    _ = try book.ledger.mint(to: "bob", amount: Amount("5"), reason: "", key: nil)
    #expect(try book.ledger.supply().description == "1500")
    try book.expectSound()
  }

  @Test("a key gives the first answer again, and refuses another request")
  func idempotency() throws {
    let book = try Book()
    try book.open("alice", "bob")
    func send(_ key: IdempotencyKey) throws -> OnceAnswer {
      try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("5"), key: key)
    }
    let argument: JSON = ["to": "bob", "amount": "5"]
    let first = try send(key("k", "alice", argument))
    let entries = try book.entryCount
    let swapped: JSON = ["amount": "5", "to": "bob"]
    let again = try send(key("k", "alice", swapped))
    #expect(!first.isReplay && again.isReplay && first.json == again.json)
    #expect(
      refusal { _ = try send(key("k", "alice", ["to": "bob", "amount": "6"])) }
        == "IDEMPOTENCY_CONFLICT"
    )
    #expect(try book.entryCount == entries)
    #expect(try !send(key("k", "bob", argument)).isReplay, "keys of others are others")
    // Over a restart too.
    let later = try book.reopened().transfer(
      from: "alice",
      to: "bob",
      amount: Amount("5"),
      key: key("k", "alice", argument)
    )
    #expect(later.isReplay && later.json == first.json)
  }

  @Test("a refused request leaves no key behind, so that it can come again")
  func refusedKeys() throws {
    let book = try Book()
    try book.open("alice", "bob")
    let once = key("k")
    #expect(
      refusal {
        _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("2000"), key: once)
      } == "INSUFFICIENT_BALANCE"
    )
    try book.give("alice", "5000")
    #expect(
      try !book.ledger.transfer(from: "alice", to: "bob", amount: Amount("2000"), key: once)
        .isReplay
    )
  }

  @Test("users' keys are forgotten after their time, those of services stay")
  func forgets() throws {
    let book = try Book()
    try book.open("alice", "bob")
    _ = try book.ledger.transfer(from: "alice", to: "bob", amount: Amount("1"), key: key("k"))
    let service = IdempotencyKey(
      subject: "service:p2p_fog",
      key: "k",
      operation: "lock",
      argument: [:]
    )
    _ = try book.ledger.lock("alice", amount: Amount("1"), reference: "j", key: service)
    book.clock.advance(seconds: 10)
    #expect(try book.ledger.forgetKeys(before: book.clock.now - 10_000_000_000) == 0)
    #expect(try book.ledger.forgetKeys(before: book.clock.now) == 1)
    #expect(try book.rows("SELECT subject FROM idempotency") { $0.text(0) } == ["service:p2p_fog"])
  }

  @Test(
    "a balance is one search of the primary key, which holds the row, however many entries there are"
  )
  func oneRead() throws {
    let book = try Book()
    let plan = try book.rows(
      "EXPLAIN QUERY PLAN " + Connection.accountQuery.replacing("?", with: "'alice'")
    ) { $0.text(3) }
    #expect(plan == ["SEARCH accounts USING PRIMARY KEY (id=?)"])
  }
}
