import Wire

/// The OpenAPI 3.1 description of what is loaded now, put together from what plugins declared.
enum OpenAPI {
  static func document(_ routes: [PluginRoute]) -> JSON {
    var paths: [(String, [JSON.Member])] = []
    for route in routes {
      // Checked when the route was declared; one that declares nothing is there with its path alone.
      let operation = JSON.object((try? JSON.parse(route.operation))?.asMembers ?? [])
      let member = JSON.Member(name: route.method.lowercased(), value: operation)
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
      ],
      "paths": .object(paths.map { JSON.Member(name: $0.0, value: .object($0.1)) }),
      "components": [
        "securitySchemes": [
          "bearerAuth": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
          "apiKey": ["type": "apiKey", "in": "header", "name": "X-API-Key"],
        ]
      ],
    ]
  }
}
