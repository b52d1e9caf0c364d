import GatewayPlugin
import Peering

/// The routes under `/v1/fog/nodes`, and those of what nodes have together.
struct FogNodeRoutes {
  let coordinator: Coordinator

  @ListBuilder<Route> var all: [Route] {
    list
    Route.get(
      "/v1/fog/nodes/{node_id}",
      scope: .read,
      summary: "Show one node of the fog",
      parameters: [Self.id],
      answer: Self.node,
      statuses: [404: "It is not known here"]
    ) { [coordinator] request in
      let id = try Self.peer(request)
      guard let answer = coordinator.nodeAnswer(id) else { throw Failure.noNode("\(id)") }
      return .data(answer, message: "Fog node retrieved")
    }
    change("POST", "/drain", "Let a node end what it has, and give it nothing new", "draining") {
      try $0.drain($1, true)
    }
    change("POST", "/undrain", "Give a drained node work again", "active again") {
      try $0.drain($1, false)
    }
    change("POST", "/admit", "Let a node that was removed register again", "admitted") {
      try $0.admit($1)
    }
    change(
      "DELETE",
      "",
      "Remove a node; its jobs run elsewhere, and it may not come back",
      "removed"
    ) {
      try $0.remove($1)
    }
    Route.get(
      "/v1/fog/resources",
      scope: .read,
      summary: "Show what all active nodes have, and how much of it is used",
      answer: .object([
        "total": Self.capacity, "leased": Self.capacity, "available": Self.capacity,
        "utilization": .object([:]), "cpu_load": Schema.number().orNull, "nodes": .object([:]),
        "jobs": .object([:]), "largest": Self.capacity,
      ])
    ) { [coordinator] _ in
      .data(coordinator.resourcesAnswer(), message: "Fog resources retrieved")
    }
  }

  private var list: Route {
    .get(
      "/v1/fog/nodes",
      scope: .read,
      summary: "List the nodes of the fog",
      parameters: [
        .query("status", .string(allowed: Self.statuses)),
        .query("tier", .string("Nodes that may run it", allowed: FogTier.allCases.map(\.rawValue))),
        .query("location", .string("A region, as nodes name it", 1...64)),
        .query("capabilities", .string("All of these, parted by commas", 1...1024)),
        .query("limit", .integer("Nodes on a page", 1...1000, default: 100)),
        .query("offset", .integer("Nodes to pass over", 0...1_000_000, default: 0)),
      ],
      answer: .object([
        "total_nodes": .integer(), "active_nodes": .integer(), "nodes": .array(Self.node),
        "summary": .object([
          "total_cpu_cores": .number(), "total_memory_gb": .number(),
          "total_gpu_count": .integer(), "average_load": Schema.number().orNull,
        ]), "total_count": .integer("Of those that were asked for"), "limit": .integer(),
        "offset": .integer(),
      ])
    ) { [coordinator] request in
      let listing = try request.validateQuery(unknown: .refused) { Self.listing(&$0) }
      return .data(coordinator.nodesAnswer(listing), message: "Fog nodes retrieved")
    }
  }

  private static let statuses = FogNode.Status.allCases.map(\.rawValue) + ["busy", "all"]

  static func listing(_ fields: inout Fields) -> Coordinator.NodeListing {
    var listing = Coordinator.NodeListing()
    let status = fields.choice("status", statuses, default: "all")
    if let one = FogNode.Status(rawValue: status) { listing.statuses = [one] }
    listing.isBusyWanted = status == "busy"
    let tiers = FogTier.allCases.map(\.rawValue)
    if fields.json("tier") != nil {
      listing.tier = FogTier(rawValue: fields.choice("tier", tiers))
    }
    listing.region = fields.optionalString("location", 1...64)
    let names = fields.optionalString("capabilities", 1...1024) ?? ""
    listing.capabilities = names.split(separator: ",").map(String.init)
    listing.limit = fields.integer("limit", 1...1000, default: 100)
    listing.offset = fields.integer("offset", 0...1_000_000, default: 0)
    return listing
  }

  private func change(
    _ method: String,
    _ suffix: String,
    _ summary: String,
    _ word: String,
    _ body: @escaping @Sendable (Coordinator, PeerID) throws -> FogNode
  ) -> Route {
    Route(
      method,
      "/v1/fog/nodes/{node_id}\(suffix)",
      scope: .admin,
      description: RouteDescription(
        summary,
        parameters: [Self.id],
        answer: Self.node,
        statuses: [404: "It is not known here"]
      )
    ) { [coordinator] request in
      let node = try body(coordinator, try Self.peer(request))
      return .data(coordinator.nodeAnswer(node.id) ?? .null, message: "Fog node \(word)")
    }
  }

  private static func peer(_ request: borrowing Request) throws(Failure) -> PeerID {
    let text = request.parameter("node_id")
    guard let id = PeerID(text: text) else { throw .noNode(text) }
    return id
  }

  private static let id = Parameter.path("node_id", .string("64 hexadecimal digits"))
  private static let capacity = Schema.object([
    "cpu_cores": .number(), "memory_gb": .number(), "storage_gb": .number(),
    "gpu_count": .integer(),
  ])
  private static let node = Schema.object([
    "node_id": .string(), "name": .string(), "status": .string(), "type": .string(),
    "location": .object(["region": .string()]), "resources": capacity,
    "pricing": .object([
      "bronze_tier": .number(), "silver_tier": .number(), "gold_tier": .number(),
      "platinum_tier": .number(),
    ]), "capabilities": .array(.string()), "current_load": .number("Largest share leased, 0 to 1"),
    "trust_score": .number("0 to 1"), "leases": .integer(),
  ])
}
