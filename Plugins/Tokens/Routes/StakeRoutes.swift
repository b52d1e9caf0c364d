import GatewayPlugin

/// The routes about stakes.
struct StakeRoutes {
  let ledger: Ledger

  @ListBuilder<Route> var all: [Route] {
    list
    stake
    unstake
    claim
  }

  private var list: Route {
    .get(
      "/v1/tokens/stakes",
      scope: .read,
      summary: "List your stakes and what each has earned since it was last paid",
      answer: TokenSchemas.stakes
    ) { [ledger] request in
      let account = try request.caller.account()
      return .data(
        try answering { () throws(LedgerError) in try ledger.stakes(of: account) },
        message: "Stakes retrieved"
      )
    }
  }

  private var stake: Route {
    .post(
      "/v1/tokens/stake",
      scope: .write,
      summary: "Stake FOG for a time: it votes and earns, and cannot be spent",
      parameters: [IdempotencyField.parameter()],
      body: .object(
        [
          "amount": TokenSchemas.sentAmount,
          "lock_seconds": .integer(
            "How long it is locked; the policy's minimum when absent",
            0...Policy.longestLockSeconds
          ),
        ],
        required: ["amount"],
        unknown: .refused
      ),
      answer: TokenSchemas.staked,
      statuses: [409: "INSUFFICIENT_BALANCE"]
    ) { [ledger] request in
      let account = try request.caller.account()
      let key = try IdempotencyField.read(request, "stake", try request.json())
      let (amount, seconds) = try request.validate { fields in
        (
          fields.amount("amount"),
          fields.optionalInteger("lock_seconds", 0...Policy.longestLockSeconds)
        )
      }
      return try respond("Staked") { () throws(LedgerError) in
        try ledger.stake(account, amount: amount, seconds: seconds, key: key)
      }
    }
  }

  private var unstake: Route {
    .post(
      "/v1/tokens/unstake",
      scope: .write,
      summary: "Take staked FOG back after its lock, with its reward",
      parameters: [IdempotencyField.parameter()],
      body: .object(
        [
          "amount": TokenSchemas.sentAmount,
          "stake_id": .string("Take it from this stake alone", 1...19, pattern: "^[0-9]+$"),
        ],
        required: ["amount"],
        unknown: .refused
      ),
      answer: TokenSchemas.staked,
      statuses: [409: "INSUFFICIENT_STAKE or STAKE_LOCKED"]
    ) { [ledger] request in
      let account = try request.caller.account()
      let key = try IdempotencyField.read(request, "unstake", try request.json())
      let (amount, stake) = try request.validate { fields -> (Amount, Int64?) in
        let text = fields.optionalString("stake_id", 1...20)
        let stake = text.flatMap { Int64($0) }
        if text != nil, stake == nil {
          fields.refuse("stake_id", "must be the stake_id of one of your stakes")
        }
        return (fields.amount("amount"), stake)
      }
      return try respond("Unstaked") { () throws(LedgerError) in
        try ledger.unstake(account, amount: amount, stake: stake, key: key)
      }
    }
  }

  private var claim: Route {
    .post(
      "/v1/tokens/claim",
      scope: .write,
      summary: "Have paid out what your stakes have earned so far",
      parameters: [IdempotencyField.parameter()],
      answer: TokenSchemas.staked
    ) { [ledger] request in
      let account = try request.caller.account()
      let key = try IdempotencyField.read(request, "claim", [:])
      return try respond("Rewards claimed") { () throws(LedgerError) in
        try ledger.claim(account, key: key)
      }
    }
  }
}
