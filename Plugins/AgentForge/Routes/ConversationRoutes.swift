import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes under `/v1/conversations`: what was said in `/v1/chat`, for its owner alone.
struct ConversationRoutes {
  let conversations: ConversationStore

  @ListBuilder<Route> var all: [Route] {
    list
    show
    Route.delete(
      "/v1/conversations/{id}",
      scope: .write,
      summary: "Delete a conversation and what was said in it",
      parameters: [Self.id],
      answer: .object([
        "conversation_id": .string(), "deleted": .boolean(), "user_id": .string(),
      ]),
      statuses: [404: "There is no such conversation of the caller's"]
    ) { [conversations] request in
      let id = request.parameter("id")
      let owner = request.caller.subject
      let isDeleted = try answering { () throws(StorageError) in
        try conversations.delete(id, owner: owner)
      }
      guard isDeleted else { throw Self.missing(id) }
      return .data(
        ["conversation_id": .string(id), "deleted": true, "user_id": .string(owner)],
        message: "Conversation deleted successfully"
      )
    }
  }

  private var list: Route {
    .get(
      "/v1/conversations",
      scope: .read,
      summary: "List your conversations, the last used first",
      parameters: [
        .query("limit", .integer("Conversations on a page", 1...100, default: 20)),
        .query("offset", .integer("Conversations to pass over", 0...1_000_000, default: 0)),
      ],
      answer: .object([
        "conversations": .array(Self.conversation), "total_count": .integer(),
        "limit": .integer(), "offset": .integer(), "user_id": .string(),
      ])
    ) { [conversations] request in
      let owner = request.caller.subject
      let (limit, offset) = try request.validateQuery(unknown: .refused) { fields in
        (
          fields.integer("limit", 1...100, default: 20),
          fields.integer("offset", 0...1_000_000, default: 0)
        )
      }
      let page = try answering { () throws(StorageError) in
        try conversations.list(owner: owner, limit: limit, offset: offset)
      }
      return .data(
        [
          "conversations": .array(page.conversations.map { .object($0.members) }),
          "total_count": .integer(Int64(page.total)), "limit": .integer(Int64(limit)),
          "offset": .integer(Int64(offset)), "user_id": .string(owner),
        ],
        message: "Conversations retrieved successfully"
      )
    }
  }

  private var show: Route {
    .get(
      "/v1/conversations/{id}",
      scope: .read,
      summary: "Show the newest turns of a conversation, in order",
      parameters: [
        Self.id, .query("limit", .integer("Turns on a page", 1...1000, default: 100)),
        .query("offset", .integer("Newer turns to pass over", 0...1_000_000, default: 0)),
      ],
      answer: Self.conversation,
      statuses: [404: "There is no such conversation of the caller's"]
    ) { [conversations] request in
      let id = request.parameter("id")
      let owner = request.caller.subject
      let (limit, offset) = try request.validateQuery(unknown: .refused) { fields in
        (
          fields.integer("limit", 1...1000, default: 100),
          fields.integer("offset", 0...1_000_000, default: 0)
        )
      }
      let (found, turns) = try answering { () throws(StorageError) in
        (
          try conversations.find(id, owner: owner),
          try conversations.turns(of: id, owner: owner, limit: limit, offset: offset)
        )
      }
      guard let found else { throw Self.missing(id) }
      let more: [JSON.Member] = [
        .init(name: "turns", value: .array(turns.map(\.json))),
        .init(name: "user_id", value: .string(owner)),
      ]
      return .data(
        .object(found.members + more),
        message: "Conversation retrieved successfully"
      )
    }
  }

  private static func missing(_ id: String) -> Failure {
    .notFound("There is no conversation \(String(id.prefix(64))) among yours.")
  }

  private static let id = Parameter.path("id", .string(), "The conversation_id")

  private static let conversation = Schema.object([
    "conversation_id": .string(), "model_id": .string("That answered last"),
    "turn_count": .integer("Turns that are kept"),
    "created_at": .string(format: "date-time"), "updated_at": .string(format: "date-time"),
    "turns": .array(
      .object([
        "ordinal": .integer("From 0; the oldest may be gone"),
        "role": .string(allowed: ["user", "assistant"]), "content": .string(),
        "tokens": .integer("Of an answer"), "at": .string(format: "date-time"),
      ]),
      "Of one conversation alone"
    ),
  ])
}

extension ConversationRecord {
  /// What is shown of it.
  fileprivate var members: [JSON.Member] {
    [
      .init(name: "conversation_id", value: .string(id)),
      .init(name: "model_id", value: .string(model)),
      .init(name: "turn_count", value: .integer(Int64(turns))),
      .init(name: "created_at", value: .string(Timestamp.text(nanoseconds: createdAt))),
      .init(name: "updated_at", value: .string(Timestamp.text(nanoseconds: updatedAt))),
    ]
  }
}

extension StoredTurn {
  fileprivate var json: JSON {
    [
      "ordinal": .integer(Int64(ordinal)), "role": .string(turn.role.rawValue),
      "content": .string(turn.content), "tokens": .integer(Int64(tokens)),
      "at": .string(Timestamp.text(nanoseconds: at, milliseconds: true)),
    ]
  }
}
