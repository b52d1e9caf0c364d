import Testing

@testable import Gateway

@Suite("Names that one plugin has")
struct DeclarationClaimsTests {
  private let topic = DeclarationClaims.Name.topic("a.b")

  @Test func `another plugin is refused, another generation is not`() {
    let claims = DeclarationClaims()
    #expect(claims.claim(topic, owner: "one", context: 1) == nil)
    #expect(claims.claim(topic, owner: "two", context: 2) == "one")
    #expect(claims.claim(topic, owner: "one", context: 3) == nil)
    #expect(claims.claim(.service("a.b"), owner: "two", context: 2) == nil)
  }

  @Test func `one generation declares a name once`() {
    let claims = DeclarationClaims()
    #expect(claims.claim(topic, owner: "one", context: 1) == nil)
    #expect(claims.claim(topic, owner: "one", context: 1) == "one")
  }

  @Test func `a name is free when the last generation that had it is gone`() {
    let claims = DeclarationClaims()
    _ = claims.claim(topic, owner: "one", context: 1)
    _ = claims.claim(topic, owner: "one", context: 2)
    claims.release(context: 1)
    #expect(claims.claim(topic, owner: "two", context: 3) == "one")
    claims.release(context: 2)
    #expect(claims.claim(topic, owner: "two", context: 3) == nil)
  }

  @Test func `the host's paths stay the host's, whatever is released`() throws {
    let pattern = try PathPattern("/health")
    let claims = DeclarationClaims(reserved: [("*", pattern)])
    let name = DeclarationClaims.Name.route(method: "POST", shape: pattern.shape)
    #expect(claims.claim(name, owner: "one", context: 1) == "the gateway itself")
    claims.release(context: 1)
    #expect(claims.claim(name, owner: "one", context: 1) == "the gateway itself")
  }
}
