import Foundation
import Synchronization
import TestSupport
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

  /// What came of the calls of many threads.
  final class Tally: Sendable {
    let transfers = Atomic<Int>(0)
    let refused = Atomic<Int>(0)
    let mints = Atomic<Int>(0)
  }

  static let users = (0..<8).map { "user\($0)" }

  /// What writer number `writer` does as its `turn`th thing.
  static func write(
    _ book: Book,
    _ writer: Int,
    _ turn: Int,
    _ random: inout SeededGenerator,
    _ tally: Tally
  ) {
    let from = users[Int.random(in: 0..<8, using: &random)]
    let to = users[Int.random(in: 0..<8, using: &random)]
    let amount = Amount(units: Int128.random(in: 1...300_000 * Amount.unitsOfOne, using: &random))
    switch (writer + turn) % 3 {
    case 0:
      let code = refusal {
        _ = try book.ledger.transfer(from: from, to: to, amount: amount, key: nil)
      }
      if code.isEmpty {
        tally.transfers.add(1, ordering: .relaxed)
      } else {
        tally.refused.add(1, ordering: .relaxed)
      }
    case 1:
      _ = refusal {
        let lock = try book.ledger.lock(from, amount: amount, reference: "", key: nil).json
        var settlement = Settlement(lock: lock["lock_id"]?.asString ?? "")
        settlement.payments = [.init(to: to, amount: amount.share(1, of: 2), reason: .payment)]
        _ = try book.ledger.settle(settlement, key: nil)
      }
    default:
      // Writers 33 apart do the same in the same turn, under one key.
      let shared = key("\(writer % 33)-\(turn)", "shared")
      let code = refusal {
        _ = try book.ledger.mint(to: users[0], amount: Amount(whole: 1), reason: "", key: shared)
      }
      if code.isEmpty { tally.mints.add(1, ordering: .relaxed) }
    }
  }

  @Test("64 writers at once lose nothing and create nothing, and a repeated key acts once")
  func writers() throws {
    let book = try Book()
    for user in Self.users { try book.give(user, "1000000") }
    let supply = try book.ledger.supply()
    let tally = Tally()
    let group = DispatchGroup()
    for writer in 0..<64 {
      group.enter()
      Thread {
        var random = SeededGenerator(seed: UInt64(writer))
        for turn in 0..<20 { Self.write(book, writer, turn, &random, tally) }
        group.leave()
      }.start()
    }
    #expect(group.wait(timeout: .now() + 240) == .success)
    func count(_ sql: String) throws -> Int { try book.rows(sql) { $0.count(0) }[0] }
    let minted = try count("SELECT count(*) FROM entries WHERE kind = 'mint' AND reason = ''")
    #expect(try minted == count("SELECT count(*) FROM idempotency"))
    #expect(minted > 0 && minted < tally.mints.load(ordering: .relaxed), "keys were shared")
    #expect(try book.ledger.supply() == supply + Amount(whole: Int64(minted)))
    let transfers = try count("SELECT count(*) FROM entries WHERE kind = 'transfer'")
    #expect(transfers == tally.transfers.load(ordering: .relaxed) && transfers > 0)
    #expect(tally.refused.load(ordering: .relaxed) > 0)
    try book.expectSound()
  }
}
