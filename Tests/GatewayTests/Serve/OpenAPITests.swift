import Testing
import Wire

@testable import Gateway

@Suite("The description of what is loaded, OpenAPI 3.1")
struct OpenAPITests {
  private func operation(_ text: String) -> RouteTerms {
    var terms = RouteTerms()
    terms.operation = Array(text.utf8)
    return terms
  }

  @Test func `without plugins is a whole document`() throws {
    let document = OpenAPI.document([])
    #expect(document["openapi"] == "3.1.0")
    #expect(document["info"]?["title"]?.asString?.isEmpty == false)
    #expect(document["info"]?["version"] == .string(Version.text))
    #expect(document["paths"]?.asMembers?.map(\.name) == BuiltIn.allCases.flatMap(\.paths))
    #expect(document["components"]?["securitySchemes"]?["bearerAuth"]?["scheme"] == "bearer")
    #expect(try JSON.parse(document.bytes) == document)
  }

  @Test func `has each path once, with the methods that plugins declared`() throws {
    let bench = try RouteBench()
    let routes = [
      try bench.route("GET", "/v1/a/{id}", operation(#"{"summary": "One"}"#)),
      try bench.route("POST", "/v1/b", operation("")),
      try bench.route("DELETE", "/v1/a/{id}", operation(#"{"summary": "Gone"}"#)),
    ]
    let paths = try #require(OpenAPI.document(routes)["paths"])
    let own = paths.asMembers?.map(\.name).filter { $0.hasPrefix("/v1/") }
    #expect(own == ["/v1/a/{id}", "/v1/b"])
    #expect(paths["/v1/a/{id}"]?.asMembers?.map(\.name) == ["get", "delete"])
    #expect(paths["/v1/a/{id}"]?["get"]?["summary"] == "One")
    #expect(paths["/v1/a/{id}"]?["delete"]?["summary"] == "Gone")
    #expect(paths["/v1/b"]?.asMembers?.map(\.name) == ["post"])
    try bench.end()
  }

  @Test func `adds what a plugin leaves out and the host knows`() throws {
    let bench = try RouteBench()
    var terms = operation("")
    terms.scope = "write"
    var open = operation("")
    open.isPublic = true
    let document = OpenAPI.document([
      try bench.route("GET", "/v1/a/{id}/{part}", terms), try bench.route("GET", "/v1/open", open),
    ])
    let known = try #require(document["paths"]?["/v1/a/{id}/{part}"]?["get"])
    #expect(known["parameters"]?.asArray?.map { $0["name"] } == ["id", "part"])
    #expect(known["parameters"]?.asArray?.allSatisfy { $0["required"] == true } == true)
    #expect(known["security"] == [["bearerAuth": ["write"]], ["apiKey": ["write"]]])
    let statuses = ["200", "401", "403", "429", "default"]
    #expect(known["responses"]?.asMembers?.map(\.name) == statuses)
    let failure = try #require(known["responses"]?["default"]?["$ref"]?.asString)
    let named = failure.split(separator: "/").dropFirst().reduce(document) { $0[String($1)] ?? [] }
    #expect(named["content"] == OpenAPI.errorContent)
    #expect(document["components"]?["schemas"]?["Error"]?["required"]?.asArray?.count == 5)
    let anyone = try #require(document["paths"]?["/v1/open"]?["get"])
    #expect(anyone["security"] == [])
    #expect(anyone["responses"]?.asMembers?.map(\.name) == ["200", "429", "default"])
    try bench.end()
  }

  @Test func `keeps what a plugin says itself`() throws {
    let bench = try RouteBench()
    let text = """
      {"security": [], "parameters": [{"name": "id", "in": "path", "description": "Mine"}],
       "responses": {"201": {"description": "Made"}, "404": {"description": "Gone"},
        "default": {"description": "Own", "content": {}}}}
      """
    var terms = operation(text)
    terms.scope = "read"
    let route = try bench.route("GET", "/v1/a/{id}", terms)
    let known = try #require(OpenAPI.document([route])["paths"]?["/v1/a/{id}"]?["get"])
    #expect(known["security"] == [])
    #expect(known["parameters"]?.asArray?.map { $0["description"] } == ["Mine"])
    let responses = try #require(known["responses"])
    #expect(responses["200"] == nil && responses["201"] == ["description": "Made"])
    #expect(responses["404"] == ["description": "Gone", "content": OpenAPI.errorContent])
    #expect(responses["default"] == ["description": "Own", "content": .object([])])
    try bench.end()
  }

  @Test(arguments: ["5", "[]", "\"x\"", "null", "{", "nonsense", "{}x"])
  func `an operation that is no object is as none at all`(_ text: String) throws {
    let bench = try RouteBench()
    let paths = OpenAPI.document([
      try bench.route("GET", "/v1/a", operation(text)), try bench.route("GET", "/v1/b"),
    ])["paths"]
    #expect(paths?["/v1/a"]?["get"] != nil && paths?["/v1/a"] == paths?["/v1/b"])
    try bench.end()
  }
}
