import Testing
import Wire

@testable import Gateway

@Suite("The answer of /health")
struct HealthBodyTests {
  private let wall: Int64 = 1_700_000_000_000_000_000

  @Test func `has state, time, services with WebSocket among them, and version`() throws {
    let bench = try ServerBench()
    bench.core.health.run("tokens", version: "2.1.0")
    bench.core.sockets.store(3, ordering: .relaxed)
    var body = HealthBody()
    body.refresh(core: bench.core, now: 0, wall: wall)
    #expect(body.status == 200)
    #expect(
      try JSON.parse(body.bytes) == [
        "status": "healthy", "timestamp": "2023-11-14T22:13:20Z",
        "services": [
          "tokens": ["status": "running", "available": true, "version": "2.1.0"],
          "websocket": ["status": "running", "available": true, "active_connections": 3],
        ],
        "version": .string(Version.text),
      ]
    )
  }

  @Test func `is 503 when nothing works, and 200 while something does`() throws {
    let bench = try ServerBench()
    bench.core.health.fail("tokens", reason: "no database")
    var body = HealthBody()
    body.refresh(core: bench.core, now: 0, wall: wall)
    #expect(body.status == 503)
    #expect(try JSON.parse(body.bytes)["status"] == "unhealthy")
    bench.core.health.run("fog", version: "1.0.0")
    body.refresh(core: bench.core, now: 1_000_000_000, wall: wall)
    #expect(body.status == 200)
    #expect(try JSON.parse(body.bytes)["status"] == "degraded")
  }

  @Test func `is kept for 50 ms and made anew then`() throws {
    let bench = try ServerBench()
    var body = HealthBody()
    body.refresh(core: bench.core, now: 0, wall: wall)
    let first = body.bytes
    bench.core.health.run("fog", version: "1.0.0")
    body.refresh(core: bench.core, now: 49_999_999, wall: wall)
    #expect(body.bytes == first)
    body.refresh(core: bench.core, now: 50_000_000, wall: wall)
    #expect(body.bytes != first)
  }
}
