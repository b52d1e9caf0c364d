import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers
import Synchronization

/// Prices, quotes and what the market is like.
extension Coordinator {
  /// Supply and demand of a tier, now.
  func conditions(
    _ tier: FogTier,
    _ now: Moment,
    _ state: FogState
  ) -> PriceRule.Conditions {
    var conditions = PriceRule.Conditions()
    var leased = 0
    for node in state.known where node.status(now, patience: patience) == .active {
      guard node.trust.score(Int64(now.wall)) >= tier.minimumTrust else { continue }
      conditions.supply += Capacity(node.report).coreEquivalent
      leased += node.leased.coreEquivalent
    }
    for job in state.jobs.values where job.tier == tier {
      conditions.demand += Capacity(job.requirements).coreEquivalent
    }
    if conditions.supply > 0 {
      conditions.utilisation = Double(leased) / Double(conditions.supply)
    }
    return conditions
  }

  /// What GET /v1/fog/market says.
  func marketAnswer() -> JSON {
    let now = around.now()
    return state.withLock { state in
      let tiers = FogTier.allCases.map { tier -> JSON.Member in
        let conditions = conditions(tier, now, state)
        let price = state.prices[tier] ?? settings.prices.start(tier)
        let bounds = settings.prices.bounds(tier)
        let target = settings.prices.target(tier, conditions)
        let ratio = Double(conditions.demand) / Double(max(1, conditions.supply))
        return .init(
          name: tier.rawValue,
          value: [
            "price_per_core_hour": .string(price.text), "floor": .string(bounds.lowerBound.text),
            "ceiling": .string(bounds.upperBound.text),
            "target": target.map { .string($0.text) } ?? .null,
            "demand_cores": .number(Double(conditions.demand) / 1000),
            "supply_cores": .number(Double(conditions.supply) / 1000),
            "demand_supply_ratio": conditions.supply > 0 ? .number(ratio) : .null,
            "utilization": .number(conditions.utilisation),
            "start_promise_ms": .integer(Int64(tier.startMilliseconds)),
            "sla_credit_percent": .integer(Int64(tier.creditPercent)),
            "minimum_trust": .number(tier.minimumTrust),
          ]
        )
      }
      let active = state.known.count { $0.status(now, patience: patience) == .active }
      return [
        "currency": "FOG", "payment": .string(settings.isPaid ? "on" : "off"),
        "tiers": .object(tiers), "last_updated": .time(milliseconds: state.pricesSteppedAt),
        "max_change_per_hour": .number(Double(PriceRule.hourlyThousandths) / 1000),
        "market_conditions": [
          "available_providers": .integer(Int64(active)),
          "queued_jobs": .integer(Int64(state.waitingCount)),
          "running_jobs": .integer(Int64(state.leases.count)),
        ],
        "core_equivalents": ["cpu_core": 1, "memory_gb": 0.1, "storage_gb": 0.01, "gpu": 10],
        "lost_lease_penalty": .string(settings.lostLeasePenalty.text),
      ]
    }
  }

  /// The price of a core-hour now.
  func price(_ tier: FogTier) -> Amount {
    state.withLock { $0.prices[tier] } ?? settings.prices.start(tier)
  }

  // MARK: - Quotes

  /// What POST /v1/fog/quotes does.
  ///
  /// - Parameters:
  ///   - json: The body.
  ///   - owner: Who asks.
  /// - Returns: The quote.
  /// - Throws: `Failure`, `StorageError`.
  func quote(_ json: JSON, owner: String) throws -> JSON {
    var fields = Fields(JobRequest.normalized(json))
    let tier = JobRequest.tier(&fields, json)
    let typeName = JobRequest.given("type", or: "job_type", json)
    let type = fields.optionalString(typeName, 1...32).map { JobRequest.type($0) }
    if type == .some(nil) { JobRequest.refuse(typeName, &fields) }
    let requirements = fields.optionalObject("requirements") { Requirements(&$0) } ?? .init()
    try fields.finish()
    let now = around.now()
    let price = price(tier)
    let id = UUID4.make()
    let expires = Int64(now.wall) + Int64(settings.quoteSeconds) * 1000
    let isStored = try answering { () throws(StorageError) in
      try database.write { (connection) throws(StorageError) in
        let held = try connection.first(
          "SELECT count(*) FROM fog_quotes WHERE owner = ? AND expires_at > ? AND job IS NULL",
          [.text(owner), .integer(Int64(now.wall))]
        ) { $0.count(0) }
        guard held ?? 0 < settings.maxQuotesPerUser else { return false }
        try connection.run(
          """
          INSERT INTO fog_quotes (id, owner, tier, requirements, price, expires_at)
          VALUES (?, ?, ?, ?, ?, ?)
          """,
          [
            .text(id), .text(owner), .text(tier.rawValue), .text(requirements.json.text),
            .count(price.parts), .integer(expires),
          ]
        )
        return true
      }
    }
    guard isStored else {
      throw Failure.tooManyRequests(
        "You have \(settings.maxQuotesPerUser) quotes that bind; use one or let one expire.",
        retryAfter: .seconds(settings.quoteSeconds)
      )
    }
    return quoteAnswer(id, tier, type ?? nil, requirements, price, expires)
  }

  private func quoteAnswer(
    _ id: String,
    _ tier: FogTier,
    _ type: JobType?,
    _ requirements: Requirements,
    _ price: Amount,
    _ expires: Int64
  ) -> JSON {
    let now = around.now()
    let (able, conditions) = state.withLock { state in
      let able = state.known.count { node in
        node.status(now, patience: patience) == .active
          && Capacity(node.report).lacking(Capacity(requirements)).isEmpty
          && node.trust.score(Int64(now.wall)) >= tier.minimumTrust
          && requirements.capabilities.allSatisfy(node.report.capabilities.contains)
          && (type.map { node.report.capabilities.contains($0.rawValue) } ?? true)
      }
      return (able, self.conditions(tier, now, state))
    }
    return [
      "quote_id": .string(id), "tier": .string(tier.rawValue),
      "requirements": requirements.json, "price_per_core_hour": .string(price.text),
      "cost_estimate": CostAnswer.estimate(requirements, price: price),
      "expires_at": .time(milliseconds: expires),
      "valid_seconds": .integer(Int64(settings.quoteSeconds)), "available": .bool(able > 0),
      "reason": able > 0
        ? "\(able) active nodes could run it" : "no active node could run it just now",
      "market_conditions": [
        "utilization_rate": .number(conditions.utilisation),
        "demand_cores": .number(Double(conditions.demand) / 1000),
        "supply_cores": .number(Double(conditions.supply) / 1000),
      ],
    ]
  }
}

/// How costs look in answers.
enum CostAnswer {
  /// The most that a job can cost, in the original's parts.
  static func estimate(_ requirements: Requirements, price: Amount) -> JSON {
    let total = Cost.estimate(requirements, price: price)
    var disk = Requirements()
    disk.cpuMillicores = 0
    disk.memoryMegabytes = 0
    disk.diskMegabytes = requirements.diskMegabytes
    disk.maxDurationSeconds = requirements.maxDurationSeconds
    let storage = min(total, Cost.estimate(disk, price: price))
    return [
      "compute_cost": .string((total - storage).text), "storage_cost": .string(storage.text),
      // Nothing is charged for what goes over the network.
      "network_cost": "0", "total_cost": .string(total.text),
    ]
  }
}
