import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("Stakes")
struct StakingTests {
  static let year: Int64 = 365 * 86_400

  @Test("staking moves balance into stake, and is locked")
  func stakes() throws {
    let book = try Book()
    try book.give("alice", "10000")
    let answer = try book.ledger.stake("alice", amount: Amount("9999.5"), seconds: nil, key: nil)
      .json
    #expect(
      answer["balance"] == "1000.5" && answer["staked"] == "9999.5" && answer["validator"] == false
    )
    #expect(
      refusal {
        _ = try book.ledger.stake(
          "alice",
          amount: Amount("999.999999999999999999"),
          seconds: nil,
          key: nil
        )
      } == "amount"
    )
    #expect(
      refusal {
        _ = try book.ledger.stake(
          "alice",
          amount: Amount("1000.500000000000000001"),
          seconds: nil,
          key: nil
        )
      } == "INSUFFICIENT_BALANCE"
    )
    let more = try book.ledger.stake("alice", amount: Amount("1000.5"), seconds: nil, key: nil).json
    #expect(more["validator"] == true && more["voting_power"] == "11000")
    try book.expectSound()
  }

  @Test("unstaking before its time says when, and works from that moment on")
  func locked() throws {
    let book = try Book()
    try book.open("alice")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: 7 * 86_400 - 1)
    do {
      _ = try book.ledger.unstake("alice", amount: Amount("1000"), key: nil)
      Issue.record("was unstaked too early")
    } catch LedgerError.refused(let refusal) {
      #expect(refusal.code == .stakeLocked)
      #expect(
        refusal.details?["until"]?.asString
          == Timestamp.text(nanoseconds: book.clock.now + 1_000_000_000, milliseconds: true)
      )
    }
    book.clock.advance(seconds: 1)
    let answer = try book.ledger.unstake("alice", amount: Amount("1000"), key: nil).json
    #expect(answer["staked"] == "0")
    #expect(
      refusal { _ = try book.ledger.unstake("alice", amount: Amount("1"), key: nil) }
        == "INSUFFICIENT_STAKE"
    )
    try book.expectSound()
  }

  @Test("lock times hold at their edges")
  func lockTimes() throws {
    let book = try Book()
    try book.give("alice", "10000")
    let longest = Policy.longestLockSeconds
    #expect(
      refusal {
        _ = try book.ledger.stake(
          "alice",
          amount: Amount("1000"),
          seconds: 7 * 86_400 - 1,
          key: nil
        )
      } == "lock_seconds"
    )
    #expect(
      refusal {
        _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: longest + 1, key: nil)
      } == "lock_seconds"
    )
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: longest, key: nil)
  }

  @Test("a stake earns its rate by the second, minted and paid at unstake, rounded down")
  func rewards() throws {
    let book = try Book()
    try book.open("alice")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: Self.year)
    #expect(try book.ledger.stakes(of: "alice")["accrued"] == "50")
    let supply = try book.ledger.supply()
    let answer = try book.ledger.unstake("alice", amount: Amount("1000"), key: nil).json
    #expect(answer["reward"] == "50" && answer["balance"] == "1050" && answer["capped"] == false)
    #expect(try book.ledger.supply() - supply == Amount(whole: 50))
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: 1)
    // 1000 · 5 % / 31,536,000 = 0.00000158548959918822932…
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "0.000001585489599188")
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "0")
    try book.expectSound()
  }

  @Test("what was claimed is not earned twice, and parts of a stake earn for themselves")
  func parts() throws {
    let book = try Book()
    try book.give("alice", "1000")
    _ = try book.ledger.stake("alice", amount: Amount("2000"), seconds: nil, key: nil)
    book.clock.advance(seconds: Self.year / 2)
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "50")
    #expect(
      try book.ledger.unstake("alice", amount: Amount("1500"), key: nil).json["reward"] == "0"
    )
    book.clock.advance(seconds: Self.year / 2)
    #expect(
      try book.ledger.unstake("alice", amount: Amount("500"), key: nil).json["reward"] == "12.5"
    )
    try book.expectSound()
  }

  @Test("rewards stop at the maximum supply and say so")
  func capped() throws {
    let book = try Book { $0.maximumSupply = Amount(whole: 1_000_001_020) }
    try book.open("alice")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: Self.year)
    let answer = try book.ledger.claim("alice", key: nil).json
    #expect(answer["reward"] == "20" && answer["capped"] == true)
    #expect(try book.ledger.claim("alice", key: nil).json["capped"] == false)
    try book.expectSound()
  }

  @Test("a new rate holds from when it was set, never for the time before")
  func rates() throws {
    let book = try Book()
    try book.open("alice")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: Self.year)
    let raised = try book.reopened { $0.policy[.stakingAPY] = 1000 }
    book.clock.advance(seconds: Self.year)
    #expect(try raised.claim("alice", key: nil).json["reward"] == "150")
  }

  @Test("a clock that is set back earns nothing and takes nothing")
  func clockBack() throws {
    let book = try Book()
    try book.open("alice")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    book.clock.advance(seconds: -Self.year)
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "0")
    book.clock.advance(seconds: Self.year)
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "0")
  }

  @Test("one stake alone can be named, and of another account cannot")
  func named() throws {
    let book = try Book()
    try book.give("alice", "9000")
    let first = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil).json
    let second = try book.ledger.stake(
      "alice",
      amount: Amount("2000"),
      seconds: 30 * 86_400,
      key: nil
    ).json
    book.clock.advance(seconds: 8 * 86_400)
    let ids = try [first, second].map {
      try #require($0["stake_id"]?.asString.flatMap { Int64($0) })
    }
    #expect(
      refusal { _ = try book.ledger.unstake("alice", amount: Amount("1"), stake: ids[1], key: nil) }
        == "STAKE_LOCKED"
    )
    #expect(
      refusal {
        _ = try book.ledger.unstake("alice", amount: Amount("1001"), stake: ids[0], key: nil)
      } == "INSUFFICIENT_STAKE"
    )
    #expect(
      refusal { _ = try book.ledger.unstake("bob", amount: Amount("1"), stake: ids[0], key: nil) }
        == "stake_id"
    )
    #expect(
      refusal { _ = try book.ledger.unstake("alice", amount: Amount("1001"), key: nil) }
        == "STAKE_LOCKED"
    )
    _ = try book.ledger.unstake("alice", amount: Amount("1000"), stake: ids[0], key: nil)
    #expect(try book.staked("alice") == "2000")
    try book.expectSound()
  }
}
