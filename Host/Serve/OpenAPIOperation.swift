import Wire

/// One operation of the OpenAPI document: what was declared, and what the host knows besides.
///
/// What a plugin says itself is never replaced.
struct OpenAPIOperation {
  private let declared: [JSON.Member]
  private let parameters: [String]
  private let scope: String?

  /// - Parameters:
  ///   - declared: The members of an Operation Object; may lack any.
  ///   - parameters: The names of the path's parameters.
  ///   - scope: What a caller needs; `nil` for everyone.
  init(_ declared: [JSON.Member], parameters: [String] = [], scope: String?) {
    self.declared = declared
    self.parameters = parameters
    self.scope = scope
  }

  /// The whole Operation Object.
  var json: JSON {
    var members = declared.filter { !["parameters", "responses"].contains($0.name) }
    let parameters = allParameters
    if !parameters.isEmpty {
      members.append(.init(name: "parameters", value: .array(parameters)))
    }
    members.append(.init(name: "responses", value: responses))
    if !members.contains(where: { $0.name == "security" }) {
      members.append(.init(name: "security", value: security))
    }
    return .object(members)
  }

  private subscript(name: String) -> JSON? { declared.first { $0.name == name }?.value }

  private var allParameters: [JSON] {
    let known = self["parameters"]?.asArray ?? []
    let missing = parameters.filter { name in
      !known.contains { $0["in"] == "path" && $0["name"]?.asString == name }
    }
    return missing.map { name -> JSON in
      ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
    } + known
  }

  private var security: JSON {
    guard let scope else { return [] }
    return [["bearerAuth": [.string(scope)]], ["apiKey": [.string(scope)]]]
  }

  private var responses: JSON {
    var all = self["responses"]?.asMembers ?? []
    for index in all.indices {
      guard all[index].name.hasPrefix("4") || all[index].name.hasPrefix("5"),
        all[index].value["content"] == nil, var members = all[index].value.asMembers
      else { continue }
      members.append(.init(name: "content", value: OpenAPI.errorContent))
      all[index].value = .object(members)
    }
    func add(_ status: String, _ response: JSON) {
      guard !all.contains(where: { $0.name == status }) else { return }
      all.append(.init(name: status, value: response))
    }
    if !all.contains(where: { $0.name.hasPrefix("1") || $0.name.hasPrefix("2") }) {
      add("200", ["description": "Success"])
    }
    if scope != nil {
      add("401", OpenAPI.reference("Unauthenticated"))
      add("403", OpenAPI.reference("Forbidden"))
    }
    add("429", OpenAPI.reference("TooManyRequests"))
    add("default", OpenAPI.reference("Error"))
    return .object(all)
  }
}

extension BuiltIn {
  /// What a reader of the API is told.
  ///
  /// - Parameter path: One of `paths`.
  /// - Returns: The Operation Object.
  func operation(at path: String) -> JSON {
    let words = path.split { !$0.isLetter }.map(String.init)
    let operation = OpenAPIOperation(
      [
        .init(name: "summary", value: .string(summary)),
        .init(
          name: "operationId",
          value: .string((["gateway", "get"] + words).joined(separator: "_"))
        ),
        .init(name: "tags", value: ["gateway"]),
        .init(name: "responses", value: responses),
      ],
      scope: scope?.name
    )
    return operation.json
  }

  private var summary: String {
    switch self {
    case .index: "Show what this gateway is and what it serves"
    case .health: "Show how the gateway and each service is"
    case .live: "Say whether the process lives"
    case .ready: "Say whether requests are taken"
    case .webSocket: "Open a WebSocket for events (RFC 6455)"
    case .metrics: "Read the metrics, in Prometheus' text form"
    case .openAPI: "Read this document"
    }
  }

  private var responses: JSON {
    let state: JSON = [
      "type": "object", "properties": ["status": ["type": "string"]], "required": ["status"],
    ]
    switch self {
    case .webSocket:
      return ["101": ["description": "Open"], "426": ["description": "Not a handshake"]]
    case .metrics: return ["200": Self.response("text/plain", ["type": "string"])]
    case .index, .openAPI, .live:
      return ["200": Self.response("application/json", ["type": "object"])]
    case .health, .ready:
      return [
        "200": Self.response("application/json", state),
        "503": Self.response("application/json", state),
      ]
    }
  }

  private static func response(_ type: String, _ schema: JSON) -> JSON {
    let content = JSON.object([.init(name: type, value: ["schema": schema])])
    return ["description": "As it is now", "content": content]
  }
}
