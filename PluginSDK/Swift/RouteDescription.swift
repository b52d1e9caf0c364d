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
  public init(
    _ summary: String,
    details: String = "",
    parameters: [Parameter] = [],
    body: Schema? = nil,
    contentType: String = "application/json",
    answer: Schema? = nil,
    status: UInt16 = 200
  ) {
    self.summary = summary
    self.details = details
    self.parameters = parameters
    self.body = body
    self.contentType = contentType
    self.answer = answer
    self.status = status
  }
}

extension Route {
  /// The OpenAPI 3.1 Operation Object of this route.
  func operation(plugin: String) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "summary", value: .string(description.summary)),
      .init(name: "operationId", value: .string(operationID(plugin: plugin))),
      .init(name: "tags", value: [.string(plugin)]),
    ]
    if !description.details.isEmpty {
      members.append(.init(name: "description", value: .string(description.details)))
    }
    let parameters = allParameters
    if !parameters.isEmpty {
      members.append(.init(name: "parameters", value: .array(parameters.map(\.json))))
    }
    if let body = description.body {
      let content = JSON.object([
        .init(name: description.contentType, value: ["schema": body.json])
      ])
      members.append(.init(name: "requestBody", value: ["required": true, "content": content]))
    }
    members.append(.init(name: "responses", value: responses))
    members.append(.init(name: "security", value: security))
    return .object(members)
  }

  private func operationID(plugin: String) -> String {
    let words = pattern.split { !($0.isLetter || $0.isNumber) }
    return ([plugin, method.lowercased()] + words.map(String.init)).joined(separator: "_")
  }

  private var allParameters: [Parameter] {
    let described = Set(description.parameters.filter { $0.place == "path" }.map(\.name))
    let named = pattern.split(separator: "/").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }
      .map { String($0.dropFirst().dropLast()) }
    return named.filter { !described.contains($0) }.map { .path($0) } + description.parameters
  }

  private var security: JSON {
    if scope == .anyone { return [] }
    let scopes: JSON = [.string(scope.name)]
    return [["bearerAuth": scopes], ["apiKey": scopes]]
  }

  private var responses: JSON {
    let data = description.answer?.json ?? .object([])
    let success: JSON = [
      "type": "object",
      "properties": [
        "success": ["const": true], "data": data, "message": ["type": "string"],
        "timestamp": ["type": "string", "format": "date-time"],
        "request_id": ["type": "string"],
      ],
      "required": ["success", "data", "message", "timestamp", "request_id"],
    ]
    let failure: JSON = [
      "type": "object",
      "properties": [
        "success": ["const": false], "error_code": ["type": "string"],
        "message": ["type": "string"], "details": .object([]),
        "timestamp": ["type": "string", "format": "date-time"],
        "request_id": ["type": "string"],
      ],
      "required": ["success", "error_code", "message", "timestamp", "request_id"],
    ]
    return .object([
      .init(name: "\(description.status)", value: Self.described("Success", success)),
      .init(name: "default", value: Self.described("Any error", failure)),
    ])
  }

  private static func described(_ text: String, _ schema: JSON) -> JSON {
    ["description": .string(text), "content": ["application/json": ["schema": schema]]]
  }
}
