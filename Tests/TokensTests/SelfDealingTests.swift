import GatewayPlugin
import Testing

@testable import Tokens

@Suite("Jobs among accounts of one person")
struct SelfDealingTests {
  @Test(
    "at the defaults, paying an account of one's own for jobs gains nothing, whatever is claimed"
  )
  func defaultsGainNothing() throws {
    let defaults = LedgerRules()
    let book = try Book { $0.policy = defaults.policy }
    let service = TokensService(book.ledger, trusted: ["p2p_fog"])
    try book.open("alice")
    func wealth() throws -> Amount {
      let accounts = try ["alice", "fog:own"].compactMap { try book.ledger.account($0) }
      return accounts.reduce(Amount.zero) { $0 + $1.balance + $1.locked }
    }
    let before = try wealth()
    for (number, paid) in [
      "0.000000000000000001", "0.000000000000000019", "0.07", "9.999999999999999999",
    ].enumerated() {
      let lock = try service.answer(
        "lock",
        [
          "account": "alice", "amount": "10", "reference": "j",
          "idempotency_key": .string("l\(number)"),
        ],
        caller: "p2p_fog"
      )
      let answer = try service.answer(
        "settle",
        [
          "lock_id": try #require(lock["lock_id"]), "idempotency_key": .string("s\(number)"),
          "payments": [["to": "fog:own", "amount": .string(paid), "reason": "payment"]],
          "reward": ["to": "fog:own", "compute_hours": 1_000_000, "tasks_completed": 1],
        ],
        caller: "p2p_fog"
      )
      #expect(answer["refused"] == nil)
      #expect(try wealth() <= before, "paying \(paid)")
    }
    #expect(try book.balance("fog:own") != "0", "somebody was paid")
    try book.expectSound()
  }
}
