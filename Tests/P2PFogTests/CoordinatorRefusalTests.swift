import Peering
import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("What the coordinator refuses")
struct CoordinatorRefusalTests {
  @Test("more than any node has is refused with what the largest has, each resource apart")
  func tooLarge() throws {
    let bench = try FogBench()
    bench.nodes[1].report.memoryMegabytes = 16_384
    bench.beat()
    let much: JSON = [
      "cpu_cores": 4.1, "memory_mb": 16_385, "disk_mb": 20_001, "gpu_count": 1,
    ]
    // A process, the one type that may ask for GPUs.
    let process: [(String, JSON)] = [
      ("job_type", "process"), ("parameters", ["command": ["true"]]),
    ]
    let failure = bench.refusal(process + [("requirements", much)])
    #expect(
      failure?.badFields == [
        "requirements.cpu_cores", "requirements.memory_mb", "requirements.disk_mb",
        "requirements.gpu_count",
      ]
    )
    #expect(failure?.reasons.first == "is 4.1, and the largest node has 4.0")
    #expect(failure?.reasons[1] == "is 16385, and the largest node has 16384")
    let edge: JSON = ["cpu_cores": 4, "memory_mb": 16_384, "disk_mb": 20_000]
    #expect(bench.refusal([("requirements", edge)]) == nil)
  }

  @Test(
    "a GPU for a type that no node computes on GPUs is refused at submission, not by every node"
  )
  func graphics() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].report.gpus = ["a", "b"] }
    bench.beat()
    let model: JSON = ["model_id": "m1", "prompts": ["hello"]]
    for more in [[("job_type", "train")], [("job_type", "inference"), ("parameters", model)]]
      as [[(String, JSON)]]
    {
      let failure = bench.refusal(more + [("requirements", ["gpu_count": 1])])
      #expect(failure?.badFields == ["requirements.gpu_count"])
      #expect(failure?.reasons.first?.hasPrefix("must be 0 for ") == true)
      #expect(bench.refusal(more + [("requirements", ["gpu_count": 0])]) == nil)
    }
    let process: [(String, JSON)] = [
      ("job_type", "process"), ("parameters", ["command": ["true"]]),
    ]
    #expect(bench.refusal(process + [("requirements", ["gpu_count": 1])]) == nil)
  }

  @Test("what no single node has together is refused")
  func noSingleNode() throws {
    let bench = try FogBench()
    bench.nodes[0].report.cpuMillicores = 8000
    bench.nodes[1].report.memoryMegabytes = 16_384
    bench.beat()
    let both: JSON = ["cpu_cores": 8, "memory_mb": 16_384]
    #expect(bench.refusal([("requirements", both)])?.badFields == ["requirements"])
  }

  @Test(
    "an unknown capability is refused with the known ones, and so are models and types no node has"
  )
  func unknownCapability() throws {
    let bench = try FogBench()
    let failure = bench.refusal([("requirements", ["capabilities": ["quantum"]])])
    #expect(failure?.badFields == ["requirements.capabilities"])
    let allowed = failure?.details?.asArray?.first?["allowed"]?.asArray?.compactMap(\.asString)
    #expect(allowed?.contains("region:x") == true)
    let model: JSON = ["model_id": "m2", "prompts": ["hello"]]
    let noModel = bench.refusal([("job_type", "inference"), ("parameters", model)])
    #expect(noModel?.badFields == ["parameters.model_id"])
    for index in bench.nodes.indices {
      bench.nodes[index].report.capabilities = ["train"]
      bench.nodes[index].report.isolationRefusal = "no bubblewrap here"
    }
    bench.beat()
    let process: JSON = ["bundle": "bundle", "command": ["true"]]
    let isolated = bench.refusal([
      ("job_type", "process"), ("inputs", ["bundle"]), ("parameters", process),
    ])
    #expect(isolated?.reasons == ["no node can isolate a process: no bubblewrap here"])
  }

  @Test("without any node, without the ledger and without files, submissions get 503")
  func notNow() throws {
    let empty = try FogBench(nodes: [])
    #expect(empty.refusal()?.status == 503)
    let bench = try FogBench()
    bench.ledger.books.withLock { $0.refusal = .notFound }
    let failure = bench.refusal()
    #expect(failure?.status == 503 && failure?.message.contains("tokens") == true)
    #expect(try bench.coordinator.list(Coordinator.Listing()).total == 0)
    bench.ledger.books.withLock { $0.refusal = nil }
    bench.shared.withLock { $0.filesRefusal = .notFound }
    #expect(bench.refusal([("inputs", ["data"])])?.status == 503)
  }

  @Test("payment that is off needs no ledger and costs nothing")
  func unpaid() throws {
    let bench = try FogBench { $0.isPaid = false }
    bench.ledger.books.withLock { $0.refusal = .notFound }
    let job = try bench.submit([("max_cost", "0.000000001")])
    try bench.run { try bench.status(job.id) == .completed }
    #expect(try bench.job(job.id).cost == .zero)
    #expect(bench.ledger.books.withLock { $0.calls }.isEmpty)
    #expect(try bench.coordinator.health().state == .healthy)
  }

  @Test("cost over the limit and over the balance are refused, with the numbers, at the edge not")
  func money() throws {
    let bench = try FogBench()
    let estimate = Cost.estimate(
      try JobRequest(FogBench.body(), now: 0).requirements,
      price: bench.coordinator.price(.bronze)
    )
    let over = bench.refusal([("max_cost", .string(Amount(estimate.parts - 1).text))])
    #expect(over?.status == 422 && over?.code == "COST_LIMIT_EXCEEDED")
    #expect(over?.details?["estimate"]?.asString == estimate.text)
    #expect(bench.refusal([("max_cost", .string(estimate.text))]) == nil)
    bench.ledger.books.withLock { $0.balances["eve"] = Amount(estimate.parts - 1) }
    let poor = bench.refusal(owner: "eve")
    #expect(poor?.status == 402 && poor?.code == "INSUFFICIENT_BALANCE")
    bench.ledger.books.withLock { $0.balances["eve"] = estimate }
    #expect(bench.refusal(owner: "eve") == nil)
    for bad: JSON in ["-1", "1.0000000000000000001", "x", -1, true, "1e3", ""] {
      #expect(bench.refusal([("max_cost", bad)])?.badFields == ["max_cost"], "\(bad)")
    }
  }

  @Test("deadlines in the past, too far away or unreadable are refused")
  func badDeadlines() throws {
    let bench = try FogBench()
    func text(_ milliseconds: Int64) -> JSON {
      let at = Int64(bench.now.wall) + milliseconds
      return .string(Timestamp.text(nanoseconds: at * 1_000_000, milliseconds: true))
    }
    for bad in [text(0), text(-1000), text(JobRequest.mostAhead + 1), "tomorrow"] {
      #expect(bench.refusal([("deadline", bad)])?.badFields == ["deadline"])
    }
    #expect(bench.refusal([("deadline", text(1))]) == nil)
    #expect(bench.refusal([("deadline", text(JobRequest.mostAhead))]) == nil)
  }

  @Test("files of others and files twice are refused, a job's bundle must be among its inputs")
  func badInputs() throws {
    let bench = try FogBench()
    #expect(bench.refusal([("inputs", ["data", "other"])])?.badFields == ["inputs[1]"])
    #expect(bench.refusal([("inputs", ["data"])], owner: "bob")?.badFields == ["inputs[0]"])
    #expect(bench.refusal([("inputs", ["data", "data"])])?.badFields == ["inputs"])
    let process: JSON = ["bundle": "bundle", "command": ["true"]]
    let without = bench.refusal([
      ("job_type", "process"), ("inputs", ["data"]), ("parameters", process),
    ])
    #expect(without?.badFields == ["parameters.bundle"])
    #expect(bench.refusal([("job_type", "process")])?.badFields.contains("parameters") == true)
    #expect(bench.refusal([("job_type", "inference")])?.badFields.contains("parameters") == true)
    bench.settings.maxInputBytes = 9
    bench.kill()
    try bench.restart()
    bench.beat()
    #expect(bench.refusal([("inputs", ["data"])])?.badFields == ["inputs"])
  }

  @Test("names, types and tiers of the original are taken, unknown ones refused")
  func names() throws {
    let original: JSON = [
      "job_name": "model_training_job", "job_type": "training", "privacy_tier": "gold",
      "requirements": [
        "cpu_cores": 2, "memory_gb": 1.5, "gpu_count": 0, "estimated_duration_hours": 2,
      ], "max_cost": 50.0,
    ]
    let request = try JobRequest(original, now: 0)
    #expect(request.type == .train && request.tier == .gold && request.name == "model_training_job")
    #expect(request.requirements.memoryMegabytes == 1536)
    #expect(request.requirements.maxDurationSeconds == 7200)
    #expect(request.maxCost == Amount(50 * Amount.unit))
    let bench = try FogBench()
    #expect(bench.refusal([("job_type", "mining")])?.badFields == ["job_type"])
    #expect(bench.refusal([("tier", "diamond")])?.badFields == ["tier"])
    #expect(bench.refusal([("job_name", "")])?.badFields == ["job_name"])
    #expect(bench.refusal([("privacy_tier", "x")])?.badFields == ["privacy_tier"])
    #expect(bench.refusal([("code", ["repository": "x"])])?.badFields == ["code"])
    #expect(
      bench.refusal([("requirements", ["cpu_cores": 0])])?.badFields == ["requirements.cpu_cores"]
    )
    let large = JSON.string(String(repeating: "x", count: JobRequest.maxParameterBytes))
    #expect(bench.refusal([("parameters", ["text": large])])?.badFields == ["parameters"])
  }

  @Test("a user's waiting jobs are bounded, and all users' together")
  func bounds() throws {
    let bench = try FogBench {
      $0.maxWaitingPerUser = 2
      $0.maxWaiting = 3
    }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .refuses("NO_ROOM") }
    for _ in 0..<2 { try bench.submit() }
    #expect(bench.refusal()?.status == 429)
    try bench.submit(owner: "bob")
    #expect(bench.refusal(owner: "eve")?.status == 429)
    // Nothing stays locked for what was refused.
    #expect(bench.ledger.openLocks == 3)
  }

  @Test("a user's running jobs are bounded, the rest waits")
  func runningBound() throws {
    let bench = try FogBench { $0.maxRunningPerUser = 2 }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    for _ in 0..<4 { try bench.submit() }
    for _ in 0..<8 { try bench.step() }
    var listing = Coordinator.Listing(owner: "ada")
    listing.status = .running
    #expect(try bench.coordinator.list(listing).total == 2)
    listing.status = .queued
    #expect(try bench.coordinator.list(listing).total == 2)
  }

  @Test("nobody sees or ends the jobs of others")
  func ownersAlone() throws {
    let bench = try FogBench()
    let job = try bench.submit()
    for owner in ["bob", ""] {
      #expect(throws: Failure.noJob(job.id)) { try bench.coordinator.job(job.id, owner: owner) }
      #expect(throws: Failure.noJob(job.id)) { try bench.coordinator.cancel(job.id, owner: owner) }
      #expect(throws: Failure.noJob(job.id)) {
        try bench.coordinator.deleteResults(job.id, owner: owner)
      }
      #expect(try bench.coordinator.list(Coordinator.Listing(owner: owner)).total == 0)
    }
    for event in bench.shared.withLock({ $0.events }) where event.payload["event"] == "job" {
      #expect(event.subject == "ada")
    }
  }

  @Test("a full disk refuses submissions with 507")
  func fullDisk() throws {
    let bench = try FogBench { $0.minFreeBytes = 1 << 60 }
    let refusal = bench.refusal()
    #expect(refusal?.status == 507 && refusal?.code == "STORAGE_FULL")
  }
}
