import Glibc
import Testing

@testable import Gateway

@Suite("Plugins tried in a child process", .serialized)
struct PluginProbeTests {
  private func verdict(_ fixture: String, limit: Duration = .seconds(10)) throws
    -> PluginProbe.Verdict
  {
    let bench = try PluginBench(["10-x.json": #"{"library": "\#(fixture)"}"#], fixtures: [fixture])
    defer { _ = try? bench.end() }
    let probe = PluginProbe(executable: try #require(Fixtures.gateway), limit: limit)
    return probe.run(
      file: "\(bench.settings.pluginsDirectory)/10-x.json",
      libraries: Fixtures.directory
    )
  }

  private func reason(_ verdict: PluginProbe.Verdict) -> String? {
    guard case .failed(let error) = verdict else { return nil }
    return error.reason
  }

  @Test func `a good plugin passes and tells what it is`() throws {
    guard case .passed(let report) = try verdict("good") else {
      Issue.record("it failed")
      return
    }
    #expect(report.name == "good")
    #expect(report.version == "1.2.3")
    #expect(report.routes == ["GET /v1/good/{name}"])
    #expect(report.reason == "")
  }

  @Test func `a crash in create is named and harms nobody`() throws {
    #expect(
      reason(try verdict("create_crashes"))
        == "the plugin crashes in create, its self-test or destroy (SIGSEGV)"
    )
  }

  @Test func `a hang in create ends at the limit`() throws {
    let text = reason(try verdict("create_hangs", limit: .milliseconds(300)))
    #expect(text?.hasPrefix("the plugin hangs") == true)
  }

  @Test func `a plugin that ends the process does not pass`() throws {
    #expect(reason(try verdict("create_exits"))?.contains("ended the process") == true)
  }

  @Test func `the sentence of a failed create comes back with its place`() throws {
    guard case .failed(let error) = try verdict("create_fails") else {
      Issue.record("it passed")
      return
    }
    #expect(error.position?.column == 13)
    #expect(error.reason == "create failed: the database is on strike")
  }

  @Test func `the gateway lives on and serves the other plugins`() throws {
    let probe = PluginProbe(executable: try #require(Fixtures.gateway))
    let bench = try PluginBench(
      [
        "10-crash.json": #"{"library": "create_crashes"}"#, "20-good.json": #"{"library": "good"}"#,
      ],
      fixtures: ["create_crashes", "good"],
      probe: probe
    )
    let reports = bench.registry.loadAll()
    #expect(reports.map(\.state) == [.failed, .active])
    #expect(
      reports[0].reason.hasSuffix(
        "10-crash.json:1:13: error: the plugin crashes in create, its self-test or destroy (SIGSEGV)"
      )
    )
    try bench.end()
  }
}

@Suite("gateway check")
struct PluginCheckTests {
  @Test func `finds what is wrong between the files too`() throws {
    let bench = try PluginBench(
      [
        "10-good.json": #"{"library": "good"}"#,
        "20-duplicate.json": #"{"library": "duplicate_route"}"#,
        "30-again.json": #"{"library": "good"}"#,
        "40-off.json": #"{"library": "x", "enabled": false}"#,
        "no-number.json": "{}",
      ],
      fixtures: ["good", "duplicate_route"]
    )
    var check = PluginCheck(
      probe: PluginProbe(executable: try #require(Fixtures.gateway)),
      libraries: Fixtures.directory
    )
    let findings = try PluginFile.paths(in: bench.settings.pluginsDirectory).map { check.check($0) }
    let reasons = findings.map { finding in
      switch finding {
      case .passed: "passed"
      case .disabled: "disabled"
      case .failed(let error): error.reason
      }
    }
    #expect(reasons[0] == "passed")
    #expect(
      reasons[1] == "route GET /v1/good/{other} belongs to good; disable one of the two files"
    )
    #expect(reasons[2].hasPrefix("the plugin \"good\" is in 10-good.json already"))
    #expect(reasons[3] == "disabled")
    #expect(reasons[4].hasPrefix("must be named NN-name.json"))
    try bench.end()
  }
}
