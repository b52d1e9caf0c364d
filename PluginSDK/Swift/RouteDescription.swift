/// What a reader of the API is told about a route.
public struct RouteDescription: Sendable, Equatable {
  /// What it does, in a few words.
  public var summary: String
  /// The same at length; Markdown.
  public var details: String
  /// Of path, query and header.
  public var parameters: [Parameter]
  /// The request body.
  public var body: Schema?
  /// What the request body is.
  public var contentType: String
  /// The member `data` of the answer.
  public var answer: Schema?
  /// The status of success.
  public var status: UInt16
  /// Whole bodies of success that are not in the gateway's envelope, by content type.
  ///
  /// With some and without `answer`, no answer is in the envelope.
  public var plainAnswers: [String: Schema]
  /// Further statuses, and what each says; what the gateway itself refuses need not stand here.
  public var statuses: [UInt16: String]
  /// The body of every error, where it is not always the gateway's.
  public var failure: Schema?

  /// A description.
  ///
  /// - Parameters:
  ///   - summary: What it does, in a few words.
  ///   - details: The same at length; Markdown.
  ///   - parameters: Of path, query and header.
  ///   - body: The request body.
  ///   - contentType: What the request body is.
  ///   - answer: The member `data` of the answer.
  ///   - status: The status of success.
  ///   - plainAnswers: Whole bodies of success that are not in the envelope, by content type.
  ///   - statuses: Further statuses, and what each says.
  ///   - failure: The body of every error, where it is not always the gateway's.
  public init(
    _ summary: String,
    details: String = "",
    parameters: [Parameter] = [],
    body: Schema? = nil,
    contentType: String = "application/json",
    answer: Schema? = nil,
    status: UInt16 = 200,
    plainAnswers: [String: Schema] = [:],
    statuses: [UInt16: String] = [:],
    failure: Schema? = nil
  ) {
    self.summary = summary
    self.details = details
    self.parameters = parameters
    self.body = body
    self.contentType = contentType
    self.answer = answer
    self.status = status
    self.plainAnswers = plainAnswers
    self.statuses = statuses
    self.failure = failure
  }
}

extension Route {
  /// The OpenAPI 3.1 Operation Object of this route, without what the host adds to every one.
  func operation(plugin: String) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "summary", value: .string(description.summary)),
      .init(name: "operationId", value: .string(operationID(plugin: plugin))),
      .init(name: "tags", value: [.string(plugin)]),
    ]
    if !description.details.isEmpty {
      members.append(.init(name: "description", value: .string(description.details)))
    }
    if !description.parameters.isEmpty {
      let parameters = description.parameters.map(\.json)
      members.append(.init(name: "parameters", value: .array(parameters)))
    }
    if let body = description.body {
      let content = JSON.object([
        .init(name: description.contentType, value: ["schema": body.json])
      ])
      members.append(.init(name: "requestBody", value: ["required": true, "content": content]))
    }
    members.append(.init(name: "responses", value: description.responses))
    return .object(members)
  }

  private func operationID(plugin: String) -> String {
    let words = pattern.split { !($0.isLetter || $0.isNumber) }
    return ([plugin, method.lowercased()] + words.map(String.init)).joined(separator: "_")
  }
}

extension RouteDescription {
  /// The Responses Object.
  fileprivate var responses: JSON {
    var all: [JSON.Member] = [
      .init(name: "\(status)", value: Self.response("Success", success))
    ]
    for (status, text) in statuses.sorted(by: { $0.key < $1.key }) {
      // A success of another status has the same body, unless it has none at all.
      let content = status < 300 ? success : status < 400 ? [] : failureContent
      all.append(.init(name: "\(status)", value: Self.response(text, content)))
    }
    if failure != nil {
      all.append(.init(name: "default", value: Self.response("Any error", failureContent)))
    }
    return .object(all)
  }

  private var success: [JSON.Member] {
    var plain = plainAnswers.sorted { $0.key < $1.key }
    if answer != nil || plain.isEmpty { plain.insert(("application/json", envelope), at: 0) }
    return plain.map { .init(name: $0.key, value: ["schema": $0.value.json]) }
  }

  private var failureContent: [JSON.Member] {
    guard let failure else { return [] }
    return [.init(name: "application/json", value: ["schema": failure.json])]
  }

  private var envelope: Schema {
    .object(
      [
        "success": Schema(json: ["const": true]), "data": answer ?? Schema(json: [:]),
        "message": .string(), "timestamp": .string(format: "date-time"), "request_id": .string(),
      ],
      required: ["success", "data", "message", "timestamp", "request_id"]
    )
  }

  private static func response(_ text: String, _ content: [JSON.Member]) -> JSON {
    if content.isEmpty { return ["description": .string(text)] }
    return ["description": .string(text), "content": .object(content)]
  }
}
