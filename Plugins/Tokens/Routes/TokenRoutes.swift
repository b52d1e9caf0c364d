import GatewayPlugin

/// The routes about accounts: `/v1/tokens`, its transactions, transfers, mint and burn.
struct TokenRoutes {
  let ledger: Ledger

  @ListBuilder<Route> var all: [Route] {
    status
    policy
    transactions
    transaction
    transfer
    issue(.mint)
    issue(.burn)
  }

  private var status: Route {
    .get(
      "/v1/tokens",
      scope: .read,
      summary: "Show your account; the first time opens it",
      answer: TokenSchemas.status
    ) { [ledger] request in
      let id = try request.caller.account()
      return try answering { () throws(LedgerError) in
        let account = try ledger.openAccount(id)
        let validator = try ledger.policy().amount(.validatorStake)
        return .data(
          [
            "balance": .amount(account.balance), "staked": .amount(account.staked),
            "locked": .amount(account.locked), "total_balance": .amount(account.total),
            "voting_power": .amount(account.staked),
            "validator": .bool(account.staked >= validator),
            "total_supply": .amount(try ledger.supply()),
            "maximum_supply": .amount(ledger.rules.maximumSupply), "symbol": "FOG",
            "name": "Fog Computing Token", "decimals": .integer(Int64(Amount.decimals)),
            "network_status": ledger.isHalted ? "halted" : "operational",
            "user_account": .string(id), "created_at": .time(account.openedAt),
          ],
          message: "Token status retrieved"
        )
      }
    }
  }

  private var policy: Route {
    .get(
      "/v1/tokens/policy",
      scope: .read,
      summary: "Show the rules that hold now, and what may be changed by vote",
      answer: .object([:])
    ) { [ledger] _ in
      let policy = try answering { () throws(LedgerError) in try ledger.policy() }
      return .data(ledger.rules.json(policy), message: "Token policy retrieved")
    }
  }

  private var transactions: Route {
    .get(
      "/v1/tokens/transactions",
      scope: .read,
      summary: "List your transactions, the newest first (with scope admin: any account's)",
      parameters: [
        .query("limit", .integer("Transactions on a page", 1...100, default: 20)),
        .query("offset", .integer("Transactions to pass over", 0...1_000_000_000, default: 0)),
        .query("before", .integer("Only those with a smaller tx_id", 1...Int.max)),
        .query("kind", .string(allowed: EntryKind.allCases.map(\.rawValue))),
        .query("direction", .string(allowed: History.Direction.allCases.map(\.rawValue))),
        .query("since", TokenSchemas.time), .query("until", TokenSchemas.time),
        .query("reference", .string("", 1...255)),
        .query("account", .string("Scope admin alone", 1...AccountName.longest)),
      ],
      answer: TokenSchemas.transactions
    ) { [ledger] request in
      let caller = request.caller
      let own = try caller.account()
      let history = try request.validateQuery(unknown: .refused) { fields in
        History(&fields, account: own)
      }
      guard history.account.utf8.elementsEqual(own.utf8) || caller.may(.admin) else {
        throw Failure.forbidden("Other accounts are for scope admin; leave account out.")
      }
      return .data(
        try answering { () throws(LedgerError) in try ledger.history(history) },
        message: "Transactions retrieved"
      )
    }
  }

  private var transaction: Route {
    .get(
      "/v1/tokens/transactions/{id}",
      scope: .read,
      summary: "Show one of your transactions (with scope admin: any)",
      parameters: [.path("id", .string(), "The tx_id")],
      answer: TokenSchemas.transaction,
      statuses: [404: "There is none of this id among the caller's"]
    ) { [ledger] request in
      let text = request.parameter("id")
      let own = try request.caller.account()
      let isAdmin = request.caller.may(.admin)
      let entry = try answering { () throws(LedgerError) -> JSON? in
        guard let id = Int64(text) else { return nil }
        if let entry = try ledger.entry(id, seenBy: own) { return entry }
        guard isAdmin else { return nil }
        return try ledger.entry(id, seenBy: nil)
      }
      guard let entry else {
        throw Failure.notFound(
          "There is no transaction \(text.shortened) among yours; see GET /v1/tokens/transactions."
        )
      }
      return .data(entry, message: "Transaction retrieved")
    }
  }

  private var transfer: Route {
    .post(
      "/v1/tokens/transfer",
      scope: .write,
      summary: "Send FOG to another account",
      parameters: [IdempotencyField.parameter(isRequired: true)],
      body: .object(
        [
          "to": TokenSchemas.account, "amount": TokenSchemas.sentAmount,
          "memo": .string("", 0...255),
        ],
        required: ["to", "amount"],
        unknown: .refused
      ),
      answer: TokenSchemas.transfer,
      statuses: [
        400: "IDEMPOTENCY_KEY_REQUIRED", 404: "UNKNOWN_ACCOUNT", 409: "INSUFFICIENT_BALANCE",
        422: "VALIDATION_ERROR, or IDEMPOTENCY_CONFLICT: the key came with another body",
      ]
    ) { [ledger] request in
      let from = try request.caller.account()
      let body = try request.json()
      let key = try IdempotencyField.read(request, "transfer", body, isRequired: true)
      let (to, amount, memo) = try request.validate { fields in
        (fields.account("to"), fields.amount("amount"), fields.string("memo", 0...255, default: ""))
      }
      return try respond("Transfer confirmed") { () throws(LedgerError) in
        try ledger.transfer(from: from, to: to, amount: amount, memo: memo, key: key)
      }
    }
  }

  private func issue(_ kind: EntryKind) -> Route {
    let isMint = kind == .mint
    return .post(
      "/v1/tokens/\(kind.rawValue)",
      scope: .admin,
      summary: isMint
        ? "Issue FOG to an account, within the maximum supply"
        : "Take FOG of an account out of the supply",
      parameters: [IdempotencyField.parameter(isRequired: true)],
      body: .object(
        [
          "account": TokenSchemas.account, "amount": TokenSchemas.sentAmount,
          "reason": .string("Kept in the journal", 1...255),
        ],
        required: ["account", "amount", "reason"],
        unknown: .refused
      ),
      answer: TokenSchemas.issue,
      statuses: [
        400: "IDEMPOTENCY_KEY_REQUIRED", 404: "UNKNOWN_ACCOUNT",
        409: isMint ? "SUPPLY_CAP" : "INSUFFICIENT_BALANCE",
        422: "VALIDATION_ERROR, or IDEMPOTENCY_CONFLICT: the key came with another body",
      ]
    ) { [ledger] request in
      let body = try request.json()
      let key = try IdempotencyField.read(request, kind.rawValue, body, isRequired: true)
      let (account, amount, why) = try request.validate { fields in
        (fields.account("account"), fields.amount("amount"), fields.string("reason", 1...255))
      }
      // Who did it is part of the journal, not of the log alone.
      let reason = "\(why) (by \(request.caller.subject))"
      return try respond(isMint ? "Minted" : "Burned") { () throws(LedgerError) in
        isMint
          ? try ledger.mint(to: account, amount: amount, reason: reason, key: key)
          : try ledger.burn(from: account, amount: amount, reason: reason, key: key)
      }
    }
  }
}
