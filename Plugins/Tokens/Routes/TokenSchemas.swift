import GatewayPlugin

/// What the routes take and give, for the reader of the API.
enum TokenSchemas {
  static let amount = Schema.string(
    "FOG, a decimal text like 12.5 with at most 18 decimals",
    1...64
  )
  /// An amount as a request may have it.
  static let sentAmount = Schema.string(
    "FOG, more than 0, a decimal text like 12.5 with at most 18 decimals",
    1...64,
    pattern: #"^(?!0(\.0+)?$)(0|[1-9][0-9]{0,11})(\.[0-9]{1,18})?$"#
  )
  /// An account as a request may name it.
  static let account = Schema.string(
    "An account that has been opened",
    1...AccountName.longest,
    pattern: #"^[^\u0000-\u001F\u007F]*$"#
  )
  static let time = Schema.string(format: "date-time")

  static let status = Schema.object([
    "balance": amount, "staked": amount, "locked": amount, "total_balance": amount,
    "voting_power": amount, "validator": .boolean(), "total_supply": amount,
    "maximum_supply": amount, "symbol": .string(), "name": .string(), "decimals": .integer(),
    "network_status": .string("operational; halted when the audit found a fault"),
    "user_account": .string(), "created_at": time,
  ])

  static let transaction = Schema.object([
    "tx_id": .string(), "type": .string(allowed: EntryKind.allCases.map(\.rawValue)),
    "amount": amount, "timestamp": time, "status": .string("confirmed"),
    "from_account": Schema.string().orNull, "to_account": Schema.string().orNull,
    "direction": .string(allowed: History.Direction.allCases.map(\.rawValue)),
    "changes": .object(
      ["balance": amount, "staked": amount, "locked": amount],
      "What the entry did to the parts of the account; negative for what left"
    ),
    "reason": .string("The memo, or what the rule says"),
    "reference": .string("What it belongs to: a job, a stake, a proposal, an entry"),
    "hash": .string(), "previous_hash": .string(),
  ])

  static let transactions = Schema.object([
    "transactions": .array(transaction), "total_count": .integer(),
    "complete": .boolean(
      "False: the count and the filters saw the newest 50,000 alone; go on with next_before"
    ),
    "limit": .integer(),
    "offset": .integer(),
    "next_before": Schema.integer("`before` of the next page; null at the end").orNull,
    "user_account": .string(),
  ])

  static let transfer = Schema.object([
    "transaction_id": .string(), "from": .string(), "to": .string(), "amount": amount,
    "fee": amount, "balance": amount, "memo": .string(), "status": .string(), "timestamp": time,
  ])

  static let issue = Schema.object([
    "transaction_id": .string(), "account": .string(), "amount": amount, "balance": amount,
    "total_supply": amount, "status": .string(), "timestamp": time,
  ])

  static let staked = Schema.object([
    "stake_id": .string(), "transaction_id": .string(), "amount": amount, "locked_until": time,
    "reward": amount, "capped": .boolean("The maximum supply left less than was earned"),
    "balance": amount, "staked": amount, "voting_power": amount, "validator": .boolean(),
  ])

  static let stakes = Schema.object([
    "stakes": .array(
      .object([
        "stake_id": .string(), "amount": amount, "staked_at": time, "locked_until": time,
        "unlocked": .boolean(), "accrued": amount,
      ])
    ),
    "total_count": .integer(), "staked": amount, "accrued": amount, "user_account": .string(),
  ])

  static let proposal = Schema.object([
    "proposal_id": .string(), "title": .string(), "description": .string(),
    "proposer_id": .string(),
    "proposal_type": .string(allowed: ProposalDraft.Kind.allCases.map(\.rawValue)),
    "parameters": .object([:]), "votes_for": amount, "votes_against": amount,
    "votes_abstain": amount, "quorum_required": amount, "quorum_met": .boolean(),
    "created_at": time, "voting_start": time, "voting_end": time, "executable_at": time,
    "executed_at": time.orNull,
    "status": .string(allowed: Proposal.Status.allCases.map(\.rawValue)),
  ])

  static let vote = Schema.object([
    "proposal_id": .string(), "vote": .string(allowed: Choice.allCases.map(\.rawValue)),
    "weight": amount, "transaction_id": .string(), "votes_for": amount,
    "votes_against": amount, "votes_abstain": amount,
  ])
}
