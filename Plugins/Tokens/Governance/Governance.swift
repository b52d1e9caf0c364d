package import GatewayPlugin
import PluginStorage

extension Ledger {
  /// Opens a proposal; the stake of this moment votes on it.
  ///
  /// - Parameters:
  ///   - draft: What is proposed.
  ///   - account: Must have staked what the policy says, and pays the fee.
  ///   - key: Of the request, if it may come again.
  /// - Returns: The proposal.
  /// - Throws: `INSUFFICIENT_STAKE`, `INSUFFICIENT_BALANCE`; `invalid` for a parameter that cannot be changed so.
  package func propose(
    _ draft: ProposalDraft,
    by account: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    let faults = draft.faults(rules)
    guard faults.isEmpty else { throw .invalid(faults) }
    return try once(key) { connection, change throws(LedgerError) in
      let proposer = try change.open(account, on: &connection)
      let policy = change.policy
      let least = policy.amount(.proposalStake)
      guard proposer.staked >= least else {
        throw .insufficient(account: account, .staked, needed: least, proposer.staked)
      }
      let id = (try connection.find("SELECT max(id) FROM proposals") { $0.integer(0) } ?? 0) + 1
      if policy.amount(.proposalFee) > .zero {
        let fee = EntryDraft(
          .fee,
          policy.amount(.proposalFee),
          from: Leg(account),
          to: Leg(AccountName.treasury),
          reason: "The fee of a proposal.",
          reference: "proposal:\(id)"
        )
        try change.post(fee, on: &connection)
      }
      let share = try connection.totalStaked().share(policy[.quorumShare], of: 10_000)
      let votingEnd = change.now + policy.nanoseconds(.votingSeconds)
      try connection.execute(
        """
        INSERT INTO proposals(id, proposer, type, title, description, parameters, created_at, opening_entry,
          voting_end, executable_at, quorum_whole, quorum_nano, quorum_atto)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
          .integer(id), .text(account), .text(draft.kind.rawValue), .text(draft.title),
          .text(draft.description), .text(draft.parameters.text), .integer(change.now),
          .integer(change.lastEntry), .integer(votingEnd),
          .integer(votingEnd + policy.nanoseconds(.timelockSeconds)),
        ] + max(policy.amount(.quorumMinimum), share).columns
      )
      return try change.knownProposal(id, on: &connection).json(now: change.now)
    }
  }

  /// Votes once with what the account had staked when the proposal was opened.
  ///
  /// - Parameters:
  ///   - id: The proposal.
  ///   - choice: For, against or abstain.
  ///   - account: Whose vote.
  ///   - key: Of the request, if it may come again.
  /// - Returns: `proposal_id, vote, weight, transaction_id` and the counts.
  /// - Throws: `UNKNOWN_PROPOSAL`, `VOTING_CLOSED`, `ALREADY_VOTED`, `INSUFFICIENT_STAKE`.
  package func vote(
    _ id: Int64,
    _ choice: Choice,
    by account: String,
    key: IdempotencyKey?
  ) throws(LedgerError) -> OnceAnswer {
    try once(key) { connection, change throws(LedgerError) in
      let proposal = try change.knownProposal(id, on: &connection)
      guard change.now < proposal.votingEnd else {
        let end = Timestamp.text(nanoseconds: proposal.votingEnd, milliseconds: true)
        throw .refused(.votingClosed, "The vote on proposal \(id) ended at \(end).")
      }
      let sql = "SELECT 1 FROM votes WHERE proposal = ? AND account = ?"
      guard try connection.find(sql, [.integer(id), .text(account)], { _ in true }) == nil else {
        throw .refused(.alreadyVoted, "The account has voted on proposal \(id); a vote stands.")
      }
      let weight = try connection.stake(of: account, at: proposal.openingEntry)
      guard weight > .zero else {
        throw .refused(
          .insufficientStake,
          "The account had nothing staked when proposal \(id) was opened; stake before the next one."
        )
      }
      let draft = EntryDraft(
        .governanceVote,
        .zero,
        from: Leg(account, .staked),
        to: nil,
        reason: "Voted \(choice.rawValue) with \(weight) FOG.",
        reference: "proposal:\(id)"
      )
      let entry = try change.post(draft, on: &connection)
      try connection.execute(
        "INSERT INTO votes(proposal, account, choice, whole, nano, atto, entry) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [.integer(id), .text(account), .text(choice.rawValue)] + weight.columns + [.integer(entry)]
      )
      let votes = try connection.tally(id)
      return [
        "proposal_id": .string(String(id)), "vote": .string(choice.rawValue),
        "weight": .amount(weight), "transaction_id": .string(String(entry)),
        "votes_for": .amount(votes[.for] ?? .zero),
        "votes_against": .amount(votes[.against] ?? .zero),
        "votes_abstain": .amount(votes[.abstain] ?? .zero),
      ]
    }
  }

  /// Carries out what was decided, once: after the vote's end and the time lock.
  ///
  /// - Parameters:
  ///   - id: The proposal.
  ///   - key: Of the request, if it may come again.
  /// - Returns: The proposal, executed.
  /// - Throws: `UNKNOWN_PROPOSAL`, `PROPOSAL_NOT_EXECUTABLE` with the reason.
  package func execute(_ id: Int64, key: IdempotencyKey?) throws(LedgerError) -> OnceAnswer {
    try once(key) { connection, change throws(LedgerError) in
      let proposal = try change.knownProposal(id, on: &connection)
      let status = proposal.status(now: change.now)
      guard status == .executable else {
        throw .refused(
          .notExecutable,
          proposal.whyNot(status),
          details: ["status": .string(status.rawValue)]
        )
      }
      // The operator may have narrowed the bounds since it was proposed.
      let faults = proposal.draft.faults(change.rules)
      guard faults.isEmpty else {
        let reasons = faults.map { "\($0.field) \($0.reason)" }.joined(separator: "; ")
        throw .refused(
          .notExecutable,
          "The operator's bounds do not allow it any more: \(reasons)."
        )
      }
      let changes = proposal.draft.kind == .text ? [] : proposal.draft.parameters.asMembers ?? []
      for member in changes {
        try connection.execute(
          "INSERT OR REPLACE INTO parameters(name, value, proposal, at) VALUES (?, ?, ?, ?)",
          [
            .text(member.name), .text(member.value.text), .integer(id), .integer(change.now),
          ]
        )
      }
      try connection.execute(
        "UPDATE proposals SET executed_at = ? WHERE id = ?",
        [.integer(change.now), .integer(id)]
      )
      try change.refreshPolicy(on: &connection)
      try change.noteRate(on: &connection)
      return try change.knownProposal(id, on: &connection).json(now: change.now)
    }
  }

  /// The proposal, or `nil`.
  package func proposal(_ id: Int64) throws(LedgerError) -> JSON? {
    let now = now
    return try read { connection throws(LedgerError) in
      try connection.proposal(id)?.json(now: now)
    }
  }

  /// A page of proposals, the newest first.
  package func proposals(limit: Int, offset: Int) throws(LedgerError) -> JSON {
    let now = now
    return try read { connection throws(LedgerError) in
      let total = try connection.find("SELECT count(*) FROM proposals") { $0.integer(0) } ?? 0
      var page = try connection.list(
        "SELECT \(Proposal.columns) FROM proposals ORDER BY id DESC LIMIT ? OFFSET ?",
        [.count(limit), .count(offset)],
        Proposal.init
      )
      for index in page.indices { page[index].votes = try connection.tally(page[index].id) }
      return [
        "proposals": .array(page.map { $0.json(now: now) }), "total_count": .integer(total),
        "limit": .integer(Int64(limit)), "offset": .integer(Int64(offset)),
      ]
    }
  }
}

extension LedgerChange {
  func knownProposal(
    _ id: Int64,
    on connection: inout Connection
  ) throws(LedgerError) -> Proposal {
    guard let proposal = try connection.proposal(id) else {
      throw .refused(
        .unknownProposal,
        "There is no proposal \(id); see GET /v1/tokens/proposals."
      )
    }
    return proposal
  }
}

extension Proposal {
  fileprivate func whyNot(_ status: Status) -> String {
    func text(_ time: Int64) -> String { Timestamp.text(nanoseconds: time, milliseconds: true) }
    return switch status {
    case .active: "The vote on proposal \(id) goes on until \(text(votingEnd))."
    case .passed: "Proposal \(id) has passed; its time lock ends at \(text(executableAt))."
    case .executed: "Proposal \(id) was executed at \(text(executedAt ?? 0)); that is done once."
    case .rejected, .executable:
      turnout < quorum
        ? "Proposal \(id) has failed: \(turnout) FOG voted, and \(quorum) FOG are its quorum."
        : "Proposal \(id) has failed: no more stake was for it than against it."
    }
  }
}
