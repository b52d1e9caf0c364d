import Wire

/// The OpenAPI 3.1 description of what is loaded now, put together from what plugins declared.
enum OpenAPI {
  static func document(_ routes: [PluginRoute]) -> JSON {
    var paths: [(String, [JSON.Member])] = BuiltIn.allCases.flatMap { builtIn in
      builtIn.paths.map { ($0, [JSON.Member(name: "get", value: builtIn.operation(at: $0))]) }
    }
    for route in routes {
      // Checked when the route was declared; one that declares nothing has what the host knows alone.
      let declared = (try? JSON.parse(route.operation))?.asMembers ?? []
      let operation = OpenAPIOperation(
        declared,
        parameters: route.parameters.map(\.name),
        scope: route.isPublic ? nil : route.scope
      )
      let member = JSON.Member(name: route.method.lowercased(), value: operation.json)
      if let index = paths.firstIndex(where: { $0.0 == route.pattern.text }) {
        paths[index].1.append(member)
      } else {
        paths.append((route.pattern.text, [member]))
      }
    }
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "AIVillage Unified API Gateway", "version": .string(Version.text),
        "description": """
        Answers and errors stand in one envelope each. A member of a request that may be left out may also be null.
        """,
      ],
      "paths": .object(paths.map { JSON.Member(name: $0.0, value: .object($0.1)) }),
      "components": [
        "securitySchemes": [
          "bearerAuth": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
          "apiKey": ["type": "apiKey", "in": "header", "name": "X-API-Key"],
        ],
        "schemas": ["Error": envelope, "Problem": problem],
        "responses": responses,
      ],
    ]
  }

  /// The Media Type Objects of an error: a client chooses with `Accept`.
  static let errorContent: JSON = [
    "application/json": ["schema": ["$ref": "#/components/schemas/Error"]],
    "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]],
  ]

  /// A reference to one of `responses`.
  static func reference(_ response: String) -> JSON {
    ["$ref": .string("#/components/responses/\(response)")]
  }

  /// What the host itself refuses, by name.
  private static let responses: JSON = [
    "Unauthenticated": ["description": "No credentials, or wrong ones", "content": errorContent],
    "Forbidden": [
      "description": "The credential lacks the scope, or a second factor", "content": errorContent,
    ],
    "TooManyRequests": [
      "description": "Too many requests, or too much under way",
      "headers": ["Retry-After": ["description": "Seconds", "schema": ["type": "integer"]]],
      "content": errorContent,
    ],
    "Error": ["description": "Any other error", "content": errorContent],
  ]

  private static let envelope: JSON = [
    "type": "object",
    "properties": [
      "success": ["const": false],
      "error_code": ["type": "string", "description": "For programs, like VALIDATION_ERROR"],
      "message": ["type": "string", "description": "What was wrong and what to do"],
      "details": details, "timestamp": time, "request_id": ["type": "string"],
    ],
    "required": ["success", "error_code", "message", "timestamp", "request_id"],
  ]

  private static let problem: JSON = [
    "type": "object", "description": "RFC 9457",
    "properties": [
      "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
      "detail": ["type": "string"], "error_code": ["type": "string"],
      "details": details, "timestamp": time, "request_id": ["type": "string"],
    ],
    "required": ["type", "title", "status", "detail", "error_code", "timestamp", "request_id"],
  ]

  private static let details: JSON = [
    "description":
      "Of VALIDATION_ERROR: a list of {field, reason}, and allowed where values are few"
  ]
  private static let time: JSON = ["type": "string", "format": "date-time"]
}
