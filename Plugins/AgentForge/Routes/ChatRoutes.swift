package import GatewayPlugin

/// `POST /v1/chat`.
struct ChatRoutes {
  let service: ChatService

  @ListBuilder<Route> var all: [Route] {
    Route(
      "POST",
      "/v1/chat",
      scope: .read,
      description: RouteDescription(
        "Ask a model; with stream, the answer comes as server-sent events",
        body: Self.body,
        answer: Self.answer,
        plainAnswers: [
          "text/event-stream": .string(
            "Events `token` with {text}, then `done` with what data is without stream, or `error`"
          )
        ],
        statuses: [404: "There is no such model of the caller's"]
      ),
      limits: service.settings.limits
    ) { [service] request in
      let asked = try request.validate { fields in ChatRequest(&fields) }
      let turn = try ChatTurn(asked, owner: request.caller.subject, service)
      if asked.isStreamed { return Self.stream(turn) }
      // Nobody reads what a cancelled request is answered with.
      let data = try turn.answer(isCancelled: { request.isCancelled }) ?? .null
      return .data(data, message: Self.message)
    }
  }

  static let message = "Chat completed successfully"

  /// Events `token` with `{text}`, then `done` with what an answer in one piece has, or `error`.
  private static func stream(_ turn: ChatTurn) -> Response {
    .events { writer in
      let data = try turn.answer(isCancelled: { writer.isCancelled }) { text in
        try writer.event(
          JSON.object([.init(name: "text", value: .string(text))]).text,
          name: "token"
        )
      }
      if let data { try writer.event(data.text, name: "done") }
    } failed: { failure, writer in
      let error: JSON = [
        "error_code": .string(failure.code.isEmpty ? "INTERNAL_ERROR" : failure.code),
        "message": .string(failure.message),
      ]
      try writer.event(error.text, name: "error")
    }
  }

  private static let body = Schema.object(
    [
      "model_id": .string("One of GET /v1/models", 1...64),
      "message": .string("", 1...5000),
      "conversation_id": .string(
        "Goes on with that conversation of yours, or begins it: letters, digits and . _ : -",
        1...64,
        pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._:-]*$"
      ),
      "stream": .boolean("Default false"),
      "parameters": .object(
        [
          "temperature": .number("Default 0.8; 0 takes the likeliest token", 0...2),
          "top_k": .integer("0 is off", 0...1000, default: 0),
          "top_p": .number("Default 1", 0...1),
          "max_tokens": .integer("", 1...4096, default: 256),
          "stop": .array(.string("", 1...256), "The answer ends before the first of them", 0...4),
          "seed": .integer("The same seed gives the same answer"),
          "repetition_penalty": .number("Default 1", 1...2),
        ],
        unknown: .refused
      ),
    ],
    required: ["model_id", "message"],
    unknown: .refused
  )

  private static let answer = Schema.object([
    "model_id": .string(), "response": .string(), "conversation_id": .string(),
    "user_id": .string(),
    "truncated": .boolean("Whether the start of the message did not fit the model's context"),
    "usage": .object([
      "prompt_tokens": .integer(), "completion_tokens": .integer(), "total_tokens": .integer(),
    ]),
    "metadata": .object([
      "inference_time_ms": .number(), "prompt_time_ms": .number(), "tokens_per_second": .number(),
      "finish_reason": .string(allowed: ["stop", "length"]),
      "model_version": .string("When the model was made", format: "date-time"),
      "confidence_score": .number("Mean probability that the model gave the tokens it said"),
    ]),
  ])
}

extension ChatRequest {
  /// Reads the body of a chat.
  package init(_ fields: inout Fields) {
    self.init(
      model: fields.string("model_id", 1...64),
      message: fields.string("message", 1...5000),
      conversation: fields.optionalString("conversation_id", 1...64)
    )
    if let conversation, !Self.isConversationID(conversation) {
      fields.refuse(
        "conversation_id",
        "may hold letters A to Z, digits and . _ : - alone, and is not . or .."
      )
    }
    isStreamed = fields.bool("stream", default: false)
    options =
      fields.optionalObject("parameters") { GenerationOptions(&$0) } ?? GenerationOptions()
  }

  /// Whether `text` can stand in a path as it is.
  private static func isConversationID(_ text: String) -> Bool {
    // Paths have no segments . and .. of their own.
    text != "." && text != ".."
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: ":"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}

extension Response {
  /// An answer of server-sent events.
  ///
  /// - Parameters:
  ///   - produce: Writes the events.
  ///   - failed: Writes the event of a failure that `produce` threw.
  /// - Returns: The response.
  static func events(
    _ produce: @escaping @Sendable (borrowing ResponseWriter) throws -> Void,
    failed: @escaping @Sendable (Failure, borrowing ResponseWriter) throws -> Void
  ) -> Response {
    .stream(fields: ["Content-Type": "text/event-stream", "Cache-Control": "no-cache"]) { writer in
      do {
        try produce(writer)
      } catch let failure as Failure {
        try failed(failure, writer)
      }
    }
  }
}
