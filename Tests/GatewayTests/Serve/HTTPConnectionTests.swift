import CGatewayPlugin
import CLinux
import Testing
import Wire

@testable import Gateway

@Suite("One client connection")
struct HTTPConnectionTests {
  @Test func `a request is answered at once, with the id it brought`() throws {
    let bench = try ServerBench()
    let answer = try bench.answer(
      "GET /health/live HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine-1\r\n\r\n"
    )
    #expect(answer.status == "HTTP/1.1 200 OK")
    #expect(answer["X-Request-ID"] == "mine-1")
    #expect(answer.json == ["status": "alive"])
  }

  @Test func `an id that is not sane is replaced`() throws {
    let bench = try ServerBench()
    let answer = try bench.answer("GET /none HTTP/1.1\r\nHost: a\r\nX-Request-ID: a b\r\n\r\n")
    #expect(answer.status == "HTTP/1.1 404 Not Found")
    let id = try #require(answer["X-Request-ID"])
    #expect(id.hasPrefix("req-") && answer.json?["request_id"] == .string(id))
  }

  @Test(arguments: ["/a/../b", "/%2e%2e/b", "/%00", "/%zz"])
  func `a path no two servers would read alike is 400`(_ path: String) throws {
    let bench = try ServerBench()
    let answer = try bench.answer("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.status == "HTTP/1.1 400 Bad Request")
    #expect(answer.json?["error_code"] == "VALIDATION_ERROR")
  }

  @Test func `bytes that are no request are answered and end the connection`() throws {
    let bench = try ServerBench()
    let answer = try bench.answer("nonsense\r\n\r\n")
    #expect(answer.status == "HTTP/1.1 400 Bad Request")
    #expect(answer["Connection"] == "close")
  }

  @Test func `the time for a head begins anew for one that waited behind an answer`() throws {
    let routes = try RouteBench()
    let bench = try ServerBench { $0.limits.headTime = .milliseconds(200) }
    var terms = RouteTerms()
    terms.isInline = true
    terms.isPublic = true
    let route = try routes.route("GET", "/slow", terms)
    bench.core.publish(RouteTable(pluginRoutes: [route]), topics: [])
    let pair = try SocketPair()
    let connection = HTTPConnection(
      socket: Socket(pair.surrenderNear()),
      peer: [],
      server: bench.server
    )
    try connection.open()
    pair.give(Array("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /health/live HT".utf8))
    let start = bench.loop.now
    let alarms = [
      Alarm(bench.loop, at: start + 300_000_000) {
        let handle = connection.exchange?.handle ?? 0
        bench.server.deliver(handle) { $0.failure($1, Failure(.pluginFault)) }
      },
      Alarm(bench.loop, at: start + 350_000_000) {
        pair.give(Array("TP/1.1\r\nHost: a\r\n\r\n".utf8))
      },
      Alarm(bench.loop, at: start + 450_000_000) { bench.loop.stop() },
    ]
    try bench.loop.run()
    #expect(alarms.count == 3)
    let text = String(decoding: pair.take(), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 500 "))
    #expect(text.contains("HTTP/1.1 200 OK\r\n"))
    #expect(!text.contains("HTTP/1.1 408 "))
    connection.close()
    try routes.end()
  }

  @Test func `the time for a head begins behind a body that nobody wanted`() throws {
    let bench = try ServerBench { $0.limits.headTime = .milliseconds(200) }
    let pair = try SocketPair()
    let connection = HTTPConnection(
      socket: Socket(pair.surrenderNear()),
      peer: [],
      server: bench.server
    )
    try connection.open()
    pair.give(Array("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n".utf8))
    let start = bench.loop.now
    let alarms = [
      Alarm(bench.loop, at: start + 300_000_000) {
        pair.give(Array("abcGET /health/live HT".utf8))
      },
      Alarm(bench.loop, at: start + 350_000_000) {
        pair.give(Array("TP/1.1\r\nHost: a\r\n\r\n".utf8))
      },
      Alarm(bench.loop, at: start + 450_000_000) { bench.loop.stop() },
    ]
    try bench.loop.run()
    #expect(alarms.count == 3)
    let text = String(decoding: pair.take(), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 404 "))
    #expect(text.contains("HTTP/1.1 200 OK\r\n"))
    #expect(!text.contains("HTTP/1.1 408 "))
    connection.close()
  }
}
