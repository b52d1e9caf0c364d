package import GatewayPlugin
import PluginStorage

/// What is proposed: a change of parameters, or a text.
package struct ProposalDraft: Sendable, Equatable {
  /// What the proposal does when it is executed.
  package enum Kind: String, Sendable, CaseIterable {
    /// Changes numbers of the policy.
    case parameterChange = "parameter_change"
    /// Nothing: it records a decision.
    case text
  }

  package let kind: Kind
  package let title: String
  package let description: String
  /// Of a parameter change; an object of names and values, as sent.
  package let parameters: JSON

  /// A draft.
  ///
  /// - Parameters:
  ///   - kind: What it does.
  ///   - title: A few words.
  ///   - description: At length.
  ///   - parameters: Names and values, an object.
  package init(_ kind: Kind, title: String, description: String = "", parameters: JSON = [:]) {
    self.kind = kind
    self.title = title
    self.description = description
    self.parameters = parameters
  }

  /// Every fault of the parameters against what may be voted on.
  func faults(_ rules: LedgerRules) -> [FieldError] {
    let members = parameters.asMembers ?? []
    if kind == .text {
      return members.isEmpty
        ? [] : [FieldError(field: "parameters", reason: "are for parameter_change; leave them out")]
    }
    let allowed = PolicyParameter.allCases.filter { rules.bounds[$0] != nil }.map(\.rawValue)
    guard (1...8).contains(members.count) else {
      let reason = "must be an object of 1 to 8 parameters and their new values"
      return [FieldError(field: "parameters", reason: reason, allowed: allowed)]
    }
    return members.compactMap { member in
      let field = "parameters.\(member.name.shortened)"
      guard let parameter = PolicyParameter(rawValue: member.name),
        let bounds = rules.bounds[parameter]
      else {
        return FieldError(field: field, reason: "cannot be changed by vote", allowed: allowed)
      }
      guard let value = parameter.read(member.value), bounds.contains(value) else {
        return FieldError(field: field, reason: parameter.wanted(bounds))
      }
      return nil
    }
  }
}

/// How an account votes.
package enum Choice: String, Sendable, CaseIterable {
  case `for`
  case against
  case abstain
}

/// A proposal as it stands.
struct Proposal: Sendable, Equatable {
  /// How far it is; follows from time and votes.
  enum Status: String, Sendable, CaseIterable {
    case active
    case rejected
    /// Passed, and in its time lock.
    case passed
    case executable
    case executed
  }

  let id: Int64
  let proposer: String
  let draft: ProposalDraft
  let createdAt: Int64
  /// The last entry when it was opened: stake of later entries does not count.
  let openingEntry: Int64
  let votingEnd: Int64
  let executableAt: Int64
  let quorum: Amount
  let executedAt: Int64?
  var votes: [Choice: Amount] = [:]

  static let columns = """
    id, proposer, type, title, description, parameters, created_at, opening_entry, voting_end, executable_at, \
    quorum_whole, quorum_nano, quorum_atto, executed_at
    """

  init(_ row: Row) {
    id = row.integer(0)
    proposer = row.text(1)
    draft = ProposalDraft(
      ProposalDraft.Kind(rawValue: row.text(2)) ?? .text,
      title: row.text(3),
      description: row.text(4),
      parameters: (try? JSON.parse(Array(row.text(5).utf8))) ?? [:]
    )
    createdAt = row.integer(6)
    openingEntry = row.integer(7)
    votingEnd = row.integer(8)
    executableAt = row.integer(9)
    quorum = row.amount(10)
    executedAt = row.optionalInteger(13)
  }

  func votes(_ choice: Choice) -> Amount { votes[choice] ?? .zero }

  /// Everything cast, abstentions too.
  var turnout: Amount { Choice.allCases.reduce(.zero) { $0 + votes($1) } }

  func status(now: Int64) -> Status {
    if executedAt != nil { return .executed }
    if now < votingEnd { return .active }
    guard turnout >= quorum, votes(.for) > votes(.against) else { return .rejected }
    return now < executableAt ? .passed : .executable
  }

  func json(now: Int64) -> JSON {
    [
      "proposal_id": .string(String(id)), "title": .string(draft.title),
      "description": .string(draft.description), "proposer_id": .string(proposer),
      "proposal_type": .string(draft.kind.rawValue), "parameters": draft.parameters,
      "votes_for": .amount(votes(.for)), "votes_against": .amount(votes(.against)),
      "votes_abstain": .amount(votes(.abstain)), "quorum_required": .amount(quorum),
      "quorum_met": .bool(turnout >= quorum), "created_at": .time(createdAt),
      "voting_start": .time(createdAt), "voting_end": .time(votingEnd),
      "executable_at": .time(executableAt), "executed_at": executedAt.map { .time($0) } ?? .null,
      "status": .string(status(now: now).rawValue),
    ]
  }
}

extension Connection {
  /// The proposal with its votes.
  mutating func proposal(_ id: Int64) throws(LedgerError) -> Proposal? {
    let sql = "SELECT \(Proposal.columns) FROM proposals WHERE id = ?"
    guard var proposal = try find(sql, [.integer(id)], Proposal.init) else { return nil }
    proposal.votes = try tally(id)
    return proposal
  }

  mutating func tally(_ proposal: Int64) throws(LedgerError) -> [Choice: Amount] {
    let sums = try list(
      "SELECT choice, SUM(whole), SUM(nano), SUM(atto) FROM votes WHERE proposal = ? GROUP BY choice",
      [.integer(proposal)]
    ) { (Choice(rawValue: $0.text(0)), $0.amount(1)) }
    var votes: [Choice: Amount] = [:]
    for (choice, amount) in sums { if let choice { votes[choice] = amount } }
    return votes
  }

  /// What an account had staked when the entry `last` was the newest.
  mutating func stake(of account: String, at last: Int64) throws(LedgerError) -> Amount {
    let sql = """
      SELECT SUM(whole), SUM(nano), SUM(atto) FROM postings INDEXED BY stake_postings
      WHERE account = ? AND entry <= ? AND bucket = 'staked'
      """
    return try find(sql, [.text(account), .integer(last)]) { $0.amount(0) } ?? .zero
  }

  /// What all accounts have staked.
  mutating func totalStaked() throws(LedgerError) -> Amount {
    let sql = """
      SELECT SUM(staked_whole), SUM(staked_nano), SUM(staked_atto) FROM accounts
      WHERE staked_whole > 0 OR staked_nano > 0 OR staked_atto > 0
      """
    return try find(sql) { $0.amount(0) } ?? .zero
  }
}
