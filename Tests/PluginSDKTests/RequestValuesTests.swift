import CGatewayPlugin
import GatewayPlugin
import HelloSwift
import Synchronization
import Testing
import Wire

@Suite("Bodies and queries as values")
struct RequestValuesTests {
  private func answer(body: String = "", query: String = "") throws -> FakeAnswer {
    let loaded = try Loaded { _ in
      Route.post("/v1/q", scope: .read, summary: "Q") { request in
        let page = try request.validateQuery { $0.integer("page", 1...9, default: 1) }
        let text = try request.validate { $0.string("query", 1...10) }
        return .data(["page": .integer(Int64(page)), "query": .string(text)])
      }
    }
    let exchange = try loaded.request()
    #expect(exchange.send(query: query, body: body) == GW_OK)
    exchange.end()
    return try #require(loaded.host.answers.first)
  }

  @Test func `reads both`() throws {
    let answer = try answer(body: "{\"query\":\"hi\"}", query: "page=2&other=x")
    #expect(answer.body == "{\"page\":2,\"query\":\"hi\"}")
  }

  @Test func `a body that is not JSON is 422 with its place`() throws {
    let answer = try answer(body: "{\"query\":\n}")
    #expect(answer.status == 422)
    #expect(answer.code == "VALIDATION_ERROR")
    #expect(answer.body.contains("line 2, column 1"))
  }

  @Test(arguments: ["page=0", "page=10", "page=x", "page=", "page=1&page=2"])
  func `a bad query is 422 and names the field`(_ query: String) throws {
    let answer = try answer(body: "{\"query\":\"hi\"}", query: query)
    #expect(answer.status == 422)
    #expect(answer.body.contains("\"field\":\"page\""))
  }

  @Test func `decodes names and values, and refuses a broken escape`() throws {
    let seen = Mutex<[String]>([])
    let loaded = try Loaded { _ in
      Route.get("/v1/q", scope: .read, summary: "Q") { request in
        let all = try request.query().map { "\($0.name)=\($0.value)" }
        seen.withLock { $0 = all }
        return .data(.null)
      }
    }
    let exchange = try loaded.request()
    _ = exchange.send(query: "a+b=%C3%A9&c&d=1=2&&e=x")
    exchange.end()
    #expect(seen.withLock { $0 } == ["a b=é", "c=", "d=1=2", "e=x"])
    let broken = try loaded.request(id: 2)
    _ = broken.send(query: "e=%4")
    broken.end()
    #expect(loaded.host.answers.map(\.status) == [200, 422])
  }

  @Test func `the Swift template greets, and names what it refuses`() throws {
    let host = FakeHost()
    let plugin = try #require(HelloSwift.descriptor(1, 0)).pointee
    let arena = Arena()
    var this: UnsafeMutableRawPointer?
    var raw = host.host
    #expect(plugin.create(&raw, arena.bytes("{\"greeting\":\"Moin\"}"), &this) == GW_OK)
    arena.free()
    let routes = host.record.withLock { $0.routes }
    #expect(routes.map(\.pattern) == ["/v1/hello", "/v1/hello/{name}"])
    #expect(routes.map(\.flags) == [GW_ROUTE_INLINE, 0])
    let plain = FakeExchange(routes[0], id: 1)
    #expect(plain.send() == GW_OK)
    plain.end()
    let named = FakeExchange(routes[1], id: 2)
    #expect(named.send(query: "times=2", parameters: [("name", "Ada")]) == GW_OK)
    named.end()
    let refused = FakeExchange(routes[1], id: 3)
    #expect(refused.send(query: "times=11", parameters: [("name", "Ada")]) == GW_OK)
    refused.end()
    plugin.destroy(this)
    #expect(host.answers.map(\.status) == [200, 200, 422])
    #expect(host.answers[0].body == "{\"greeting\":\"Moin\"}")
    #expect(host.answers[1].body == "{\"greeting\":\"Moin, Ada! Moin, Ada!\",\"number\":1}")
    #expect(host.record.withLock { $0.recorded } == ["1 2.0 []"])
  }
}
