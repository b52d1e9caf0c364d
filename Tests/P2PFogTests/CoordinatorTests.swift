import Peering
import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("The coordinator")
struct CoordinatorTests {
  @Test("a job is queued, placed, run and settled, and its owner hears of each step")
  func aJobIsRun() throws {
    let bench = try FogBench()
    let before = bench.ledger.total
    let job = try bench.submit()
    #expect(bench.ledger.openLocks == 1)
    try bench.run { try bench.status(job.id) == .completed }
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.events(job.id) == ["queued", "assigned", "running", "completed"])
    let ended = try bench.job(job.id)
    let cost = try #require(ended.cost)
    let node = try #require(ended.node)
    #expect(cost > .zero && cost <= job.estimate)
    #expect(bench.ledger.balance("fog:\(node)") == cost)
    #expect(bench.ledger.total == before)
    #expect(bench.ledger.settled.map(\.key) == [job.id])
    let files = try bench.coordinator.resultFiles(ended)
    #expect(files.map(\.path) == ["result.txt"] && files.map(\.size) == [5])
    let detail = try bench.coordinator.detail(ended)
    #expect(detail["costs"]?["settlement"]?["state"] == "done")
    #expect(detail["placement"]?["node_id"]?.asString == "\(node)")
  }

  @Test(
    "events keep the order of what they tell, when a job goes on while its first one is on its way"
  )
  func eventsKeepTheirOrder() throws {
    let bench = try FogBench()
    bench.shared.withLock { $0.meanwhile = { [unowned bench] in bench.coordinator.tick() } }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .completed }
    #expect(bench.events(job.id) == ["queued", "assigned", "running", "completed"])
  }

  @Test("of 200 jobs on nodes of which two die and one hangs, all finish once and settle once")
  func nothingIsLost() throws {
    let ledger = FakeLedger(["ada": 100_000, "bob": 100_000])
    let bench = try FogBench(nodes: (1...4).map { ScriptedNode($0) }, ledger: ledger) {
      $0.leaseSeconds = 3
      $0.graceSeconds = 2
    }
    let before = ledger.total
    var jobs: [String] = []
    for index in 0..<200 {
      let owner = index.isMultiple(of: 2) ? "ada" : "bob"
      let limits: JSON = ["cpu_cores": 0.5, "memory_mb": 256, "max_duration_s": 5]
      jobs.append(try bench.submit([("requirements", limits)], owner: owner).id)
    }
    for _ in 0..<4 { try bench.step() }
    bench.nodes[0].manner = .dead
    for _ in 0..<4 { try bench.step() }
    bench.nodes[1].manner = .hangs
    for _ in 0..<4 { try bench.step() }
    bench.nodes[2].manner = .dead
    var completed = Coordinator.Listing()
    completed.status = .completed
    try bench.run(atMost: 1000) {
      try bench.coordinator.list(completed).total == 200 && ledger.openLocks == 0
    }
    #expect(ledger.settled.map(\.key).sorted() == jobs.sorted())
    #expect(ledger.total == before)
    for job in jobs {
      #expect(bench.events(job).count { $0 == "completed" } == 1)
    }
    let lost = bench.shared.withLock { $0.measures.count { $0 == .leaseLost } }
    #expect(lost > 0)
    // Every result is there once, and nothing of lost leases.
    bench.coordinator.keepHouse()
    #expect(bench.folder.files("fog/results").count == 200)
  }

  @Test("the same idempotency key gives the same job, with another body it is refused")
  func keysAreIdempotent() throws {
    let bench = try FogBench()
    let first = try bench.submit(key: "k1")
    let again = try bench.coordinator.submit(FogBench.body(), key: "k1", owner: "ada")
    #expect(again.isRepeated && again.job.id == first.id)
    let other = bench.refusal([("job_name", "another")], key: "k1")
    #expect(other?.status == 409 && other?.code == "IDEMPOTENCY_CONFLICT")
    #expect(try bench.submit(owner: "bob", key: "k1").id != first.id)
    #expect(bench.refusal(key: "")?.status == 400)
    #expect(bench.refusal(key: String(repeating: "k", count: 129))?.status == 400)
    #expect(bench.refusal(key: String(repeating: "k", count: 128)) == nil)
  }

  @Test("a job that ends by its own fault is paid and not tried again; one that its node failed is")
  func faultsAreToldApart() throws {
    let bench = try FogBench()
    bench.nodes[1].manner = .dead
    bench.nodes[0].manner = .ends(outcome: "failed", exitCode: 3, reason: "exit code 3")
    let own = try bench.submit()
    try bench.run { try bench.status(own.id) == .failed }
    let failed = try bench.job(own.id)
    #expect(failed.exitCode == 3 && failed.attempts == 1 && failed.reason == "exit code 3")
    #expect(failed.startMilliseconds != nil)
    #expect(bench.events(own.id) == ["queued", "assigned", "running", "failed"])

    bench.nodes[0].manner = .ends(outcome: "failed", exitCode: nil, reason: "node: out of disk")
    let other = try bench.submit()
    try bench.run { try bench.status(other.id) == .failed }
    let nodes = try bench.job(other.id)
    #expect(nodes.attempts == 5 && nodes.losses.count == 5 && nodes.cost == .zero)
    #expect(nodes.reason.hasPrefix("node: out of disk"))
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.settled.last?.method == "release")
  }

  @Test("a cancelled job is stopped on its node, what it used is paid, and its end is refused")
  func cancelling() throws {
    let bench = try FogBench()
    for index in bench.nodes.indices { bench.nodes[index].manner = .hangs }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    for _ in 0..<8 { try bench.step() }
    let lease = try #require(try bench.job(job.id).lease)
    let node = try #require(try bench.job(job.id).node)
    #expect(throws: Failure.noJob(job.id)) { try bench.coordinator.cancel(job.id, owner: "eve") }
    let ended = try bench.coordinator.cancel(job.id, owner: "ada")
    bench.work()
    #expect(ended.status == .cancelled && (ended.cost ?? .zero) > .zero)
    #expect(bench.nodes.contains { $0.cancelled.contains(lease) })
    let finish: JSON = [
      "lease_id": .string(lease), "outcome": "succeeded", "reason": "", "usage": Usage().json,
    ]
    let refusal = #expect(throws: CallFailure.self) {
      try bench.send(node, "fog.finish", CallBody(finish))
    }
    guard case .refused("LEASE_LOST", _) = refusal else {
      Issue.record("\(String(describing: refusal))")
      return
    }
    #expect(throws: Failure.self) { try bench.coordinator.cancel(job.id, owner: "ada") }
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.balance("fog:\(node)") == ended.cost)
  }

  @Test("a queued job is cancelled for nothing")
  func cancellingQueued() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .refuses("NO_ROOM") }
    let job = try bench.submit()
    let ended = try bench.coordinator.cancel(job.id, owner: nil)
    #expect(ended.status == .cancelled && ended.cost == .zero)
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.balance("ada") == Amount(1000 * Amount.unit))
  }

  @Test("deadlines end jobs that wait and jobs that run")
  func deadlines() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let in5 = Timestamp.text(nanoseconds: Int64(bench.now.wall + 5000) * 1_000_000)
    let running = try bench.submit([("deadline", .string(in5))])
    let waiting = try bench.submit([
      ("deadline", .string(in5)), ("requirements", ["cpu_cores": 4, "memory_mb": 1024]),
    ])
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    try bench.run { try bench.status(running.id).isOver && bench.status(waiting.id).isOver }
    #expect(try bench.job(running.id).reason.hasPrefix("deadline: "))
    #expect(try bench.job(waiting.id).reason.hasPrefix("deadline: "))
  }

  @Test(
    "a node that refuses for good is not asked again for that job; one without room is, a little later"
  )
  func refusals() throws {
    let bench = try FogBench()
    bench.nodes[0].manner = .refuses("CANNOT_ISOLATE")
    let first = try bench.submit()
    try bench.run { try bench.status(first.id) == .completed }
    #expect(try bench.job(first.id).node == bench.nodes[1].id)
    #expect(try bench.job(first.id).losses.isEmpty)

    bench.nodes.indices.forEach { bench.nodes[$0].manner = .refuses("NO_ROOM") }
    let second = try bench.submit()
    for _ in 0..<40 { try bench.step() }
    #expect(try bench.job(second.id).attempts == 0)
    bench.nodes[0].manner = .works(100)
    try bench.run { try bench.status(second.id) == .completed }
  }

  @Test(
    "a node that says it cannot is asked for no such job before it reports again, and the job loses no attempt",
    arguments: ["CANNOT_ISOLATE", "NO_CAPABILITY"]
  )
  func lostCapability(_ code: String) throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .refuses(code) }
    let job = try bench.submit([("job_type", "process"), ("parameters", ["command": ["true"]])])
    for _ in 0..<20 {
      bench.pass(50)
      bench.coordinator.tick()
      bench.work()
    }
    #expect(bench.refusedOffers == bench.nodes.count)
    #expect(try bench.job(job.id).attempts == 0)
    #expect(try bench.status(job.id) == .queued)
    // Other types are still its own to take, and the next report is believed again.
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .works(100) }
    let other = try bench.submit()
    #expect(try bench.status(other.id) == .assigned)
    try bench.run { try bench.status(job.id) == .completed }
  }

  @Test(
    "a job that one node cannot do goes to the next at once, as its first attempt",
    arguments: ["CANNOT_ISOLATE", "NO_CAPABILITY", "BUSY"]
  )
  func nextNode(_ code: String) throws {
    let bench = try FogBench()
    bench.nodes[0].manner = .refuses(code)
    let job = try bench.submit()
    #expect(try bench.job(job.id).node == bench.nodes[1].id)
    try bench.run { try bench.status(job.id) == .completed }
    #expect(bench.refusedOffers == 1)
    let ended = try bench.job(job.id)
    #expect(ended.attempts == 1 && ended.losses.isEmpty)
  }

  @Test(
    "a peer that is too busy to answer a call is asked again later, and the job loses no attempt"
  )
  func busyPeer() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .refuses("BUSY")
    let job = try bench.submit()
    #expect(bench.refusedOffers == 1)
    for _ in 0..<40 { try bench.step() }
    // Each pause is twice as long as the one before, up to four seconds.
    #expect(bench.refusedOffers <= 8)
    #expect(try bench.job(job.id).attempts == 0)
    bench.nodes[0].manner = .works(100)
    try bench.run { try bench.status(job.id) == .completed }
  }

  @Test("a node that answers no offer rests, and its jobs run elsewhere")
  func deafNode() throws {
    let bench = try FogBench()
    bench.nodes[0].manner = .deaf
    let jobs = try (0..<4).map { _ in try bench.submit().id }
    try bench.run { try jobs.allSatisfy { try bench.status($0) == .completed } }
    for job in jobs { #expect(try bench.job(job).node == bench.nodes[1].id) }
  }

  @Test(
    "a removed node loses its jobs without blame, may not come back, and may once it is admitted"
  )
  func removal() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    let id = try #require(try bench.job(job.id).node)
    let other = try #require(bench.nodes.firstIndex { $0.id != id })
    bench.nodes[other].manner = .works(100)
    _ = try bench.coordinator.remove(id)
    bench.work()
    try bench.run { try bench.status(job.id) == .completed }
    let ended = try bench.job(job.id)
    #expect(ended.node == bench.nodes[other].id && ended.losses.isEmpty)
    let report = bench.nodes[other].report.json
    for method in ["fog.register", "fog.heartbeat"] {
      #expect(throws: Coordinator.notAdmitted) {
        try bench.send(id, method, CallBody(["report": report, "leases": []]))
      }
    }
    _ = try bench.coordinator.admit(id)
    _ = try bench.send(id, "fog.register", CallBody(["report": report]))
  }

  @Test("a draining node ends what it has and gets nothing new")
  func draining() throws {
    let bench = try FogBench()
    _ = try bench.coordinator.drain(bench.nodes[0].id, true)
    let jobs = try (0..<4).map { _ in try bench.submit().id }
    try bench.run { try jobs.allSatisfy { try bench.status($0) == .completed } }
    for job in jobs { #expect(try bench.job(job).node == bench.nodes[1].id) }
    let shown = bench.coordinator.nodeAnswer(bench.nodes[0].id)
    #expect(shown?["status"] == "draining")
    _ = try bench.coordinator.drain(bench.nodes[0].id, false)
    #expect(bench.coordinator.nodeAnswer(bench.nodes[0].id)?["status"] == "active")
  }

  @Test("a node is offline after three heartbeats without one, and health is degraded then")
  func offline() throws {
    let bench = try FogBench()
    #expect(try bench.coordinator.health().state == .healthy)
    bench.nodes[0].manner = .dead
    for _ in 0..<6 {
      bench.pass(1000)
      bench.beat()
    }
    bench.nodes[0].manner = .works(0)
    bench.beat()
    bench.nodes[0].manner = .dead
    bench.pass(2999)
    #expect(bench.coordinator.nodeAnswer(bench.nodes[0].id)?["status"] == "active")
    bench.pass(1)
    #expect(bench.coordinator.nodeAnswer(bench.nodes[0].id)?["status"] == "offline")
    #expect(try bench.coordinator.health().state == .degraded)
  }

  @Test("unknown peers and peers that may not be nodes are refused")
  func strangers() throws {
    let bench = try FogBench()
    let stranger = ScriptedNode(9)
    let body = CallBody(["report": stranger.report.json, "leases": []])
    let unknown = #expect(throws: CallFailure.self) {
      try bench.send(stranger.id, "fog.heartbeat", body)
    }
    guard case .refused("UNKNOWN_NODE", _) = unknown else {
      Issue.record("\(String(describing: unknown))")
      return
    }
    bench.shared.withLock { $0.mayBeNode = { _ in false } }
    #expect(throws: Coordinator.notAdmitted) {
      try bench.send(stranger.id, "fog.register", body)
    }
    bench.shared.withLock { $0.mayBeNode = { _ in true } }
    var report = stranger.report
    report.account = "system:mint"
    let own = #expect(throws: CallFailure.self) {
      try bench.send(stranger.id, "fog.register", CallBody(["report": report.json]))
    }
    guard case .refused("VALIDATION_ERROR", _) = own else {
      Issue.record("\(String(describing: own))")
      return
    }
  }
}
