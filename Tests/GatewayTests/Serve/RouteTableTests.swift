import Testing

@testable import Gateway

@Suite("From path to route")
struct RouteTableTests {
  private enum Found: Equatable {
    case route(String)
    case builtIn(BuiltIn)
    case wrongMethod([String])
    case nothing
    case refused
  }

  private func find(_ table: RouteTable, _ method: String, _ path: String) -> Found {
    var split = SplitPath()
    guard split.split(Array(path.utf8).span) else { return .refused }
    switch table.match(split, method: Array(method.utf8).span) {
    case .found(.plugin(let route, _)): return .route(route.name)
    case .found(.builtIn(let builtIn)): return .builtIn(builtIn)
    case .wrongMethod(let allowed): return .wrongMethod(allowed)
    case .nothing: return .nothing
    }
  }

  private func methods(_ table: RouteTable, _ path: String) -> [String]? {
    var split = SplitPath()
    guard split.split(Array(path.utf8).span) else { return nil }
    return table.methods(split)
  }

  private func table(_ bench: RouteBench, _ routes: [(String, String)]) throws -> RouteTable {
    RouteTable(pluginRoutes: try routes.map { try bench.route($0.0, $0.1) })
  }

  @Test func `the host's own paths are there without plugins`() {
    let table = RouteTable(pluginRoutes: [])
    for builtIn in BuiltIn.allCases {
      for path in builtIn.paths {
        #expect(find(table, "GET", path) == .builtIn(builtIn))
        #expect(find(table, "HEAD", path) == .builtIn(builtIn))
        #expect(find(table, "POST", path) == .wrongMethod(["GET", "HEAD", "OPTIONS"]))
      }
    }
    #expect(find(table, "GET", "/nothing") == .nothing)
    #expect(find(table, "GET", "/health/") == .nothing)
    #expect(find(table, "GET", "/health/live/x") == .nothing)
    #expect(find(table, "GET", "//") == .nothing)
  }

  @Test func `routes are found by method and path, with parameters for one segment each`() throws {
    let bench = try RouteBench()
    let table = try table(
      bench,
      [
        ("GET", "/v1/files"), ("POST", "/v1/files"), ("GET", "/v1/files/{id}"),
        ("DELETE", "/v1/files/{id}"), ("GET", "/v1/files/{id}/content"),
        ("POST", "/v1/files/search"), ("GET", "/v1/{kind}/{id}/raw"), ("POST", "/v1/act"),
      ]
    )
    let expected: [(String, String, Found)] = [
      ("GET", "/v1/files", .route("GET /v1/files")),
      ("POST", "/v1/files", .route("POST /v1/files")),
      ("GET", "/v1/files/7", .route("GET /v1/files/{id}")),
      ("HEAD", "/v1/files/7", .route("GET /v1/files/{id}")),
      ("DELETE", "/v1/files/%2F", .route("DELETE /v1/files/{id}")),
      ("GET", "/v1/files/7/content", .route("GET /v1/files/{id}/content")),
      // A literal wins over a parameter, also where only the parameter's route has the method.
      ("POST", "/v1/files/search", .route("POST /v1/files/search")),
      ("GET", "/v1/files/search", .wrongMethod(["POST", "OPTIONS"])),
      // Where the literal branch ends in nothing, the parameter is tried.
      ("GET", "/v1/files/search/content", .route("GET /v1/files/{id}/content")),
      ("GET", "/v1/files/7/raw", .route("GET /v1/{kind}/{id}/raw")),
      ("GET", "/v1/files/search/raw", .route("GET /v1/{kind}/{id}/raw")),
      ("PUT", "/v1/files/7", .wrongMethod(["GET", "DELETE", "HEAD", "OPTIONS"])),
      ("HEAD", "/v1/act", .wrongMethod(["POST", "OPTIONS"])),
      ("get", "/v1/files", .wrongMethod(["GET", "POST", "HEAD", "OPTIONS"])),
      ("GETS", "/v1/files", .wrongMethod(["GET", "POST", "HEAD", "OPTIONS"])),
      ("GE", "/v1/files", .wrongMethod(["GET", "POST", "HEAD", "OPTIONS"])),
      ("GET", "/v1/files/", .nothing), ("GET", "/v1/files//content", .nothing),
      ("GET", "/v1/Files", .nothing), ("GET", "/v1", .nothing), ("GET", "/v1/files/7/8", .nothing),
      ("GET", "/v1/files/%2e%2e/content", .refused),
      ("GET", "/%76%31/files", .route("GET /v1/files")),
    ]
    for (method, path, found) in expected {
      #expect(find(table, method, path) == found, "\(method) \(path)")
    }
    #expect(table.pluginRoutes.count == 8)
    try bench.end()
  }

  @Test func `the methods of a path include what the host adds`() throws {
    let bench = try RouteBench()
    let table = try table(bench, [("POST", "/a"), ("GET", "/b/{x}"), ("PUT", "/b/{y}")])
    #expect(methods(table, "/a") == ["POST", "OPTIONS"])
    #expect(methods(table, "/b/1") == ["GET", "PUT", "HEAD", "OPTIONS"])
    #expect(methods(table, "/c") == nil)
    try bench.end()
  }

  @Test func `a path deeper than any pattern matches nothing, and the deepest pattern is found`()
    throws
  {
    let bench = try RouteBench()
    let deep = String(repeating: "/a", count: 32)
    let table = try table(bench, [("GET", deep)])
    #expect(find(table, "GET", deep) == .route("GET \(deep)"))
    #expect(find(table, "GET", deep + "/a") == .nothing)
    #expect(find(table, "GET", deep + String(repeating: "/a", count: 500)) == .nothing)
    try bench.end()
  }

  @Test func `a search with many branches that lead nowhere ends`() throws {
    let bench = try RouteBench()
    // At every level both a literal and a parameter fit, and only the last segment decides.
    var routes: [(String, String)] = []
    for mask in 0..<64 {
      let path = (0..<6).map { mask >> $0 & 1 == 0 ? "/a" : "/{p\($0)}" }.joined()
      routes.append(("GET", path + "/end"))
    }
    let table = try table(bench, routes)
    #expect(find(table, "GET", "/a/a/a/a/a/a/end") == .route("GET /a/a/a/a/a/a/end"))
    #expect(find(table, "GET", "/a/a/a/a/a/a/no") == .nothing)
    #expect(
      find(table, "GET", "/b/b/b/b/b/b/end") == .route("GET /{p0}/{p1}/{p2}/{p3}/{p4}/{p5}/end")
    )
    try bench.end()
  }
}
