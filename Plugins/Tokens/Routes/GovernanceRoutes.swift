import GatewayPlugin

/// The routes under `/v1/tokens/proposals`.
struct GovernanceRoutes {
  let ledger: Ledger
  /// Told of what became of a proposal: what happened, and the answer's data.
  let announce: @Sendable (_ event: String, _ data: JSON) -> Void

  @ListBuilder<Route> var all: [Route] {
    list
    one
    propose
    vote
    execute
  }

  private var list: Route {
    .get(
      "/v1/tokens/proposals",
      scope: .read,
      summary: "List proposals, the newest first",
      parameters: [
        .query("limit", .integer("Proposals on a page", 1...100, default: 20)),
        .query("offset", .integer("Proposals to pass over", 0...1_000_000_000, default: 0)),
      ],
      answer: .object([
        "proposals": .array(TokenSchemas.proposal), "total_count": .integer(),
        "limit": .integer(), "offset": .integer(),
      ])
    ) { [ledger] request in
      let (limit, offset) = try request.validateQuery(unknown: .refused) { fields in
        (
          fields.integer("limit", 1...100, default: 20),
          fields.integer("offset", 0...1_000_000_000, default: 0)
        )
      }
      return .data(
        try answering { () throws(LedgerError) in
          try ledger.proposals(limit: limit, offset: offset)
        },
        message: "Proposals retrieved"
      )
    }
  }

  private var one: Route {
    .get(
      "/v1/tokens/proposals/{id}",
      scope: .read,
      summary: "Show one proposal and how its vote stands",
      parameters: [Self.id],
      answer: TokenSchemas.proposal,
      statuses: [404: "UNKNOWN_PROPOSAL"]
    ) { [ledger] request in
      let id = try Self.id(request)
      let proposal = try answering { () throws(LedgerError) in try ledger.proposal(id) }
      guard let proposal else { throw Self.unknown(String(id)) }
      return .data(proposal, message: "Proposal retrieved")
    }
  }

  private var propose: Route {
    .post(
      "/v1/tokens/proposals",
      scope: .write,
      summary: "Propose a change of the policy, or a text",
      parameters: [IdempotencyField.parameter()],
      body: .object(
        [
          "title": .string("", 1...200), "description": .string("", 0...10_000),
          "proposal_type": .string(allowed: ProposalDraft.Kind.allCases.map(\.rawValue)),
          "parameters": .object([:], "Names and new values; see governable of the policy"),
        ],
        required: ["title", "proposal_type"],
        unknown: .refused
      ),
      answer: TokenSchemas.proposal,
      statuses: [409: "INSUFFICIENT_STAKE or INSUFFICIENT_BALANCE"]
    ) { [ledger, announce] request in
      let account = try request.caller.account()
      let key = try IdempotencyField.read(request, "propose", try request.json())
      let draft = try request.validate { fields in ProposalDraft(&fields) }
      return try Self.told("opened", "Proposal opened", announce) { () throws(LedgerError) in
        try ledger.propose(draft, by: account, key: key)
      }
    }
  }

  private var vote: Route {
    .post(
      "/v1/tokens/proposals/{id}/vote",
      scope: .write,
      summary: "Vote once, with what you had staked when the proposal was opened",
      parameters: [Self.id, IdempotencyField.parameter()],
      body: .object(
        ["vote": .string(allowed: Choice.allCases.map(\.rawValue))],
        required: ["vote"],
        unknown: .refused
      ),
      answer: TokenSchemas.vote,
      statuses: [
        404: "UNKNOWN_PROPOSAL", 409: "ALREADY_VOTED, VOTING_CLOSED or INSUFFICIENT_STAKE",
      ]
    ) { [ledger, announce] request in
      let account = try request.caller.account()
      let id = try Self.id(request)
      let key = try IdempotencyField.read(request, "vote \(id)", try request.json())
      let choice = try request.validate { fields in
        Choice(rawValue: fields.choice("vote", Choice.allCases.map(\.rawValue))) ?? .abstain
      }
      return try Self.told("voted", "Vote counted", announce) { () throws(LedgerError) in
        try ledger.vote(id, choice, by: account, key: key)
      }
    }
  }

  private var execute: Route {
    .post(
      "/v1/tokens/proposals/{id}/execute",
      scope: .write,
      summary: "Carry out a proposal that has passed, after its time lock",
      parameters: [Self.id, IdempotencyField.parameter()],
      answer: TokenSchemas.proposal,
      statuses: [404: "UNKNOWN_PROPOSAL", 409: "PROPOSAL_NOT_EXECUTABLE"]
    ) { [ledger, announce] request in
      _ = try request.caller.account()
      let id = try Self.id(request)
      let key = try IdempotencyField.read(request, "execute \(id)", [:])
      return try Self.told("executed", "Proposal executed", announce) { () throws(LedgerError) in
        try ledger.execute(id, key: key)
      }
    }
  }

  private static func told(
    _ event: String,
    _ message: String,
    _ announce: (String, JSON) -> Void,
    _ body: () throws(LedgerError) -> OnceAnswer
  ) throws -> Response {
    let answer = try answering(body)
    if !answer.isReplay { announce(event, answer.json) }
    return try respond(message) { () throws(LedgerError) in answer }
  }

  private static let id = Parameter.path("id", .string(), "The proposal_id")

  private static func id(_ request: borrowing Request) throws(Failure) -> Int64 {
    let text = request.parameter("id")
    guard let id = Int64(text) else { throw unknown(text) }
    return id
  }

  private static func unknown(_ id: String) -> Failure {
    Failure(
      status: 404,
      code: Refusal.Code.unknownProposal.rawValue,
      message: "There is no proposal \(id.shortened); see GET /v1/tokens/proposals."
    )
  }
}

extension ProposalDraft {
  /// Reads the body of a proposal.
  init(_ fields: inout Fields) {
    let kinds = Kind.allCases.map(\.rawValue)
    self.init(
      Kind(rawValue: fields.choice("proposal_type", kinds)) ?? .text,
      title: fields.string("title", 1...200),
      description: fields.string("description", 0...10_000, default: ""),
      parameters: fields.json("parameters") ?? [:]
    )
    if parameters.asMembers == nil { fields.refuse("parameters", "must be a JSON object") }
  }
}
