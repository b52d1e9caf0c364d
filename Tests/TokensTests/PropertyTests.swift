import Foundation
import Synchronization
import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("Random operations, and many writers at once")
struct PropertyTests {
  @Test("leave exactly what a model of them says", arguments: 1...8 as ClosedRange<UInt64>)
  func model(_ seed: UInt64) throws {
    let book = try Book {
      $0.policy[.minimumStake] = 1
      $0.policy[.minimumLockSeconds] = 0
      $0.policy[.stakingAPY] = 0
    }
    let users = (0..<5).map { "user\($0)" }
    var model = try LedgerModel(book, seed: seed, users: users)
    for step in 0..<300 {
      model.step(users)
      #expect(try book.ledger.supply().units == model.total, "seed \(seed) step \(step)")
    }
    for user in users {
      let account = try #require(try book.ledger.account(user))
      #expect(account.balance.units == model.balance(user), "seed \(seed)")
      #expect(account.staked.units == model.staked(user), "seed \(seed)")
      #expect(account.locked.units == model.locked(user), "seed \(seed)")
    }
    #expect(try book.ledger.account(AccountName.treasury)?.balance.units == model.treasury)
    try book.expectSound("seed \(seed)")
  }

  @Test("64 writers at once lose nothing and create nothing, and a repeated key acts once")
  func writers() throws {
    let book = try Book()
    let users = (0..<8).map { "user\($0)" }
    for user in users { try book.give(user, "1000000") }
    let supply = try book.ledger.supply()
    let done = Atomic<Int>(0)
    let refused = Atomic<Int>(0)
    let group = DispatchGroup()
    for writer in 0..<64 {
      group.enter()
      Thread {
        var random = SplitMix(state: UInt64(writer))
        for turn in 0..<20 {
          let (from, to) = (
            users.randomElement(using: &random)!, users.randomElement(using: &random)!
          )
          let amount = Amount(
            units: Int128.random(in: 1...300_000 * Amount.unitsOfOne, using: &random)
          )
          // Two writers share each key, and send the same under it.
          let shared = key("\(writer / 2)-\(turn)", "shared")
          switch (writer + turn) % 3 {
          case 0:
            if refusal({
              _ = try book.ledger.transfer(from: from, to: to, amount: amount, key: nil)
            }).isEmpty {
              done.add(1, ordering: .relaxed)
            } else {
              refused.add(1, ordering: .relaxed)
            }
          case 1:
            _ = refusal { _ = try book.ledger.stake(from, amount: amount, seconds: nil, key: nil) }
          default:
            _ = refusal {
              _ = try book.ledger.mint(
                to: users[0],
                amount: Amount(whole: 1),
                reason: "",
                key: shared
              )
            }
          }
        }
        group.leave()
      }.start()
    }
    #expect(group.wait(timeout: .now() + 120) == .success)
    let minted = try book.rows("SELECT count(*) FROM entries WHERE kind = 'mint' AND reason = ''") {
      $0.count(0)
    }[0]
    let keys = try book.rows("SELECT count(*) FROM idempotency") { $0.count(0) }[0]
    #expect(minted == keys && minted > 0)
    #expect(try book.ledger.supply() == supply + Amount(whole: Int64(minted)))
    let transfers = try book.rows("SELECT count(*) FROM entries WHERE kind = 'transfer'") {
      $0.count(0)
    }[0]
    #expect(transfers == done.load(ordering: .relaxed) && refused.load(ordering: .relaxed) > 0)
    try book.expectSound()
  }
}
