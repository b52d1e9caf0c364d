import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("Locks, settlements and rewards, as the fog calls them")
struct SettlementTests {
  let book: Book
  let service: TokensService

  init() throws {
    book = try Book()
    service = TokensService(book.ledger, trusted: ["p2p_fog"])
    try book.open("alice")
  }

  func call(_ method: String, _ argument: JSON, caller: String = "p2p_fog") throws -> JSON {
    try service.answer(method, argument, caller: caller)
  }

  func lock(_ amount: String = "100", key: String = "l") throws -> String {
    let answer = try call(
      "lock",
      [
        "account": "alice", "amount": .string(amount), "reference": "job-1",
        "idempotency_key": .string(key),
      ]
    )
    return try #require(answer["lock_id"]?.asString)
  }

  func code(_ answer: JSON) -> String { answer["refused"]?["code"]?.asString ?? "" }

  @Test("a lock moves balance into what is locked, and a release gives all of it back")
  func releases() throws {
    let id = try lock("400")
    #expect(try book.balance("alice") == "600" && book.locked("alice") == "400")
    #expect(
      try call("lock_state", ["lock_id": .string(id)]) == [
        "lock_id": .string(id), "state": "open", "amount": "400", "account": "alice",
        "reference": "job-1",
      ]
    )
    #expect(
      try call("release", ["lock_id": .string(id), "idempotency_key": "r"]) == ["refunded": "400"]
    )
    #expect(
      try call("release", ["lock_id": .string(id), "idempotency_key": "r"]) == ["refunded": "400"]
    )
    #expect(
      code(try call("release", ["lock_id": .string(id), "idempotency_key": "r2"])) == "LOCK_CLOSED"
    )
    #expect(
      code(try call("settle", ["lock_id": .string(id), "idempotency_key": "s", "payments": []]))
        == "LOCK_CLOSED"
    )
    #expect(try call("lock_state", ["lock_id": .string(id)])["state"] == "released")
    #expect(try book.balance("alice") == "1000")
    try book.expectSound()
  }

  @Test("a settlement pays, credits, gives the rest back, rewards and punishes in one transaction")
  func settles() throws {
    let id = try lock("100")
    _ = try book.ledger.openAccount("carol")
    let argument: JSON = [
      "lock_id": .string(id), "idempotency_key": "s",
      "payments": [
        ["to": "fog:n1", "amount": "60.5", "reason": "payment"],
        ["to": "bob", "amount": "9.5", "reason": "payment"],
        ["amount": "5", "reason": "sla_credit"],
      ],
      "reward": ["to": "fog:n1", "compute_hours": 1],
      "penalty": ["from": "carol", "amount": "2.25"],
    ]
    let answer = try call("settle", argument)
    #expect(
      answer["paid"] == "70" && answer["refunded"] == "30" && answer["reward"] == "20"
        && answer["penalty"] == "2.25"
    )
    #expect(
      answer["entries"]?.asArray?.count == 7,
      "two payments, a grant, a credit, the rest, reward, penalty"
    )
    #expect(try book.balance("fog:n1") == "80.5")
    #expect(try book.balance("bob") == "1009.5", "a user's account is opened by the grant")
    #expect(try book.balance("alice") == "930" && book.locked("alice") == "0")
    #expect(try book.balance("carol") == "997.75")
    let entries = try book.entryCount
    #expect(try call("settle", argument) == answer)
    #expect(try book.entryCount == entries)
    #expect(
      code(try call("settle", ["lock_id": .string(id), "idempotency_key": "s2", "payments": []]))
        == "LOCK_CLOSED"
    )
    #expect(
      code(try call("settle", ["lock_id": .string(id), "idempotency_key": "s", "payments": []]))
        == "IDEMPOTENCY_CONFLICT"
    )
    let history = try book.ledger.history(
      {
        var all = History(account: "alice"); all.reference = "job-1"; return all
      }()
    )
    let kinds = history["transactions"]?.asArray?.compactMap { $0["type"]?.asString }
    #expect(kinds == ["release", "settlement", "settlement", "settlement", "lock"])
    try book.expectSound()
  }

  @Test("payments over the lock change nothing at all, at the edge and one past")
  func overpays() throws {
    let id = try lock("10")
    let entries = try book.entryCount
    func settle(_ amounts: [String], _ key: String) throws -> JSON {
      let payments = amounts.map {
        JSON.object([
          .init(name: "to", value: "fog:n1"), .init(name: "amount", value: .string($0)),
          .init(name: "reason", value: "payment"),
        ])
      }
      return try call(
        "settle",
        ["lock_id": .string(id), "idempotency_key": .string(key), "payments": .array(payments)]
      )
    }
    #expect(code(try settle(["5", "5.000000000000000001"], "a")) == "INVALID_AMOUNT")
    #expect(try book.entryCount == entries && book.ledger.account("fog:n1") == nil)
    #expect(try call("lock_state", ["lock_id": .string(id)])["state"] == "open")
    for bad in ["-1", "1e1", "", " 1", "0.0000000000000000001"] {
      #expect(code(try settle([bad], "b")) == "INVALID_AMOUNT")
    }
    #expect(try settle(["5", "5", "0"], "c")["refunded"] == "0")
    try book.expectSound()
  }

  @Test("a penalty reaches as far as balance and then stake, and is burned")
  func penalties() throws {
    try book.give("node", "2000")
    _ = try book.ledger.stake("node", amount: Amount("2500"), seconds: nil, key: nil)
    let supply = try book.ledger.supply()
    func settle(_ amount: String, _ key: String, from: String = "node") throws -> JSON {
      let id = try lock("1", key: "l" + key)
      return try call(
        "settle",
        [
          "lock_id": .string(id), "idempotency_key": .string(key), "payments": [],
          "penalty": ["from": .string(from), "amount": .string(amount)],
        ]
      )
    }
    #expect(try settle("600", "a")["penalty"] == "600")
    #expect(try book.balance("node") == "0" && book.staked("node") == "2400")
    try book.expectSound()
    #expect(try settle("5000", "b")["penalty"] == "2400")
    #expect(try book.staked("node") == "0")
    #expect(try settle("5", "c")["penalty"] == "0")
    #expect(try settle("5", "d", from: "nobody")["penalty"] == "0")
    #expect(code(try settle("5", "e", from: AccountName.treasury)) == "NOT_ALLOWED")
    #expect(try supply - book.ledger.supply() == Amount(whole: 3000))
    try book.expectSound()
  }

  @Test("only trusted plugins lock, settle and release; others may look")
  func trust() throws {
    let id = try lock()
    for method in ["lock", "settle", "release"] {
      #expect(
        code(
          try call(
            method,
            [
              "lock_id": .string(id), "account": "alice", "amount": "1", "reference": "",
              "idempotency_key": "x", "payments": [],
            ],
            caller: "evil"
          )
        ) == "NOT_ALLOWED"
      )
    }
    #expect(try call("lock_state", ["lock_id": .string(id)], caller: "evil")["state"] == "open")
    #expect(try call("balance", ["account": "alice"], caller: "evil")["locked"] == "100")
    #expect(code(try call("balance", ["account": "nobody"], caller: "evil")) == "UNKNOWN_ACCOUNT")
    #expect(try book.ledger.account("nobody") == nil)
    #expect(
      try call("balance", ["account": "new user"])["balance"] == "1000",
      "a user's first sight"
    )
    #expect(code(try call("balance", ["account": "fog:unseen"])) == "UNKNOWN_ACCOUNT")
    #expect(try call("policy", .null)["transfer_fee"] == "0.01")
  }

  @Test("refusals of rules are answers")
  func refuses() throws {
    #expect(
      code(
        try call(
          "lock",
          ["account": "alice", "amount": "1000.01", "reference": "", "idempotency_key": "a"]
        )
      ) == "INSUFFICIENT_BALANCE"
    )
    #expect(
      code(
        try call(
          "lock",
          ["account": "alice", "amount": "0", "reference": "", "idempotency_key": "a"]
        )
      ) == "INVALID_AMOUNT"
    )
    #expect(
      code(
        try call(
          "lock",
          ["account": "alice", "amount": 5, "reference": "", "idempotency_key": "a"]
        )
      ) == "INVALID_AMOUNT"
    )
    #expect(
      code(
        try call(
          "lock",
          ["account": "system:treasury", "amount": "1", "reference": "", "idempotency_key": "a"]
        )
      ) == "NOT_ALLOWED"
    )
    #expect(
      code(try call("release", ["lock_id": "nothing", "idempotency_key": "a"])) == "UNKNOWN_LOCK"
    )
    #expect(code(try call("lock_state", ["lock_id": "nothing"])) == "UNKNOWN_LOCK")
  }

  @Test("malformed calls are the caller's fault, at the edges and past them")
  func malformed() throws {
    let long = JSON.string(String(repeating: "k", count: 129))
    for bad: JSON in [
      [:], .null, ["account": "alice", "amount": "1", "reference": "", "idempotency_key": ""],
      ["account": "alice", "amount": "1", "reference": "", "idempotency_key": long],
      ["account": "a\n", "amount": "1", "reference": "", "idempotency_key": "k"],
    ] {
      #expect(throws: HostRefusal.argument) { try call("lock", bad) }
    }
    #expect(throws: HostRefusal.self) { try call("nonsense", [:]) }
    let id = try lock()
    let payment: JSON = ["to": "fog:n", "amount": "0.1", "reason": "payment"]
    #expect(throws: HostRefusal.argument) {
      try call(
        "settle",
        [
          "lock_id": .string(id), "idempotency_key": "x",
          "payments": .array(Array(repeating: payment, count: 257)),
        ]
      )
    }
    let most = try call(
      "settle",
      [
        "lock_id": .string(id), "idempotency_key": "x",
        "payments": .array(Array(repeating: payment, count: 256)),
      ]
    )
    #expect(most["paid"] == "25.6")
    #expect(throws: HostRefusal.argument) {
      try call(
        "settle",
        [
          "lock_id": .string(id), "idempotency_key": "y", "payments": [],
          "reward": ["to": "fog:n", "compute_hours": -1],
        ]
      )
    }
    #expect(throws: HostRefusal.argument) {
      try call(
        "settle",
        [
          "lock_id": .string(id), "idempotency_key": "y",
          "payments": [["amount": "1", "reason": "gift", "to": "x"]],
        ]
      )
    }
    try book.expectSound()
  }

  @Test("an sla_credit goes to nobody else, and nothing is paid to the issuing account")
  func payees() throws {
    let id = try lock()
    func settle(_ payment: JSON) throws -> JSON {
      try call("settle", ["lock_id": .string(id), "idempotency_key": "s", "payments": [payment]])
    }
    #expect(
      code(try settle(["to": "bob", "amount": "1", "reason": "sla_credit"])) == "NOT_ALLOWED"
    )
    #expect(
      code(try settle(["to": "system:supply", "amount": "1", "reason": "payment"])) == "NOT_ALLOWED"
    )
    #expect(try settle(["to": "alice", "amount": "1", "reason": "sla_credit"])["paid"] == "0")
  }
}
