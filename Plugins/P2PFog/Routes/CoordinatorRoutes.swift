import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers

/// `/v1/fog/coordinators`: the gateways that this one works for.
struct CoordinatorRoutes {
  /// How long a request waits for a handshake.
  private static let handshakeLimit = Duration.seconds(10)

  let service: PeerService
  let worker: FogWorker
  /// Whether the operator lends this machine at all.
  let isNode: Bool

  /// All of them.
  @ListBuilder<Route> var all: [Route] {
    list
    join
    Route.delete(
      "/v1/fog/coordinators/{id}",
      scope: .admin,
      summary: "Work for a gateway no more; its jobs here end, and run elsewhere",
      parameters: [PeerRoutes.id],
      answer: .object(["peer_id": .string(), "left": .boolean()]),
      statuses: [404: "This gateway is no node of it"]
    ) { [service, worker] request in
      let id = try PeerRoutes.peer(request)
      let isOne = try answering { () throws(StorageError) in
        let isOne = try service.store.all().contains { $0.id == id && $0.isCoordinator }
        if isOne { try service.store.setCoordinator(id, false) }
        return isOne
      }
      guard isOne else { throw Failure.notFound("This gateway is no node of \(id.short)….") }
      worker.leave(id)
      return .data(["peer_id": .string("\(id)"), "left": true], message: "No node of it any more")
    }
  }

  private var list: Route {
    .get(
      "/v1/fog/coordinators",
      scope: .read,
      summary: "List the gateways that this one works for",
      answer: .object([
        "coordinators": .array(
          .object([
            "peer_id": .string(), "is_this_gateway": .boolean(), "registered": .boolean(),
            "trouble": Schema.string("Why it is not registered").orNull,
          ])
        ), "total_count": .integer(),
      ])
    ) { [service, worker] _ in
      let own = service.identity.id
      let standing = worker.standing.map { one -> JSON in
        [
          "peer_id": .string("\(one.peer)"), "is_this_gateway": .bool(one.peer == own),
          "registered": .bool(one.isRegistered),
          "trouble": one.trouble.map { .string($0) } ?? .null,
        ]
      }
      return .data(
        ["coordinators": .array(standing), "total_count": .integer(Int64(standing.count))],
        message: "Coordinators retrieved successfully"
      )
    }
  }

  private var join: Route {
    .post(
      "/v1/fog/coordinators",
      scope: .admin,
      summary:
        "Work for another gateway: redeem its invitation, or name one that knows this gateway as a node",
      body: .object(
        [
          "invitation": .string(
            "A link for a node, as its operator made it",
            1...512,
            pattern: "^aivillage://"
          ),
          "peer_id": PeerRoutes.peerID("Or a peer that is known here"),
        ],
        unknown: .refused
      ),
      answer: .object(["peer_id": .string(), "joined": .boolean()]),
      status: 201,
      statuses: [
        404: "The peer is not known here", 409: "This gateway lends nothing, or is the peer itself",
        502: "PEER_UNREACHABLE",
      ],
      limits: Route.Limits(timeout: .seconds(30))
    ) { [service, worker, isNode] request in
      let (link, known) = try request.validate { Self.order(&$0) }
      guard isNode else {
        throw Failure.conflict(
          "This gateway lends nothing: its operator has set node.enabled to false."
        )
      }
      var peer = known
      if let link { peer = try service.add(.invitation(link), within: Self.handshakeLimit) }
      guard let peer else { throw Failure.badRequest("Name an invitation or a peer.") }
      guard peer != service.identity.id else {
        throw Failure.conflict("This gateway works for itself already.")
      }
      let isKnown = try answering { () throws(StorageError) in
        let isKnown = try service.store.all().contains { $0.id == peer && !$0.isBanned }
        if isKnown { try service.store.setCoordinator(peer, true) }
        return isKnown
      }
      guard isKnown else { throw PeerRoutes.unknown(peer) }
      worker.join(coordinator: peer)
      return .data(
        ["peer_id": .string("\(peer)"), "joined": true],
        message: "Node of it from now on",
        status: 201
      )
    }
  }

  private static func order(_ fields: inout Fields) -> (InvitationLink?, PeerID?) {
    guard fields.json("invitation") != nil else {
      if fields.json("peer_id") == nil {
        fields.refuse("peer_id", "is required where no invitation is sent")
        return (nil, nil)
      }
      let id = PeerID(text: fields.string("peer_id"))
      if id == nil { fields.refuse("peer_id", "must be 64 lower-case hexadecimal digits") }
      return (nil, id)
    }
    if fields.json("peer_id") != nil {
      fields.refuse("peer_id", "cannot stand beside invitation, which says it")
    }
    guard let text = fields.optionalString("invitation", 1...512) else { return (nil, nil) }
    do throws(MalformedPacket) {
      let link = try InvitationLink(text: text)
      if !link.isForNode {
        fields.refuse("invitation", "is for messages alone; ask for one with node=1")
      }
      return (link, nil)
    } catch {
      fields.refuse("invitation", error.reason)
      return (nil, nil)
    }
  }
}
