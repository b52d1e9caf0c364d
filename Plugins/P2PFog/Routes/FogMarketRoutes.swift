import GatewayPlugin

/// The routes of prices and quotes.
struct FogMarketRoutes {
  let coordinator: Coordinator

  @ListBuilder<Route> var all: [Route] {
    Route.get(
      "/v1/fog/market",
      scope: .read,
      summary: "Show what a core-hour costs in each tier, and why",
      answer: .object([
        "currency": .string(), "payment": .string(allowed: ["on", "off"]),
        "tiers": .object([:], "By name: price, bounds, demand, supply, utilization, promises"),
        "last_updated": .string(format: "date-time"), "max_change_per_hour": .number(),
        "market_conditions": .object([:]),
      ])
    ) { [coordinator] _ in
      .data(coordinator.marketAnswer(), message: "Fog market retrieved")
    }
    Route.post(
      "/v1/fog/quotes",
      scope: .write,
      summary: "Bind today's price for one job, for some minutes",
      body: .object(
        [
          "tier": .string("bronze when absent", allowed: FogTier.allCases.map(\.rawValue)),
          "type": .string(allowed: JobType.allCases.map(\.rawValue)),
          "requirements": FogJobRoutes.requirements,
        ],
        "Of POST /v1/fog/jobs, with the same other names"
      ),
      answer: .object([
        "quote_id": .string(format: "uuid"), "price_per_core_hour": .string(),
        "cost_estimate": .object([:]), "expires_at": .string(format: "date-time"),
        "available": .boolean(), "reason": .string(), "market_conditions": .object([:]),
      ]),
      status: 201,
      limits: Route.Limits(maxBody: 16 << 10)
    ) { [coordinator] request in
      .data(
        try coordinator.quote(try request.json(), owner: request.caller.subject),
        message: "Quote made",
        status: 201
      )
    }
  }
}
