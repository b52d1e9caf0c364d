import GatewayPlugin
import Testing

@testable import Tokens

/// What a settlement mints for who worked, and what the treasury takes of the payment.
extension SettlementTests {
  @Test("the marketplace's share of a payment goes from who was paid to the treasury")
  func marketplace() throws {
    let other = try Book { $0.policy[.marketplaceFee] = 250 }
    let service = TokensService(other.ledger, trusted: ["p2p_fog"])
    let lock = try service.answer(
      "lock",
      ["account": "alice", "amount": "100", "reference": "j", "idempotency_key": "l"],
      caller: "p2p_fog"
    )
    let answer = try service.answer(
      "settle",
      [
        "lock_id": lock["lock_id"]!, "idempotency_key": "s",
        "payments": [["to": "fog:n", "amount": "40", "reason": "payment"]],
      ],
      caller: "p2p_fog"
    )
    #expect(answer["paid"] == "40")
    #expect(try other.balance("fog:n") == "39")
    #expect(
      try other.rows("SELECT count(*) FROM entries WHERE kind = 'marketplace_fee'") { $0.count(0) }
        == [1]
    )
    try other.expectSound()
  }

  @Test(
    "a reward is at most what others paid for the job",
    arguments: [
      (payments: [("fog:n", "0.000007", "payment")], to: "fog:n", reward: "0.000007"),
      ([], "fog:n", "0"),
      ([("alice", "50", "payment")], "fog:n", "0"),
      ([("alice", "50", "sla_credit"), ("fog:n", "0.1", "payment")], "fog:n", "0.1"),
      ([("fog:n", "50", "payment")], "alice", "0"),
      ([("fog:n", "20", "payment")], "fog:n", "20"),
      ([("fog:n", "20.2", "payment")], "fog:n", "20.2"),
      ([("fog:n", "20.3", "payment")], "fog:n", "20.2"),
    ]
  )
  func limitedReward(
    _ payments: [(to: String, amount: String, reason: String)],
    _ to: String,
    _ reward: String
  ) throws {
    let id = try lock("100")
    let paid: [JSON] = payments.map {
      ["to": .string($0.to), "amount": .string($0.amount), "reason": .string($0.reason)]
    }
    let supply = try book.ledger.supply()
    let answer = try call(
      "settle",
      [
        "lock_id": .string(id), "idempotency_key": "s", "payments": .array(paid),
        "reward": ["to": .string(to), "compute_hours": 1, "tasks_completed": 1],
      ]
    )
    #expect(answer["reward"] == .string(reward))
    #expect((answer["reward_reason"] == nil) == (reward == "20.2"))
    #expect(try book.ledger.supply() == supply + Amount(reward))
    try book.expectSound()
  }

  @Test("the limit of rewards is the operator's: none at all, or more than was paid")
  func limitOfRewards() throws {
    for (limit, reward) in [(0, "0"), (1, "0.1"), (10_000, "20")] {
      let other = try Book { $0.policy[.rewardLimit] = Int128(limit) }
      let service = TokensService(other.ledger, trusted: ["p2p_fog"])
      let lock = try service.answer(
        "lock",
        ["account": "alice", "amount": "10", "reference": "j", "idempotency_key": "l"],
        caller: "p2p_fog"
      )
      let answer = try service.answer(
        "settle",
        [
          "lock_id": lock["lock_id"]!, "idempotency_key": "s",
          "payments": [["to": "fog:n", "amount": "10", "reason": "payment"]],
          "reward": ["to": "fog:n", "compute_hours": 1],
        ],
        caller: "p2p_fog"
      )
      #expect(answer["reward"] == .string(reward))
    }
  }

  @Test("a reward over the maximum supply is 0 with a reason, and the settlement stands")
  func cappedReward() throws {
    let other = try Book { $0.maximumSupply = Amount(whole: 1_000_001_010) }
    let service = TokensService(other.ledger, trusted: ["p2p_fog"])
    func settle(_ hours: JSON, _ key: String) throws -> JSON {
      let lock = try service.answer(
        "lock",
        [
          "account": "alice", "amount": "100", "reference": "j",
          "idempotency_key": .string("lock " + key),
        ],
        caller: "p2p_fog"
      )
      return try service.answer(
        "settle",
        [
          "lock_id": lock["lock_id"]!, "idempotency_key": .string(key),
          "payments": [["to": "fog:n", "amount": "100", "reason": "payment"]],
          "reward": ["to": "fog:n", "compute_hours": hours],
        ],
        caller: "p2p_fog"
      )
    }
    let over = try settle(.number(0.500001), "a")
    #expect(
      over["reward"] == "0" && over["reward_reason"]?.asString?.contains("maximum supply") == true
    )
    #expect(try settle(.number(0.5), "b")["reward"] == "10")
    #expect(try other.ledger.supply() == Amount(whole: 1_000_001_010))
    try other.expectSound()
  }
}
