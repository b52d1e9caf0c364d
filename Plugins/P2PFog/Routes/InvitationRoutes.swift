import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers

/// `/v1/p2p/invitations`: links that let one peer in, once.
struct InvitationRoutes {
  let service: PeerService

  /// All of them.
  @ListBuilder<Route> var all: [Route] {
    create
    list
    Route.delete(
      "/v1/p2p/invitations/{id}",
      scope: .admin,
      summary: "Take an invitation back",
      parameters: [.path("id", .string(), "The invitation_id")],
      answer: .object(["invitation_id": .string(), "withdrawn": .boolean()]),
      statuses: [404: "None of this id waits to be redeemed"]
    ) { [service] request in
      let id = request.parameter("id")
      let wasThere = try answering { () throws(StorageError) in try service.store.withdraw(id) }
      guard wasThere else {
        throw Failure.notFound("No invitation of this id waits to be redeemed.")
      }
      if let digest = Hexadecimal.bytes(id) { service.network.post { $0.withdraw(digest) } }
      return .data(
        ["invitation_id": .string(id), "withdrawn": true],
        message: "Invitation withdrawn"
      )
    }
  }

  private var create: Route {
    .post(
      "/v1/p2p/invitations",
      scope: .admin,
      summary: "Make a link that lets one peer in, once",
      body: .object(
        [
          "ttl_seconds": .integer("How long it is valid", 60...2_592_000, default: 86_400),
          "node": .boolean("Whether the peer may register as a node of the fog"),
          "note": .string("For the list of invitations", 0...200),
        ],
        unknown: .refused
      ),
      answer: .object([
        "invitation_id": .string(), "link": .string("Whoever has it can join once"),
        "expires_at": .string(format: "date-time"), "node": .boolean(),
      ]),
      status: 201
    ) { [service] request in
      let (ttl, mayBeNode, note) = try request.validate { fields in
        (
          fields.integer("ttl_seconds", 60...2_592_000, default: 86_400),
          fields.bool("node", default: false), fields.string("note", 0...200, default: "")
        )
      }
      let (link, expires) = try service.invite(seconds: ttl, mayBeNode: mayBeNode, note: note)
      return .data(
        [
          "invitation_id": .string(Hexadecimal.text(KeyDerivation.sha256(link.secret))),
          "link": .string("\(link)"), "expires_at": Self.time(expires), "node": .bool(mayBeNode),
        ],
        message: "Invitation created: whoever has the link can join once",
        status: 201
      )
    }
  }

  private var list: Route {
    .get(
      "/v1/p2p/invitations",
      scope: .admin,
      summary: "List the newest invitations, without their secrets",
      answer: .object([
        "invitations": .array(
          .object([
            "invitation_id": .string(), "created_at": .string(format: "date-time"),
            "expires_at": .string(format: "date-time"), "node": .boolean(), "note": .string(),
            "redeemed_by": Schema.string("A peer id").orNull,
          ])
        ), "total_count": .integer(),
      ])
    ) { [service] _ in
      let found = try answering { () throws(StorageError) in try service.store.invitations() }
      return .data(
        [
          "invitations": .array(
            found.map { one in
              [
                "invitation_id": .string(one.digest), "created_at": Self.time(one.createdAt),
                "expires_at": Self.time(one.expiresAt), "node": .bool(one.mayBeNode),
                "note": .string(one.note),
                "redeemed_by": one.redeemedBy.map { .string($0) } ?? .null,
              ]
            }
          ), "total_count": .integer(Int64(found.count)),
        ],
        message: "Invitations retrieved successfully"
      )
    }
  }

  private static func time(_ milliseconds: UInt64) -> JSON {
    .string(Timestamp.text(nanoseconds: Int64(milliseconds) * 1_000_000))
  }
}
