import CLinux
import Testing
import Wire

@testable import Gateway

@Suite("A client on /ws")
struct WebSocketConnectionTests {
  private func caller(expiresAt: Int64) -> Caller {
    let identity = Identity(
      subject: "user1",
      scopes: ["read"],
      tier: "standard",
      expiresAt: expiresAt
    )
    return Caller(
      identity,
      tier: RateTiers(Tier.standardTiers).fallback,
      window: RateWindows(callers: 10).window(for: RateKey.address("x"))
    )
  }

  private var now: Int64 { linux_realtime() / 1_000_000_000 }

  @Test func `is counted while it is open`() throws {
    let bench = try ServerBench()
    let scene = try WebSocketScene(bench)
    #expect(bench.core.sockets.load(ordering: .relaxed) == 1)
    #expect(bench.server.hub.all.count == 1)
    scene.socket.cut()
    scene.socket.cut()
    #expect(bench.core.sockets.load(ordering: .relaxed) == 0)
    #expect(bench.server.hub.all.isEmpty)
  }

  @Test func `is told and closed when its token has expired, on a server that does nothing else`()
    throws
  {
    let bench = try ServerBench()
    let scene = try WebSocketScene(bench, caller: caller(expiresAt: now - TokenClaims.skew - 2))
    #expect(scene.hear().first?["authenticated"] == true)
    scene.socket.expired()
    #expect(scene.hear().first?["code"] == "AUTHENTICATION_REQUIRED")
    #expect(scene.closeCode == 1008)
  }

  @Test func `stays while its token lasts`() throws {
    let bench = try ServerBench()
    let scene = try WebSocketScene(bench, caller: caller(expiresAt: now + 10))
    _ = scene.hear()
    scene.socket.expired()
    #expect(scene.hear().isEmpty && scene.closeCode == nil)
  }

  // The latest time a token can name is more nanoseconds away than fit a number of 64 bits.
  @Test func `a token that lasts to the year 9999 does not keep the loop from its work`() throws {
    let done = Monitor(false)
    let thread = try HostThread(name: "far") { [self] in
      do {
        let bench = try ServerBench()
        let scene = try WebSocketScene(bench, caller: caller(expiresAt: 253_402_300_799))
        let alarm = Alarm(bench.loop, at: bench.loop.now + 30_000_000) { bench.loop.stop() }
        try bench.loop.run()
        _ = (alarm, scene)
        done.withLock { $0 = true }
        done.wakeAll()
      } catch {
        Issue.record(error)
      }
    }
    thread.detach()
    let isDone = done.wait(until: MonotonicClock.now + 10_000_000_000) { $0 ? true : nil }
    #expect(isDone == true)
  }

  @Test func `a drain says 1001`() throws {
    let bench = try ServerBench()
    let scene = try WebSocketScene(bench)
    _ = scene.hear()
    scene.socket.drain()
    _ = scene.hear()
    #expect(scene.closeCode == 1001)
  }

  @Test func `what waits for a slow reader is bounded, and ends the connection with 1013`() throws {
    let bench = try ServerBench { $0.limits.socketQueueBytes = 20_000 }
    bench.core.publish(
      RouteTable(pluginRoutes: []),
      topics: [TopicDeclaration(name: "news", scope: "", isPublic: true, plugin: "x")]
    )
    let scene = try WebSocketScene(bench)
    let members = Array("\"x\":\"\(String(repeating: "y", count: 1_000))\"".utf8)
    for _ in 0..<2_000 { bench.server.deliver(topic: "news", subject: "", members: members) }
    let events = scene.hear().filter { $0["type"] == "news" }
    #expect(scene.closeCode == 1013)
    // None is lost before the end.
    #expect(events.map { $0["sequence"]?.asInteger } == (0..<events.count).map { Int64($0 + 1) })
    #expect((10..<2_000).contains(events.count))
  }
}
