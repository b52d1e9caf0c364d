import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("Governance")
struct GovernanceTests {
  static let day: Int64 = 86_400

  /// A ledger where whale has 2,000,000 staked, and alice 5,000.
  static func staked() throws -> Book {
    let book = try Book()
    try book.give("whale", "2001000")
    _ = try book.ledger.stake("whale", amount: Amount("2000000"), seconds: nil, key: nil)
    try book.give("alice", "5000")
    _ = try book.ledger.stake("alice", amount: Amount("5000"), seconds: nil, key: nil)
    return book
  }

  static func fee(_ value: JSON = "0.5") -> ProposalDraft {
    ProposalDraft(.parameterChange, title: "Another fee", parameters: ["transfer_fee": value])
  }

  static func propose(_ book: Book, _ draft: ProposalDraft = fee()) throws -> Int64 {
    let answer = try book.ledger.propose(draft, by: "whale", key: nil).json
    return try #require(answer["proposal_id"]?.asString.flatMap { Int64($0) })
  }

  @Test(
    "a proposal passes through vote and time lock, is executed once, and really changes the policy"
  )
  func whole() throws {
    let book = try Self.staked()
    try book.open("bob")
    let id = try Self.propose(book)
    let opened = try #require(try book.ledger.proposal(id))
    #expect(opened["status"] == "active" && opened["quorum_required"] == "1000000")
    _ = try book.ledger.vote(id, .for, by: "whale", key: nil)
    book.clock.advance(seconds: 7 * Self.day - 1)
    #expect(refusal { _ = try book.ledger.execute(id, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    book.clock.advance(seconds: 1)
    #expect(try book.ledger.proposal(id)?["status"] == "passed")
    #expect(refusal { _ = try book.ledger.execute(id, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    book.clock.advance(seconds: 2 * Self.day - 1)
    #expect(refusal { _ = try book.ledger.execute(id, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    book.clock.advance(seconds: 1)
    #expect(try book.ledger.execute(id, key: nil).json["status"] == "executed")
    #expect(refusal { _ = try book.ledger.execute(id, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    #expect(try book.ledger.policy().amount(.transferFee) == Amount("0.5"))
    let transfer = try book.ledger.transfer(from: "bob", to: "alice", amount: Amount("1"), key: nil)
    #expect(transfer.json["fee"] == "0.5")
    #expect(try book.reopened().policy().amount(.transferFee) == Amount("0.5"))
    try book.expectSound()
  }

  @Test("fault of the original: an account votes once")
  func votesOnce() throws {
    let book = try Self.staked()
    let id = try Self.propose(book)
    _ = try book.ledger.vote(id, .for, by: "alice", key: nil)
    for choice in Choice.allCases {
      #expect(
        refusal { _ = try book.ledger.vote(id, choice, by: "alice", key: nil) } == "ALREADY_VOTED"
      )
    }
    #expect(try book.ledger.proposal(id)?["votes_for"] == "5000")
  }

  @Test(
    "fault of the original: nothing is executed before its vote is over, or without quorum and majority"
  )
  func notBefore() throws {
    let book = try Self.staked()
    let early = try Self.propose(book)
    #expect(refusal { _ = try book.ledger.execute(early, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    let without = try Self.propose(book)
    _ = try book.ledger.vote(without, .for, by: "alice", key: nil)
    let against = try Self.propose(book)
    _ = try book.ledger.vote(against, .against, by: "whale", key: nil)
    _ = try book.ledger.vote(against, .for, by: "alice", key: nil)
    let tie = try Self.propose(book)
    _ = try book.ledger.vote(tie, .abstain, by: "whale", key: nil)
    book.clock.advance(seconds: 30 * Self.day)
    for id in [early, without, against, tie] {
      #expect(try book.ledger.proposal(id)?["status"] == "rejected")
      #expect(refusal { _ = try book.ledger.execute(id, key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    }
    #expect(try book.ledger.policy().amount(.transferFee) == Amount("0.01"))
  }

  @Test("an abstention counts for the quorum, and not for the majority")
  func abstains() throws {
    let book = try Self.staked()
    let id = try Self.propose(book)
    _ = try book.ledger.vote(id, .abstain, by: "whale", key: nil)
    _ = try book.ledger.vote(id, .for, by: "alice", key: nil)
    book.clock.advance(seconds: 9 * Self.day)
    #expect(try book.ledger.proposal(id)?["status"] == "executable")
  }

  @Test("the stake of the opening votes: later stake has no weight, and moved stake votes once")
  func snapshot() throws {
    let book = try Self.staked()
    try book.give("late", "9000")
    let id = try Self.propose(book)
    _ = try book.ledger.stake("late", amount: Amount("9000"), seconds: nil, key: nil)
    #expect(
      refusal { _ = try book.ledger.vote(id, .for, by: "late", key: nil) } == "INSUFFICIENT_STAKE"
    )
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    #expect(try book.ledger.vote(id, .for, by: "alice", key: nil).json["weight"] == "5000")
    // What alice unstakes and sends on votes no second time.
    let next = try Book { $0.policy[.minimumLockSeconds] = 0 }
    try next.give("whale", "2001000")
    _ = try next.ledger.stake("whale", amount: Amount("2000000"), seconds: nil, key: nil)
    let second = try Self.propose(next)
    _ = try next.ledger.vote(second, .for, by: "whale", key: nil)
    try next.open("bob")
    _ = try next.ledger.unstake("whale", amount: Amount("2000000"), key: nil)
    _ = try next.ledger.transfer(from: "whale", to: "bob", amount: Amount("2000000"), key: nil)
    _ = try next.ledger.stake("bob", amount: Amount("2000000"), seconds: nil, key: nil)
    #expect(
      refusal { _ = try next.ledger.vote(second, .for, by: "bob", key: nil) }
        == "INSUFFICIENT_STAKE"
    )
    try next.expectSound()
  }

  @Test("voting ends at its moment")
  func votingEnds() throws {
    let book = try Self.staked()
    let id = try Self.propose(book)
    book.clock.advance(seconds: 7 * Self.day - 1)
    _ = try book.ledger.vote(id, .for, by: "alice", key: nil)
    book.clock.advance(seconds: 1)
    #expect(
      refusal { _ = try book.ledger.vote(id, .for, by: "whale", key: nil) } == "VOTING_CLOSED"
    )
    #expect(
      refusal { _ = try book.ledger.vote(99, .for, by: "whale", key: nil) } == "UNKNOWN_PROPOSAL"
    )
  }

  @Test("proposing needs stake and the fee, which goes to the treasury")
  func costs() throws {
    let book = try Self.staked()
    #expect(
      refusal { _ = try book.ledger.propose(Self.fee(), by: "alice", key: nil) }
        == "INSUFFICIENT_STAKE"
    )
    let treasury = try book.ledger.account(AccountName.treasury)!.balance
    _ = try Self.propose(book)
    #expect(try book.ledger.account(AccountName.treasury)!.balance - treasury == Amount(whole: 100))
    #expect(try book.balance("whale") == "1900")
    let (once, draft) = (key("p", "whale"), Self.fee())
    let first = try book.ledger.propose(draft, by: "whale", key: once)
    #expect(try book.ledger.propose(draft, by: "whale", key: once).json == first.json)
    #expect(try book.balance("whale") == "1800")
  }

  @Test(
    "a parameter that may not be changed so is refused when it is proposed",
    arguments: [
      (#"{}"#, "parameters"), (#"{"nonsense": "1"}"#, "parameters.nonsense"),
      (#"{"maximum_supply": "1"}"#, "parameters.maximum_supply"),
      (#"{"proposal_stake": "1"}"#, "parameters.proposal_stake"),
      (#"{"transfer_fee": "1.000000000000000001"}"#, "parameters.transfer_fee"),
      (#"{"transfer_fee": "-1"}"#, "parameters.transfer_fee"),
      (#"{"transfer_fee": 1}"#, "parameters.transfer_fee"),
      (#"{"staking_apy_basis_points": 2001}"#, "parameters.staking_apy_basis_points"),
      (#"{"staking_apy_basis_points": "5"}"#, "parameters.staking_apy_basis_points"),
    ] as [(String, String)]
  )
  func bounds(_ parameters: String, _ field: String) throws {
    let book = try Self.staked()
    let draft = ProposalDraft(
      .parameterChange,
      title: "x",
      parameters: try JSON.parse(Array(parameters.utf8))
    )
    #expect(refusal { _ = try book.ledger.propose(draft, by: "whale", key: nil) } == field)
    #expect(try book.ledger.proposals(limit: 10, offset: 0)["total_count"] == 0)
  }

  @Test("the edges of the bounds may be proposed; a text proposal records and changes nothing")
  func edges() throws {
    let book = try Self.staked()
    _ = try Self.propose(book, Self.fee("1"))
    _ = try Self.propose(book, Self.fee("0"))
    let id = try Self.propose(book, ProposalDraft(.text, title: "Be kind"))
    #expect(
      refusal {
        _ = try Self.propose(
          book,
          ProposalDraft(.text, title: "x", parameters: ["transfer_fee": "0"])
        )
      } == "parameters"
    )
    _ = try book.ledger.vote(id, .for, by: "whale", key: nil)
    book.clock.advance(seconds: 9 * Self.day)
    let before = try book.ledger.policy()
    #expect(try book.ledger.execute(id, key: nil).json["status"] == "executed")
    #expect(try book.ledger.policy() == before)
  }

  @Test("the operator's bounds of now hold over what was voted, and over what is to be executed")
  func operatorBounds() throws {
    let book = try Self.staked()
    let ids = try [Self.propose(book), Self.propose(book, Self.fee("0.9"))]
    for id in ids { _ = try book.ledger.vote(id, .for, by: "whale", key: nil) }
    book.clock.advance(seconds: 9 * Self.day)
    _ = try book.ledger.execute(ids[0], key: nil)
    let narrowed = try book.reopened { $0.bounds = [.transferFee: 0...Amount.unitsOfOne / 5] }
    #expect(try narrowed.policy().amount(.transferFee) == Amount("0.2"))
    #expect(refusal { _ = try narrowed.execute(ids[1], key: nil) } == "PROPOSAL_NOT_EXECUTABLE")
    #expect(try book.reopened { $0.bounds = [:] }.policy().amount(.transferFee) == Amount("0.01"))
  }

  @Test("a voted staking rate holds for the time after it alone")
  func votedRate() throws {
    let book = try Self.staked()
    let draft = ProposalDraft(
      .parameterChange,
      title: "x",
      parameters: ["staking_apy_basis_points": 0]
    )
    let id = try Self.propose(book, draft)
    _ = try book.ledger.vote(id, .for, by: "whale", key: nil)
    book.clock.advance(seconds: 365 * Self.day)
    _ = try book.ledger.execute(id, key: nil)
    book.clock.advance(seconds: 365 * Self.day)
    #expect(try book.ledger.claim("alice", key: nil).json["reward"] == "250")
  }

  @Test("the quorum is the share of all stake where that is more than the minimum")
  func quorumShare() throws {
    let book = try Book {
      $0.policy[.quorumMinimum] = Amount.unitsOfOne
      $0.policy[.quorumShare] = 2500
    }
    try book.give("whale", "2001000")
    _ = try book.ledger.stake("whale", amount: Amount("2000000"), seconds: nil, key: nil)
    let id = try Self.propose(book)
    #expect(try book.ledger.proposal(id)?["quorum_required"] == "500000")
  }
}
