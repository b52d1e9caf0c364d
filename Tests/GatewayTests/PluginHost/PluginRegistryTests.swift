import CGatewayPlugin
import Glibc
import Testing
import Wire

@testable import Gateway

// One after the other: a thread that appears while a plugin is created counts as the plugin's.
@Suite("Plugins from file to unload", .serialized)
struct PluginRegistryTests {
  @Test func `a good plugin serves, reports, measures and unloads`() throws {
    let bench = try PluginBench(["10-good.json": #"{"library": "good"}"#], fixtures: ["good"])
    let reports = bench.registry.loadAll()
    #expect(reports.map(\.state) == [.active])
    #expect(reports.first?.name == "good")
    #expect(reports.first?.routes == ["GET /v1/good/{name}"])
    #expect(bench.registry.topics.map(\.name) == ["good.happened"])

    let (status, answer, _) = try bench.ask("/v1/good/x", route: "/v1/good/{name}")
    #expect(status == GW_OK)
    #expect(answer?.body == #"{"n":1}"#)
    #expect(answer?.fields == ["X-Fixture: good"])
    #expect(bench.metricLines.contains(#"good_asked_total{answered="yes"} 1"#))
    #expect(eventually { bench.service("good")?["status"] == "degraded" })
    #expect(bench.service("good")?["checks"]?["self"]?["detail"]?["why"] == "fixture")

    let context = try #require(bench.registry.routes.first).instance.context
    try bench.end()
    #expect(isUnloaded(bench.registry.reports))
    #expect(bench.metricLines.isEmpty)
    #expect(ContextTable.with(gw_context(v: context), gone: true) { _ in false })
  }

  @Test func `one file that fails does not stop the others, and health shows it`() throws {
    let bench = try PluginBench(
      [
        "10-broken.json": "{\n  \"library\": \"good\",\n  \"setings\": {}\n}",
        "20-good.jsonc": #"{"library": "good" /* beside the others */}"#, "README": "not json",
        "30-off.json": #"{"library": "nothing", "enabled": false}"#, ".40-hidden.json": "{",
      ],
      fixtures: ["good"]
    )
    let reports = bench.registry.loadAll()
    #expect(reports.map(\.state) == [.failed, .active, .disabled])
    let reason = try #require(reports.first?.reason)
    #expect(
      reason.hasSuffix(
        "/10-broken.json:3:3: error: unknown key \"setings\"; did you mean \"settings\"?"
      )
    )
    let summary = bench.health.summary(now: MonotonicClock.now)
    #expect(summary.state == .degraded)
    #expect(summary.services["broken"]?["status"] == "error")
    #expect(summary.services["broken"]?["available"] == false)
    #expect(summary.services["good"]?["available"] == true)
    try bench.end()
  }

  @Test(arguments: [
    ("wrong_major", "built for contract version 7, this gateway has version 1"),
    ("wrong_size", "struct_size is"), ("no_function", "gw_plugin_v1.interface is NULL"),
    ("no_entry", "has no gw_plugin_entry"), ("null_entry", "does not serve hosts of contract 1.0"),
    ("create_fails", "create failed: the database is on strike"),
    ("late_route", "activate failed: route GET /v1/late: routes are added before activate"),
    ("unknown_interface", "create failed: this plugin needs gw.teleport/1"),
  ])
  func `refuses a library that breaks the contract`(_ fixture: String, _ reason: String) throws {
    let bench = try PluginBench(
      ["10-x.json": #"{"library": "\#(fixture)"}"#],
      fixtures: [fixture]
    )
    let report = try #require(bench.registry.loadAll().first)
    #expect(report.state == .failed)
    #expect(report.reason.contains(":1:13: error: "))
    #expect(report.reason.contains(reason))
    #expect(bench.health.summary(now: MonotonicClock.now).state == .unhealthy)
    // Nothing of what it declared stays.
    #expect(bench.registry.routes.isEmpty)
    #expect(bench.registry.topics.isEmpty)
    #expect(bench.metricLines.isEmpty)
    #expect(Directory.names(in: "\(bench.settings.dataDirectory)/generations").isEmpty)
    try bench.end()
  }

  @Test func `refuses what is no library, naming the file and the place`() throws {
    let bench = try PluginBench(
      [
        "10-text.json": #"{"library": "./10-text.json"}"#,
        "20-none.json": #"{"library": "nowhere"}"#,
      ])
    let reports = bench.registry.loadAll()
    #expect(
      reports[0].reason.contains("error: the library is not a shared library (no ELF header)")
    )
    #expect(reports[1].reason.contains("library \"nowhere\" was not found; looked for "))
    #expect(reports[1].reason.contains("/libnowhere.so"))
    try bench.end()
  }

  @Test func `refuses a route that another plugin or the host has, with both names`() throws {
    let reserved = [(method: "*", pattern: try PathPattern("/v1/good/{x}"))]
    for (taken, owner) in [(false, "good"), (true, "the gateway itself")] {
      let good = taken ? "10-good.txt" : "10-good.json"
      let bench = try PluginBench(
        [good: #"{"library": "good"}"#, "20-duplicate.json": #"{"library": "duplicate_route"}"#],
        fixtures: ["good", "duplicate_route"],
        reserved: taken ? reserved : []
      )
      let report = try #require(bench.registry.loadAll().last)
      #expect(report.state == .failed)
      #expect(report.reason.contains("20-duplicate.json"))
      let remedy = taken ? "give it another path" : "disable one of the two files"
      #expect(
        report.reason.hasSuffix("route GET /v1/good/{other} belongs to \(owner); \(remedy)")
      )
      try bench.end()
    }
  }

  @Test func `refuses malformed routes one by one`() throws {
    let bench = try PluginBench(
      ["10-bad.json": #"{"library": "bad_routes"}"#],
      fixtures: ["bad_routes"]
    )
    let report = try #require(bench.registry.loadAll().first)
    #expect(report.reason == "")
    #expect(report.state == .active)
    #expect(report.routes.isEmpty)
    try bench.end()
  }

  @Test func `refuses a second file with the same plugin`() throws {
    let bench = try PluginBench(
      ["10-good.json": #"{"library": "good"}"#, "20-again.json": #"{"library": "good"}"#],
      fixtures: ["good"]
    )
    let reports = bench.registry.loadAll()
    #expect(reports.map(\.state) == [.active, .failed])
    #expect(reports[1].reason.contains("is loaded already, from 10-good.json"))
    #expect(bench.service("good")?["available"] == true)
    try bench.end()
  }

  @Test func `limits of the file are ceilings over the routes' own`() throws {
    let text =
      #"{"library": "good", "limits": {"in_flight": 3, "body_bytes": 7, "timeout_seconds": 2}}"#
    let bench = try PluginBench(["10-good.json": text], fixtures: ["good"])
    _ = bench.registry.loadAll()
    let route = try #require(bench.registry.routes.first)
    #expect(route.maxInFlight == 3)
    #expect(route.maxBody == 7)
    #expect(route.timeout == .seconds(2))
    try bench.end()
  }

  @Test func `answers twice, late, never or badly do no harm`() throws {
    let bench = try PluginBench(
      ["10-answers.json": #"{"library": "answers"}"#],
      fixtures: ["answers"]
    )
    _ = bench.registry.loadAll()
    #expect(try bench.ask("/v1/twice").answer?.message == "first")
    #expect(try bench.ask("/v1/twice").status == GW_OK)
    #expect(try bench.ask("/v1/lies").answer == nil)
    let never = try bench.ask("/v1/never")
    #expect(never.status == GW_PENDING)
    bench.server.cancel(never.request)
    #expect(try bench.ask("/v1/late").answer?.body == #""gone""#)
    let bad = try bench.ask("/v1/bad").answer
    #expect(bad?.message == "9,7,5")
    #expect(bad?.status == 418)
    #expect(try bench.ask("/v1/buffers").answer?.body == "3")
    try bench.end()
  }

  @Test func `a check that hangs is shown as stale and holds nothing up`() throws {
    let bench = try PluginBench(
      ["10-hang.json": #"{"library": "hanging_check"}"#],
      fixtures: ["hanging_check"]
    )
    _ = bench.registry.loadAll()
    #expect(eventually { bench.service("hanging_check")?["status"] == "stale" })
    #expect(bench.service("hanging_check")?["available"] == false)
    #expect(bench.health.summary(now: MonotonicClock.now).state == .degraded)
    try bench.end()
    #expect(isUnloaded(bench.registry.reports))
  }

  @Test func `events come in order, calls end once, jobs repeat, divide and stop`() throws {
    let bench = try PluginBench(["10-caller.json": #"{"library": "caller"}"#], fixtures: ["caller"])
    #expect(bench.registry.loadAll().map(\.state) == [.active])
    func seen(_ what: String, _ value: Int) -> Bool {
      bench.metricLines.contains("caller_seen{what=\"\(what)\"} \(value)")
    }
    #expect(eventually { seen("events", 100) })
    #expect(seen("disorder", 0))
    #expect(bench.server.events.count == 100)
    #expect(seen("undeclared", Int(GW_E_ARGUMENT)))
    #expect(seen("not_an_object", Int(GW_E_ARGUMENT)))
    #expect(eventually { seen("nobody", Int(GW_E_NOT_FOUND)) })
    #expect(eventually { seen("status", Int(GW_E_TIMEOUT)) })
    #expect(eventually { seen("sum", 500_500) })
    #expect(eventually { seen("rounds", 3) || seen("rounds", 4) || seen("rounds", 5) })
    try bench.end()
    #expect(isUnloaded(bench.registry.reports))
  }

  @Test func `a plugin with threads of its own is never unmapped`() throws {
    let bench = try PluginBench(
      ["10-thread.json": #"{"library": "own_thread"}"#],
      fixtures: ["own_thread"]
    )
    _ = bench.registry.loadAll()
    try bench.end()
    let report = try #require(bench.registry.reports.first)
    #expect(report.state == .retired)
    #expect(report.reason.hasPrefix("it has threads of its own"))
  }

  /// Unloaded, or kept because another test's thread came while it was created.
  private func isUnloaded(_ reports: [PluginReport]) -> Bool {
    reports.allSatisfy { $0.state == .unloaded || $0.reason.hasPrefix("it has threads of its own") }
  }
}
