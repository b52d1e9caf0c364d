import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing

@Suite("Services, events, metrics, health and log")
struct BoundaryServicesTests {
  private func hosted(
    _ host: FakeHost,
    _ start: @escaping @Sendable (Host) throws -> Void = { _ in }
  ) throws -> (Loaded, Host) {
    let box = Kept<Host>()
    var parts = TestPlugin.Parts()
    parts.start = {
      box.keep($0)
      try start($0)
    }
    let loaded = try Loaded(parts, on: host)
    return (loaded, try #require(box.value))
  }

  private func serve(
    _ fake: FakeHost,
    _ method: String,
    _ argument: String
  ) throws -> (status: Int32, result: String) {
    let served = try #require(fake.record.withLock { $0.served.first })
    let arena = Arena()
    defer { arena.free() }
    var call = gw_call_v1(
      method: arena.bytes(method),
      argument: arena.bytes(argument),
      subject: arena.bytes("alice"),
      caller: arena.bytes("other")
    )
    served.function(served.user, &call, gw_operation(v: 9))
    let completion = try #require(fake.record.withLock { $0.completions.last })
    return (completion.status, completion.result)
  }

  @Test func `serves calls, and a failure becomes a status`() throws {
    let fake = FakeHost()
    let (loaded, _) = try hosted(fake) { host in
      try host.services.serve("adder") { call in
        switch call.method {
        case "echo": return call.argument
        case "nothing": throw HostRefusal.notFound
        default: throw PluginFailure("secret")
        }
      }
    }
    #expect(try serve(fake, "echo", "[1]") == (GW_OK, "[1]"))
    #expect(try serve(fake, "echo", "") == (GW_OK, "null"))
    #expect(try serve(fake, "nothing", "1") == (GW_E_NOT_FOUND, ""))
    #expect(try serve(fake, "other", "1") == (GW_E_INTERNAL, ""))
    #expect(try serve(fake, "echo", "{") == (GW_E_INTERNAL, ""))
    loaded.destroy()
  }

  @Test func `a call ends once, with its result or its status`() throws {
    let fake = FakeHost()
    let (loaded, host) = try hosted(fake)
    let lives = Lives()
    let results = Mutex<[Result<JSON, HostRefusal>]>([])
    do {
      let tracked = Tracked(lives)
      for _ in 0..<3 {
        try host.services.call("adder", "add", [1, 2], timeout: .seconds(3)) { result in
          _ = tracked
          results.withLock { $0.append(result) }
        }
      }
    }
    let calls = fake.record.withLock { $0.calls }
    #expect(calls.map(\.detail).first == "add [1,2]  3000")
    let arena = Arena()
    calls[0].function(calls[0].user, GW_OK, arena.bytes("3"))
    calls[1].function(calls[1].user, GW_E_TIMEOUT, arena.bytes(""))
    calls[2].function(calls[2].user, GW_OK, arena.bytes("not json"))
    arena.free()
    #expect(
      results.withLock { $0 } == [
        .success(3), .failure(.timeout), .failure(.failed(GW_E_INTERNAL)),
      ]
    )
    #expect(lives.ended == 1)
    loaded.destroy()
  }

  @Test func `a refused call lets its completion go, and it does not run`() throws {
    let (loaded, host) = try hosted(FakeHost(refusals: ["call": GW_E_NOT_FOUND]))
    let lives = Lives()
    do {
      let tracked = Tracked(lives)
      #expect(throws: HostRefusal.notFound) {
        try host.services.call("nobody", "x", nil) { _ in
          _ = tracked
          Issue.record("the completion ran")
        }
      }
    }
    #expect(lives.ended == 1)
    loaded.destroy()
  }

  @Test func `a waiting call gets what another thread brings`() throws {
    let fake = FakeHost()
    let (loaded, host) = try hosted(fake)
    let server = OtherThread {
      _ = eventually { fake.record.withLock { !$0.calls.isEmpty } }
      guard let call = fake.record.withLock({ $0.calls.first }) else { return }
      let arena = Arena()
      call.function(call.user, GW_OK, arena.bytes("{\"sum\":3}"))
      arena.free()
    }
    let result = try host.services.call("adder", "add", [1, 2])
    server.join()
    #expect(result == ["sum": 3])
    loaded.destroy()
  }

  @Test func `declares, publishes and takes events`() throws {
    let fake = FakeHost()
    let seen = Kept<Events.Event>()
    let (loaded, host) = try hosted(fake) { host in
      try host.events.declare("files.added", scope: .read)
      try host.events.declare("news", isPublic: true)
      try host.events.subscribe("other.topic") { seen.keep($0) }
    }
    try host.events.publish("files.added", ["id": 1], to: "alice")
    #expect(fake.record.withLock { $0.topics } == ["files.added read 0", "news  1"])
    #expect(fake.record.withLock { $0.published } == ["files.added alice {\"id\":1}"])
    let subscription = try #require(fake.record.withLock { $0.subscriptions.first })
    let arena = Arena()
    subscription.function(
      subscription.user,
      arena.bytes("other.topic"),
      arena.bytes("bob"),
      arena.bytes("{\"a\":1}")
    )
    subscription.function(
      subscription.user,
      arena.bytes("other.topic"),
      arena.bytes("bob"),
      arena.bytes("{")
    )
    arena.free()
    #expect(seen.value?.payload == ["a": 1])
    #expect(seen.value?.subject == "bob")
    #expect(fake.logLines.count == 1)
    loaded.destroy()
  }

  @Test func `defines metrics and records in them`() throws {
    let fake = FakeHost()
    let (loaded, host) = try hosted(fake) { host in
      try host.metrics.counter("done_total", "Done.", labels: ["kind", "how"]).add(2, "a", "b")
      try host.metrics.gauge("queue_bytes", "Waiting.").set(7)
      try host.metrics.histogram("took_seconds", "Took.").observe(.milliseconds(1500))
    }
    #expect(
      fake.record.withLock { $0.metrics } == [
        "1 done_total Done. [\"kind\", \"how\"]", "2 queue_bytes Waiting. []",
        "3 took_seconds Took. []",
      ]
    )
    #expect(
      fake.record.withLock { $0.recorded } == ["1 2.0 [\"a\", \"b\"]", "2 7.0 []", "3 1.5 []"]
    )
    #expect(host.metrics.isAvailable)
    loaded.destroy()
  }

  @Test func `reports health, and a check that throws is unhealthy without its text`() throws {
    let fake = FakeHost()
    var parts = TestPlugin.Parts()
    parts.checks = [
      HealthCheck("database", every: .seconds(10), timeout: .seconds(2)) {
        .degraded(["files": 3])
      },
      HealthCheck("broken", every: .milliseconds(100)) { throw PluginFailure("/secret/path") },
    ]
    let loaded = try Loaded(parts, on: fake)
    let checks = fake.record.withLock { $0.checks }
    #expect(checks.map(\.name) == ["database", "broken"])
    #expect(checks.map(\.detail) == ["10000 2000", "100 5000"])
    for check in checks { check.function(check.user, gw_operation(v: 1)) }
    let reports = fake.record.withLock { $0.reports }
    #expect(reports.map(\.state) == [GW_DEGRADED, GW_UNHEALTHY])
    #expect(reports[0].detail == "{\"files\":3}")
    #expect(!reports[1].detail.contains("secret"))
    #expect(fake.logLines.contains { $0.contains("/secret/path") })
    loaded.destroy()
  }

  @Test func `makes only the log lines that are kept`() throws {
    let fake = FakeHost()
    let made = Atomic<Int>(0)
    let (loaded, host) = try hosted(fake)
    func line() -> String {
      made.add(1, ordering: .relaxed)
      return "line"
    }
    host.log.debug(line())
    host.log.warning(line(), ["k": "v"])
    #expect(made.load(ordering: .relaxed) == 1)
    #expect(fake.logLines == ["2 0 line [\"k: v\"]"])
    loaded.destroy()
  }

  @Test(arguments: [
    GW_LOG_1, GW_EVENTS_1, GW_SERVICES_1, GW_HEALTH_1, GW_METRICS_1, GW_JOBS_1,
  ])
  func `loads and does without any one interface`(_ missing: String) throws {
    let fake = FakeHost(missing: [missing])
    var parts = TestPlugin.Parts()
    parts.checks = [HealthCheck("a", every: .seconds(1)) { .healthy() }]
    let box = Kept<Host>()
    parts.start = { host in
      box.keep(host)
      host.log.error("x")
      try host.metrics.counter("a_total", "A.").add()
    }
    let loaded = try Loaded(parts, on: fake)
    #expect(loaded.status == GW_OK)
    let host = try #require(box.value)
    if missing == GW_EVENTS_1 {
      #expect(throws: HostRefusal.unsupported(missing)) { try host.events.publish("a", [:]) }
    }
    if missing == GW_SERVICES_1 {
      #expect(throws: HostRefusal.unsupported(missing)) { try host.services.call("a", "b", nil) }
    }
    #expect(fake.record.withLock { $0.checks.count } == (missing == GW_HEALTH_1 ? 0 : 1))
    loaded.destroy()
  }
}
