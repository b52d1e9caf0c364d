import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers

/// `/v1/p2p/message` and `/v1/p2p/messages`: what users write to one another.
struct MessageRoutes {
  let service: PeerService

  /// All of them.
  @ListBuilder<Route> var all: [Route] {
    send
    list
    show
    markRead
    remove
  }

  private var send: Route {
    .post(
      "/v1/p2p/message",
      scope: .write,
      summary: "Send a message to a peer, one of its users, or every peer",
      body: Self.body,
      answer: Self.message,
      status: 202,
      statuses: [
        404: "The peer is not known here",
        507: "STORAGE_FULL: no message is taken until the operator has made room",
      ],
      limits: Route.Limits(timeout: .seconds(40))
    ) { [service] request in
      let order = try request.validate { MessageRequest(&$0) }
      let entry = try service.send(order, from: request.caller.subject)
      let members: [JSON.Member] =
        entry.members + [
          .init(name: "receipt_expected", value: .bool(entry.status != "broadcast"))
        ]
      return .data(.object(members), message: "Message \(entry.status)", status: 202)
    }
  }

  private var list: Route {
    .get(
      "/v1/p2p/messages",
      scope: .read,
      summary:
        "List your messages, the newest first; with after, those since then, the oldest first",
      parameters: [
        .query("direction", .string(allowed: ["in", "out"])),
        .query("status", .string("As received, read, sent, delivered, undelivered", 1...32)),
        .query("type", .string("", 1...32)), .query("peer", PeerRoutes.peerID("A peer id")),
        .query("after", .integer("A message's number", 0...Int.max)),
        .query("limit", .integer("Messages on a page", 1...200, default: 50)),
        .query("offset", .integer("Messages to pass over", 0...1_000_000, default: 0)),
        .query(
          "box",
          .string("peer for messages to the peer itself (admin)", allowed: ["user", "peer"])
        ),
      ],
      answer: .object([
        "messages": .array(Self.message), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(), "user_id": .string(),
      ])
    ) { [service] request in
      let owner = try Self.owner(request)
      let (filter, limit, offset) = try request.validateQuery(unknown: .refused) { fields in
        _ = fields.choice("box", ["user", "peer"], default: "user")
        var filter = MessageStore.Filter(
          user: owner,
          direction: fields.choice("direction", ["in", "out"], default: "in")
        )
        filter.status = fields.optionalString("status", 1...32)
        filter.kind = fields.optionalString("type", 1...32)
        filter.peer = fields.optionalString("peer", 64...64)
        filter.after = fields.optionalInteger("after", 0...Int.max)
        return (
          filter, fields.integer("limit", 1...200, default: 50),
          fields.integer("offset", 0...1_000_000, default: 0)
        )
      }
      let page = try answering { () throws(StorageError) in
        try service.messages.list(filter, limit: limit, offset: offset)
      }
      return .data(
        [
          "messages": .array(page.entries.map { .object($0.members) }),
          "total_count": .integer(Int64(page.total)), "limit": .integer(Int64(limit)),
          "offset": .integer(Int64(offset)), "user_id": .string(request.caller.subject),
        ],
        message: "Messages retrieved successfully"
      )
    }
  }

  private var show: Route {
    .get(
      "/v1/p2p/messages/{id}",
      scope: .read,
      summary: "Show a message and what became of it",
      parameters: [Self.id],
      answer: Self.message,
      statuses: [404: "There is none of this id among the caller's"]
    ) { [service] request in
      let id = request.parameter("id")
      let owner = try Self.owner(request)
      let found = try answering { () throws(StorageError) in
        try service.messages.find(id, user: owner)
      }
      guard let first = found.first else { throw Self.missing(id) }
      return .data(.object(first.members), message: "Message retrieved successfully")
    }
  }

  private var markRead: Route {
    .post(
      "/v1/p2p/messages/read",
      scope: .write,
      summary: "Note that your messages up to a number have been read",
      body: .object(
        ["up_to": .integer("A message's number", 0...Int.max)],
        required: ["up_to"],
        unknown: .refused
      ),
      answer: .object(["read": .integer("How many became read by this")])
    ) { [service] request in
      let owner = request.caller.subject
      let number = try request.validate { $0.integer("up_to", 0...Int.max) }
      let count = try answering { () throws(StorageError) in
        try service.messages.markRead(upTo: number, user: owner)
      }
      return .data(["read": .integer(Int64(count))], message: "Messages marked as read")
    }
  }

  private var remove: Route {
    .delete(
      "/v1/p2p/messages/{id}",
      scope: .write,
      summary: "Delete a message from your boxes",
      parameters: [Self.id],
      answer: .object(["message_id": .string(), "deleted": .boolean()]),
      statuses: [404: "There is none of this id among the caller's"]
    ) { [service] request in
      let id = request.parameter("id")
      let owner = request.caller.subject
      let wasThere = try answering { () throws(StorageError) in
        try service.messages.delete(id, user: owner)
      }
      guard wasThere else { throw Self.missing(id) }
      return .data(["message_id": .string(id), "deleted": true], message: "Message deleted")
    }
  }

  /// Whose box is looked at: the caller's, or the peer's own for an administrator.
  private static func owner(_ request: borrowing Request) throws(Failure) -> String {
    let box = try request.validateQuery { fields in
      fields.json("box") == nil ? "user" : fields.choice("box", ["user", "peer"])
    }
    guard box == "peer" else { return request.caller.subject }
    guard request.caller.scopes.contains(.admin) else {
      throw .forbidden("Messages to the peer itself need the scope admin.")
    }
    return ""
  }

  private static func missing(_ id: String) -> Failure {
    .notFound("There is no message \(String(id.prefix(64))) among yours.")
  }

  private static let id = Parameter.path("id", .string(), "The message_id")

  private static let body = Schema.object(
    [
      "recipient": .string("A peer id, USER@PEER_ID, a user of this gateway, or *", 1...256),
      "message": .object(
        [
          "type": .string("text when absent", 1...32, pattern: "^[a-z][a-z0-9_.]*$"),
          "payload": Schema(json: [
            "description": .string(
              "Any JSON of at most \(PeerMessage.payloadLimit) bytes; {} when absent"
            )
          ]),
        ],
        unknown: .refused
      ),
      "priority": .any(of: [
        .integer("", 1...10, default: 5), .string(allowed: ["low", "normal", "high", "urgent"]),
      ]),
      "transport": .string(
        "auto when absent",
        allowed: MessageRequest.Way.allCases.map(\.rawValue)
      ),
      "hops": .integer("Of a circuit, with the transport betanet alone", 2...6),
      "wait_seconds": .integer(
        "For the receipt, unless \(Receipts.limit) others wait",
        0...30,
        default: 0
      ),
      "encryption": Schema(json: ["const": true, "description": "Every message is encrypted"]),
      "delivery_receipt": Schema(json: ["const": true, "description": "Every message has one"]),
    ],
    required: ["recipient", "message"],
    unknown: .refused
  )

  private static let message = Schema.object([
    "message_id": .string(), "number": .integer(), "direction": .string(), "sender": .string(),
    "recipient": .string(), "message": .object(["type": .string(), "payload": Schema(json: [:])]),
    "priority": .integer(), "status": .string(), "transport_used": .string(),
    "sent_at": .string(format: "date-time"), "at": .string(format: "date-time"),
    "hops": .integer(), "delivery_time_ms": .number(), "reason": .string(),
  ])
}
