import GatewayPlugin
import Peering
import PluginStorage

/// `/v1/p2p/peers` and `/v1/p2p/discover`: who is known, and how others become so.
struct PeerRoutes {
  /// How long a request waits for a handshake.
  private static let handshakeLimit = Duration.seconds(10)

  let service: PeerService
  /// Told of a peer that is known no more.
  let forgotten: @Sendable (PeerID) -> Void

  /// All of them.
  @ListBuilder<Route> var all: [Route] {
    list
    show
    add
    remove
    discover
  }

  private var list: Route {
    .get(
      "/v1/p2p/peers",
      scope: .read,
      summary: "List the peers that are known here",
      parameters: [
        .query("status", .string(allowed: Self.states)),
        .query("transport", .string(allowed: ["bitchat", "betanet"])),
        .query("limit", .integer("Peers on a page", 1...1000, default: 100)),
        .query("offset", .integer("Peers to pass over", 0...1_000_000, default: 0)),
      ],
      answer: .object([
        "peers": .array(Self.described), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(),
      ])
    ) { [service] request in
      let (state, transport, limit, offset) = try request.validateQuery(unknown: .refused) {
        fields in
        (
          fields.json("status") == nil ? "" : fields.choice("status", Self.states),
          fields.json("transport") == nil
            ? "" : fields.choice("transport", ["bitchat", "betanet"]),
          fields.integer("limit", 1...1000, default: 100),
          fields.integer("offset", 0...1_000_000, default: 0)
        )
      }
      let peers = service.network.status.peers.filter { peer in
        (state.isEmpty || peer.state == state)
          && (transport.isEmpty || (transport == "betanet" ? peer.hasLink : peer.isReachable))
      }
      let page = peers.dropFirst(offset).prefix(limit)
      return .data(
        [
          "peers": .array(page.map(\.json)), "total_count": .integer(Int64(peers.count)),
          "limit": .integer(Int64(limit)), "offset": .integer(Int64(offset)),
        ],
        message: "Peers retrieved successfully"
      )
    }
  }

  private var show: Route {
    .get(
      "/v1/p2p/peers/{id}",
      scope: .read,
      summary: "Show one peer",
      parameters: [Self.id],
      answer: Self.described,
      statuses: [404: "It is not known here"]
    ) { [service] request in
      let id = try Self.peer(request)
      guard let peer = service.network.status.peers.first(where: { $0.record.id == id }) else {
        throw Self.unknown(id)
      }
      return .data(peer.json, message: "Peer retrieved successfully")
    }
  }

  private var add: Route {
    .post(
      "/v1/p2p/peers",
      scope: .admin,
      summary: "Make a peer known by its id and address, or redeem an invitation",
      body: .object(
        [
          "invitation": .string(
            "A link of POST /v1/p2p/invitations; then nothing else",
            1...512,
            pattern: "^aivillage://"
          ),
          "peer_id": Self.peerID("Needs endpoint"),
          "endpoint": .string("As 203.0.113.7:7946", 1...64),
          "node": .boolean("Whether it may register as a node of the fog"),
        ],
        unknown: .refused
      ),
      answer: .object(["peer_id": .string(), "status": .string(allowed: ["connected"])]),
      statuses: [502: "PEER_UNREACHABLE"],
      limits: Route.Limits(timeout: .seconds(30))
    ) { [service] request in
      let order = try request.validate { PeerOrder(&$0) }
      let peer = try service.add(order, within: Self.handshakeLimit)
      return .data(
        ["peer_id": .string("\(peer)"), "status": "connected"],
        message: "Peer connected"
      )
    }
  }

  private var remove: Route {
    .delete(
      "/v1/p2p/peers/{id}",
      scope: .admin,
      summary: "Forget a peer, and refuse it until it is made known again",
      parameters: [Self.id],
      answer: .object(["peer_id": .string(), "removed": .boolean()]),
      statuses: [404: "It is not known here"]
    ) { [service, forgotten] request in
      let id = try Self.peer(request)
      guard try service.ban(id) else { throw Self.unknown(id) }
      forgotten(id)
      return .data(["peer_id": .string("\(id)"), "removed": true], message: "Peer removed")
    }
  }

  private var discover: Route {
    .post(
      "/v1/p2p/discover",
      scope: .write,
      summary: "Ask the local network who is there",
      body: .object(
        [
          "timeout_seconds": .integer("To listen for answers", 1...30, default: 2),
          "max_peers": .integer("Ends earlier with so many", 1...1000, default: 50),
          "discovery_types": .array(.string("", 1...32), "Taken, and without effect", 0...16),
        ],
        unknown: .refused
      ),
      statuses: [409: "Discovery is off: the operator has set no discovery_group"],
      limits: Route.Limits(maxInFlight: 2, timeout: .seconds(40))
    ) { [service] request in
      let (seconds, most) = try request.validate { fields in
        _ = fields.strings("discovery_types", 0...16, length: 1...32)
        return (
          fields.integer("timeout_seconds", 1...30, default: 2),
          fields.integer("max_peers", 1...1000, default: 50)
        )
      }
      return try service.discover(seconds: seconds, most: most)
    }
  }

  static func peer(_ request: borrowing Request) throws(Failure) -> PeerID {
    guard let id = PeerID(text: request.parameter("id")) else {
      throw .notFound("A peer id has 64 lower-case hexadecimal digits.")
    }
    return id
  }

  static func unknown(_ id: PeerID) -> Failure {
    .notFound("No peer \(id.short)… is known here; GET /v1/p2p/peers lists those that are.")
  }

  static let id = Parameter.path("id", peerID(), "The peer_id")

  /// The id of a peer as a request may have it.
  static func peerID(_ description: String = "") -> Schema {
    .string(description, 64...64, pattern: "^[0-9a-f]*$")
  }

  private static let described = Schema.object([
    "peer_id": .string(), "name": .string(), "endpoint": .string(),
    "status": .string(allowed: states),
    "transports": .array(.string(allowed: ["bitchat", "betanet"])),
    "route": .string(allowed: ["direct", "mesh", "none"]), "latency_ms": Schema.number().orNull,
    "loss": Schema.number("0 to 1").orNull, "link_latency_ms": Schema.number().orNull,
  ])
  private static let states = ["alive", "suspect", "dead", "left", "unknown"]
}

/// The body of `POST /v1/p2p/peers`.
enum PeerOrder: Sendable, Equatable {
  case invitation(InvitationLink)
  case peer(PeerID, Endpoint, mayBeNode: Bool)

  init?(_ fields: inout Fields) {
    if fields.json("invitation") != nil {
      for name in ["peer_id", "endpoint", "node"] where fields.json(name) != nil {
        fields.refuse(name, "cannot stand beside invitation, which says it")
      }
      guard let text = fields.optionalString("invitation", 1...512) else { return nil }
      do throws(MalformedPacket) {
        self = .invitation(try InvitationLink(text: text))
      } catch {
        fields.refuse("invitation", error.reason)
        return nil
      }
      return
    }
    let id = PeerID(text: fields.string("peer_id"))
    if id == nil { fields.refuse("peer_id", "must be 64 lower-case hexadecimal digits") }
    let endpoint = Endpoint(text: fields.string("endpoint", 1...64))
    if endpoint?.canBeDialled != true {
      fields.refuse("endpoint", "must be one IP address and a port from 1, as 203.0.113.7:7946")
    }
    let mayBeNode = fields.bool("node", default: false)
    guard let id, let endpoint, endpoint.canBeDialled else { return nil }
    self = .peer(id, endpoint, mayBeNode: mayBeNode)
  }
}
