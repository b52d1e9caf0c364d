import CGatewayPlugin
import CLinux
import Testing

@testable import Gateway

@Suite("Requests for a plugin that is being replaced")
struct HeldRequestsTests {
  /// One connection to a server with one inline route, `/x`, of the plugin `answers`.
  private final class Scene {
    let routes: RouteBench
    let bench: ServerBench
    let route: PluginRoute
    let pair: SocketPair
    let connection: HTTPConnection
    static let request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    static let live = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"

    init(_ change: (inout Settings) -> Void = { _ in }) throws {
      routes = try RouteBench()
      bench = try ServerBench(change)
      var terms = RouteTerms()
      terms.isInline = true
      terms.isPublic = true
      let failing = gw_http_handler_v1(
        request: { _, _, _ in GW_E_INTERNAL },
        body: nil,
        writable: nil,
        cancel: nil,
        end: nil
      )
      route = try routes.route("GET", "/x", terms, handler: failing)
      bench.core.publish(RouteTable(pluginRoutes: [route]), topics: [])
      pair = try SocketPair()
      connection = HTTPConnection(
        socket: Socket(pair.surrenderNear()),
        peer: Array("192.0.2.7".utf8),
        server: bench.server
      )
      try connection.open()
    }

    func send(_ text: String) {
      pair.give(Array(text.utf8))
      connection.ready(EPOLLIN.rawValue)
    }

    /// The status lines of all that has come.
    func statuses() -> [String] {
      String(decoding: pair.take(), as: UTF8.self).split(separator: "HTTP/1.1 ")
        .map { String($0.prefix(3)) }
    }

    func release() {
      bench.core.hold("answers", false)
      bench.server.takeUpParked()
    }

    func end() throws {
      connection.close()
      try routes.end()
    }
  }

  @Test func `wait, uncounted, and are begun at the release`() throws {
    let scene = try Scene()
    scene.bench.core.hold("answers", true)
    scene.send(Scene.request)
    #expect(scene.connection.phase == .held)
    #expect(scene.statuses() == [])
    #expect(scene.route.requests.load(ordering: .relaxed) == 0)
    #expect(scene.route.inFlight.load(ordering: .relaxed) == 0)
    scene.release()
    #expect(scene.connection.phase == .head)
    #expect(scene.statuses() == ["500"])
    #expect(scene.route.requests.load(ordering: .relaxed) == 1)
    #expect(scene.bench.server.parked.isEmpty)
    try scene.end()
  }

  @Test func `go along the newest routes`() throws {
    let scene = try Scene()
    scene.bench.core.hold("answers", true)
    scene.send(Scene.request)
    scene.bench.core.publish(RouteTable(pluginRoutes: []), topics: [])
    scene.release()
    #expect(scene.statuses() == ["404"])
    #expect(scene.route.requests.load(ordering: .relaxed) == 0)
    try scene.end()
  }

  @Test func `those of another plugin and of the host go on, also in front on the connection`()
    throws
  {
    let scene = try Scene()
    scene.bench.core.hold("other", true)
    scene.send(Scene.request + Scene.live)
    #expect(scene.statuses() == ["500", "200"])
    scene.bench.core.hold("answers", true)
    scene.send(Scene.live + Scene.request + Scene.live)
    #expect(scene.statuses() == ["200"])
    #expect(scene.connection.phase == .held)
    scene.release()
    #expect(scene.statuses() == ["500", "200"])
    try scene.end()
  }

  @Test func `wait on when the release was another plugin's`() throws {
    let scene = try Scene()
    scene.bench.core.hold("answers", true)
    scene.bench.core.hold("other", true)
    scene.send(Scene.request)
    scene.bench.core.hold("other", false)
    scene.bench.server.takeUpParked()
    #expect(scene.connection.phase == .held)
    #expect(scene.bench.server.parked.count == 1)
    scene.release()
    #expect(scene.statuses() == ["500"])
    try scene.end()
  }

  @Test func `have no time limit of a head, before and after`() throws {
    let scene = try Scene { $0.limits.headTime = .milliseconds(100) }
    scene.bench.core.hold("answers", true)
    scene.send(Scene.request + "GET /health/live HT")
    let loop = scene.bench.loop
    let start = loop.now
    let alarms = [
      Alarm(loop, at: start + 250_000_000) { scene.release() },
      Alarm(loop, at: start + 260_000_000) {
        scene.pair.give(Array("TP/1.1\r\nHost: a\r\n\r\n".utf8))
      },
      Alarm(loop, at: start + 300_000_000) { loop.stop() },
    ]
    try loop.run()
    #expect(alarms.count == 3)
    #expect(scene.statuses() == ["500", "200"])
    try scene.end()
  }

  @Test func `end with a client that goes`() throws {
    let scene = try Scene()
    scene.bench.core.hold("answers", true)
    scene.send(Scene.request)
    scene.pair.closeFar()
    scene.connection.ready(EPOLLIN.rawValue | EPOLLRDHUP.rawValue)
    #expect(scene.connection.phase == .closed)
    #expect(scene.bench.server.parked.isEmpty)
    scene.release()
    #expect(scene.route.requests.load(ordering: .relaxed) == 0)
    try scene.end()
  }

  @Test func `are still answered when the gateway begins to stop, and cut when its patience ends`()
    throws
  {
    for isReleased in [true, false] {
      let scene = try Scene()
      scene.bench.core.hold("answers", true)
      scene.send(Scene.request)
      scene.bench.core.isDraining.store(true, ordering: .relaxed)
      scene.bench.server.drain()
      #expect(scene.connection.phase == .held)
      if isReleased { scene.release() } else { scene.bench.server.cancelAll() }
      #expect(scene.statuses() == (isReleased ? ["500"] : []))
      try scene.end()
    }
  }

  @Test func `more bytes than may be pipelined stay with the client`() throws {
    let scene = try Scene()
    scene.bench.core.hold("answers", true)
    scene.send(Scene.request)
    let more = [UInt8](repeating: UInt8(ascii: "x"), count: 8192)
    for _ in 0..<20 where scene.connection.input.count < 64 * 1024 {
      scene.pair.give(more)
      scene.connection.ready(EPOLLIN.rawValue)
    }
    let waiting = scene.connection.input.count
    #expect(waiting >= 64 * 1024 && waiting < 72 * 1024)
    scene.pair.give(more)
    let stop = Alarm(scene.bench.loop, at: scene.bench.loop.now + 20_000_000) {
      scene.bench.loop.stop()
    }
    try scene.bench.loop.run()
    #expect(scene.connection.input.count == waiting)
    withExtendedLifetime(stop) {}
    try scene.end()
  }
}
