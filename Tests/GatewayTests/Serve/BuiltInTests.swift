import Testing

@testable import Gateway

@Suite("What the host answers itself")
struct BuiltInTests {
  @Test func `stands at paths that differ and that no plugin can have`() {
    let paths = BuiltIn.allCases.flatMap(\.paths)
    #expect(Set(paths).count == paths.count)
    #expect(BuiltIn.reserved.map(\.pattern.text) == paths)
    let claims = DeclarationClaims(reserved: BuiltIn.reserved)
    for (_, pattern) in BuiltIn.reserved {
      for method in ["GET", "POST", "DELETE"] {
        let name = DeclarationClaims.Name.route(method: method, shape: pattern.shape)
        #expect(claims.claim(name, owner: "x", context: 1) == "the gateway itself")
      }
    }
  }

  @Test func `only metrics need a scope, and whoever watches health is never limited`() {
    for builtIn in BuiltIn.allCases {
      #expect(builtIn.scope?.name == (builtIn == .metrics ? "admin" : nil))
    }
    #expect(BuiltIn.allCases.filter { !$0.isLimited } == [.health, .live, .ready])
  }
}
