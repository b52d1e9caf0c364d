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
    #expect(document["paths"] == .object([]))
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
    #expect(paths.asMembers?.map(\.name) == ["/v1/a/{id}", "/v1/b"])
    #expect(paths["/v1/a/{id}"] == ["get": ["summary": "One"], "delete": ["summary": "Gone"]])
    #expect(paths["/v1/b"] == ["post": .object([])])
    try bench.end()
  }

  @Test(arguments: ["5", "[]", "\"x\"", "null", "{", "nonsense", "{}x"])
  func `an operation that is no object is an empty one`(_ text: String) throws {
    let bench = try RouteBench()
    let route = try bench.route("GET", "/v1/a", operation(text))
    #expect(OpenAPI.document([route])["paths"]?["/v1/a"]?["get"] == .object([]))
    try bench.end()
  }
}
