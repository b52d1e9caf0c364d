import GatewayPlugin
import Peering
import PluginStorage
import Testing

@testable import P2PFog

@Suite("What a lying node can do to its coordinator")
struct HostileNodeTests {
  /// A coordinator whose only node runs a job for ever, and that job.
  static func running(
    _ change: (inout FogSettings) -> Void = { _ in }
  ) throws -> (bench: FogBench, job: FogJob, lease: String) {
    let bench = try FogBench(nodes: [ScriptedNode(1)], change)
    bench.nodes[0].manner = .hangs
    let submitted = try bench.submit()
    try bench.run { [bench] in try bench.status(submitted.id) == .running }
    let job = try bench.job(submitted.id)
    return (bench, job, try #require(job.lease))
  }

  static func heartbeat(_ bench: FogBench, _ lease: String, _ usage: JSON) throws {
    let leases: JSON = [
      ["lease_id": .string(lease), "state": "running", "usage": usage, "progress": 1]
    ]
    let body = CallBody(["report": bench.nodes[0].report.json, "leases": leases])
    _ = try bench.send(bench.nodes[0].id, "fog.heartbeat", body)
  }

  static let absurd: JSON = [
    "cpu_ms": .integer(1 << 50), "wall_ms": .integer(1 << 50), "memory_peak_mb": 16_777_216,
    "output_bytes": .integer(1 << 40),
  ]

  @Test("the largest usage there is neither ends the process nor costs more than was locked")
  func absurdUsage() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .hangs
    bench.nodes[0].report.cpuMillicores = 1_024_000
    bench.beat()
    let much: JSON = ["cpu_cores": 1024, "memory_mb": 64, "max_duration_s": 1]
    let submitted = try bench.submit([("requirements", much)])
    let lease = try #require(try bench.job(submitted.id).lease)
    try Self.heartbeat(bench, lease, Self.absurd)
    #expect(try bench.status(submitted.id) == .running)
    let detail = try bench.coordinator.detail(try bench.job(submitted.id))
    #expect(detail["resource_usage"]?["wall_ms"] == .integer(1 << 50))
    let finish: JSON = ["lease_id": .string(lease), "outcome": "succeeded", "usage": Self.absurd]
    _ = try bench.send(bench.nodes[0].id, "fog.finish", CallBody(finish))
    let job = try bench.job(submitted.id)
    #expect(job.status == .completed && (job.cost ?? .max) <= job.estimate)
    _ = try bench.coordinator.detail(job)
  }

  @Test("a reward counts the bytes that came, not those that a node says it made")
  func bandwidth() throws {
    let (bench, _, lease) = try Self.running()
    let output: JSON = [
      "lease_id": .string(lease), "path": "result", "offset": 0, "size": 1000,
      "sha256": .string(SHA256.hexadecimal(of: String(repeating: "x", count: 1000))),
    ]
    let bytes = [UInt8](repeating: 0x78, count: 1000)
    _ = try bench.send(bench.nodes[0].id, "fog.output", CallBody(output, bytes: bytes))
    let finish: JSON = ["lease_id": .string(lease), "outcome": "succeeded", "usage": Self.absurd]
    _ = try bench.send(bench.nodes[0].id, "fog.finish", CallBody(finish))
    try bench.run { [bench] in !bench.ledger.settled.isEmpty }
    let reward = bench.ledger.settled.first?.argument["reward"]
    #expect(reward?["bandwidth_gb"]?.asNumber == 1000 / 1e9)
  }

  @Test(
    "an account of the ledger's own is refused, also when a combining mark hides its prefix",
    arguments: ["system:treasury", "system:\u{301}supply", "fog:\u{301}other"]
  )
  func ownAccount(_ account: String) throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    var report = bench.nodes[0].report
    report.account = account
    var code: String?
    do throws(CallFailure) {
      _ = try bench.send(bench.nodes[0].id, "fog.register", CallBody(["report": report.json]))
    } catch {
      if case .refused(let refused, _) = error { code = refused }
    }
    #expect(code == "VALIDATION_ERROR")
  }

  @Test("names that differ only in how Unicode composes them do not add up past the quota")
  func composedNames() throws {
    let (bench, job, lease) = try Self.running { $0.maxOutputBytes = 1000 }
    let text = String(repeating: "x", count: 900)
    func send(_ path: String, _ text: String) throws {
      let output: JSON = [
        "lease_id": .string(lease), "path": .string(path), "offset": 0, "size": 900,
        "sha256": .string(SHA256.hexadecimal(of: text)),
      ]
      let body = CallBody(output, bytes: Array(text.utf8))
      _ = try bench.send(bench.nodes[0].id, "fog.output", body)
    }
    try send("caf\u{E9}", text)
    #expect(throws: CallFailure.self) {
      try send("cafe\u{301}", String(repeating: "y", count: 900))
    }
    let kept = try bench.coordinator.results.list(job.lease).reduce(0) { $0 + $1.size }
    #expect(kept <= 1000)
  }
}
