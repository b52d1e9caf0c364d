import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The models in the form of OpenAI's API, so that its client libraries work with base URL and key alone.
struct OpenAIRoutes {
  let service: ChatService

  @ListBuilder<Route> var all: [Route] {
    Route(
      "GET",
      "/openai/v1/models",
      scope: .read,
      description: RouteDescription(
        "List your models in OpenAI's form",
        plainAnswers: [
          "application/json": .object(
            ["object": .string(allowed: ["list"]), "data": .array(Self.model)],
            required: ["object", "data"]
          )
        ],
        failure: Self.failure
      )
    ) { [service] request in
      let owner = request.caller.subject
      return try Self.answering {
        let records = try service.models.records(owner: owner, limit: Self.listed)
        return ["object": "list", "data": .array(records.map(\.openAI))]
      }
    }
    Route(
      "GET",
      "/openai/v1/models/{id}",
      scope: .read,
      description: RouteDescription(
        "Show one model in OpenAI's form",
        plainAnswers: ["application/json": Self.model],
        statuses: [404: "There is no such model of the caller's"],
        failure: Self.failure
      )
    ) { [service] request in
      let id = request.parameter("id")
      let owner = request.caller.subject
      return try Self.answering {
        guard let record = try service.models.record(id, owner: owner) else {
          throw Failure.noModel(id)
        }
        return record.openAI
      }
    }
    completions
  }

  /// Models that a list shows; OpenAI's form has no pages.
  private static let listed = 1000

  private var completions: Route {
    Route(
      "POST",
      "/openai/v1/chat/completions",
      scope: .read,
      description: RouteDescription(
        "Ask a model in OpenAI's form; nothing is stored",
        body: Self.body,
        plainAnswers: [
          "application/json": Self.completion,
          "text/event-stream": .string("With stream: chunks of OpenAI's form, then [DONE]"),
        ],
        statuses: [400: "The body is not as it should be", 404: "There is no such model"],
        failure: Self.failure
      ),
      limits: service.settings.limits
    ) { [service] request in
      let owner = request.caller.subject
      do {
        let asked = try OpenAIRequest(try request.json())
        let completion = try Completion(asked, owner: owner, service)
        if asked.isStreamed { return completion.stream() }
        return Self.json(try completion.answer(isCancelled: { request.isCancelled }))
      } catch let failure as Failure {
        return Self.refusal(failure)
      }
    }
  }

  private static func answering(_ body: () throws -> JSON) throws -> Response {
    do {
      return json(try body())
    } catch let failure as Failure {
      return refusal(failure)
    }
  }

  private static func json(
    _ json: JSON,
    status: UInt16 = 200,
    fields: HeaderFields = [:]
  ) -> Response {
    .bytes(json.bytes, contentType: "application/json", status: status, fields: fields)
  }

  private static func refusal(_ failure: Failure) -> Response {
    json(
      failure.openAI(code: failure.status == 404 ? "model_not_found" : nil),
      // OpenAI has one status for what is wrong with a request.
      status: failure.status == 422 ? 400 : failure.status,
      fields: failure.fields
    )
  }

  private static let model = Schema.object(
    [
      "id": .string(), "object": .string(allowed: ["model"]),
      "created": .integer("Seconds since 1970"), "owned_by": .string(),
    ],
    required: ["id", "object", "created", "owned_by"]
  )

  private static let completion = Schema.object(
    [
      "id": .string(), "object": .string(allowed: ["chat.completion"]), "created": .integer(),
      "model": .string(),
      "choices": .array(
        .object([
          "index": .integer(),
          "message": .object(["role": .string(), "content": .string()]),
          "finish_reason": .string(allowed: ["stop", "length"]),
        ])
      ),
      "usage": .object([
        "prompt_tokens": .integer(), "completion_tokens": .integer(), "total_tokens": .integer(),
      ]),
    ],
    required: ["id", "object", "created", "model", "choices"]
  )

  /// OpenAI's form of an error; what the gateway refuses before the plugin is asked has its own.
  private static let failure = Schema.any(of: [
    .object(
      [
        "error": .object([
          "message": .string(), "type": .string(), "param": Schema.string().orNull,
          "code": Schema.string().orNull,
        ])
      ],
      required: ["error"]
    ),
    .object(
      ["error_code": .string(), "message": .string(), "request_id": .string()],
      required: ["error_code", "message"]
    ),
  ])

  private static let body = Schema.object(
    [
      "model": .string("One of /openai/v1/models", 1...64),
      "messages": .array(
        .object(
          [
            "role": .string(allowed: ["system", "developer", "user", "assistant", "tool"]),
            "content": .any(of: [
              .string(),
              .array(
                .object(
                  ["type": .string(allowed: ["text"]), "text": .string()],
                  required: ["type", "text"]
                )
              ),
            ]).orNull,
          ],
          required: ["role"]
        ),
        "",
        1...1024
      ),
      "stream": .boolean("Default false"),
      "stream_options": .object(["include_usage": .boolean()]),
      "max_tokens": .integer("", 1...4096), "max_completion_tokens": .integer("", 1...4096),
      "temperature": .number("Default 1", 0...2), "top_p": .number("Default 1", 0...1),
      "stop": .any(of: [
        .string("", 1...256), .array(.string("", 1...256), "The first of them ends it", 0...4),
      ]), "seed": .integer(),
      "n": .integer("", 1...1, default: 1),
    ],
    required: ["model", "messages"]
  )
}

/// One answer in OpenAI's form.
private struct Completion: Sendable {
  private let request: OpenAIRequest
  private let service: ChatService
  private let model: RunnableModel
  private let prompt: Prompt
  private let id = "chatcmpl-" + UUID4.make()
  private let created = Clock.wall() / 1_000_000_000

  init(_ request: OpenAIRequest, owner: String, _ service: ChatService) throws {
    self.request = request
    self.service = service
    (model, _) = try service.find(request.model, owner: owner)
    prompt = Prompt(request.turns, for: model.model, maxTokens: request.options.maxTokens)
  }

  func answer(isCancelled: () -> Bool) throws -> JSON {
    let made = try service.generate(
      prompt,
      with: model,
      request.options,
      isCancelled: isCancelled
    )
    let message: JSON = ["role": "assistant", "content": .string(made.text), "refusal": nil]
    return object(
      "chat.completion",
      [
        [
          "index": 0, "message": message, "logprobs": nil,
          "finish_reason": .string(made.finish.rawValue),
        ]
      ],
      usage: made.usage
    )
  }

  func stream() -> Response {
    .events { writer in
      try writer.event(chunk(["role": "assistant", "content": ""]).text)
      let made = try service.generate(
        prompt,
        with: model,
        request.options,
        isCancelled: { writer.isCancelled }
      ) { text in try writer.event(chunk(["content": .string(text)]).text) }
      guard made.finish != .cancelled else { return }
      try writer.event(chunk(.object([]), finish: .string(made.finish.rawValue)).text)
      if request.includesUsage {
        try writer.event(object("chat.completion.chunk", [], usage: made.usage).text)
      }
      try writer.event("[DONE]")
    } failed: { failure, writer in
      try writer.event(failure.openAI().text)
    }
  }

  private func chunk(_ delta: JSON, finish: JSON = .null) -> JSON {
    object(
      "chat.completion.chunk",
      [["index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish]],
      usage: request.includesUsage ? .null : nil
    )
  }

  private func object(_ kind: String, _ choices: [JSON], usage: JSON?) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "id", value: .string(id)), .init(name: "object", value: .string(kind)),
      .init(name: "created", value: .integer(created)),
      .init(name: "model", value: .string(request.model)),
      .init(name: "choices", value: .array(choices)),
    ]
    if let usage { members.append(.init(name: "usage", value: usage)) }
    return .object(members)
  }
}

extension ModelRecord {
  /// What OpenAI's form says of a model.
  fileprivate var openAI: JSON {
    [
      "id": .string(id), "object": "model", "created": .integer(createdAt / 1_000_000_000),
      "owned_by": .string(owner),
    ]
  }
}
