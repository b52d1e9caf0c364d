import Peering
import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("A coordinator that is killed")
struct CoordinatorCrashTests {
  /// Three jobs, submitted with keys as a careful client would, and run to their ends.
  private static func live(_ bench: FogBench) throws {
    var submitted: [String: String] = [:]
    var left = ["a", "b", "c"]
    for step in 0..<400 {
      if let key = left.first {
        let owner = key == "b" ? "bob" : "ada"
        do {
          submitted[key] = try bench.coordinator.submit(FogBench.body(), key: key, owner: owner).job
            .id
          left.removeFirst()
        } catch {
          // Killed, or still being taken back: the client asks again with the same key.
        }
        try bench.restart()
      }
      try bench.step()
      // A node that is lost on the way, too.
      if step == 4 { bench.nodes[0].manner = .dead }
      if step == 30 { bench.nodes[0].manner = .works(500) }
      let isOver = try submitted.values.allSatisfy { try bench.status($0) == .completed }
      if left.isEmpty, isOver, bench.ledger.openLocks == 0, try waiting(bench) == 0 { break }
    }
    #expect(left.isEmpty)
    for (key, id) in submitted {
      #expect(try bench.status(id) == .completed, "\(key)")
    }
    // What the client was told is what is there: no job beside these, none twice.
    #expect(try bench.coordinator.list(Coordinator.Listing()).total == 3)
    let paid = bench.ledger.settled.filter { $0.method == "settle" }.map(\.key)
    #expect(paid.sorted() == submitted.values.sorted())
    #expect(bench.ledger.openLocks == 0)
  }

  private static func waiting(_ bench: FogBench) throws -> Int {
    let figures = try bench.coordinator.figures()
    return figures.settlementsWaiting + figures.settlementsRefused
  }

  @Test("each job finishes once and settles once, killed at whichever step")
  func killedAnywhere() throws {
    let whole = try FogBench { $0.leaseSeconds = 3 }
    let start = whole.shared.withLock { $0.boundaries }
    try Self.live(whole)
    let steps = whole.shared.withLock { $0.boundaries }
    #expect(steps > start + 30)
    for crash in (start + 1)...steps {
      let bench = try FogBench { $0.leaseSeconds = 3 }
      let before = bench.ledger.total
      bench.shared.withLock { $0.crashAt = crash }
      try Self.live(bench)
      #expect(bench.shared.withLock { $0.generation } == 1, "killed at step \(crash)")
      #expect(bench.ledger.total == before, "killed at step \(crash)")
    }
  }

  @Test("queued jobs go on, running ones are found again, and their leases get a fresh time")
  func leasesAreFoundAgain() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let running = try bench.submit()
    try bench.run { try bench.status(running.id) == .running }
    let lease = try #require(try bench.job(running.id).lease)
    bench.kill()
    // Longer than a lease holds: the coordinator was away, not the node.
    bench.pass(60_000)
    try bench.restart()
    bench.coordinator.tick()
    #expect(try bench.job(running.id).lease == lease)
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .works(0) }
    try bench.run { try bench.status(running.id) == .completed }
    let ended = try bench.job(running.id)
    #expect(ended.lease == lease && ended.attempts == 1)
  }

  @Test(
    "a lease that no node comes back to after a restart is lost without blame, and counts as no attempt"
  )
  func inheritedLoss() throws {
    let bench = try FogBench { $0.lostLeasePenalty = Amount(Amount.unit) }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    let node = try #require(try bench.job(job.id).node)
    bench.kill()
    bench.nodes.indices.forEach { bench.nodes[$0].runs = [:] }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .works(100) }
    try bench.restart()
    try bench.run { try bench.status(job.id) == .completed }
    let ended = try bench.job(job.id)
    #expect(ended.losses.isEmpty && ended.attempts == 1)
    #expect(bench.coordinator.nodeAnswer(node)?["trust"]?["leases_lost"] == 0)
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.settled.last?.argument["penalty"] == nil)
  }

  @Test("settlements wait for a ledger that is away, and health says so")
  func ledgerAway() throws {
    let bench = try FogBench()
    let job = try bench.submit()
    bench.ledger.books.withLock { $0.refusal = .notFound }
    try bench.run { try bench.status(job.id) == .completed }
    for _ in 0..<50 { try bench.step() }
    #expect(bench.ledger.openLocks == 1)
    let health = try bench.coordinator.health()
    #expect(health.state == .degraded)
    bench.kill()
    try bench.restart()
    bench.ledger.books.withLock { $0.refusal = nil }
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.settled.map(\.key) == [job.id])
    #expect(try bench.coordinator.health().state == .healthy)
  }

  @Test("a settlement the ledger refuses for good is shown, and not sent again")
  func refusedForGood() throws {
    let bench = try FogBench()
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    bench.ledger.books.withLock { $0.refused = ("LOCK_CLOSED", "It is closed.") }
    try bench.run { try bench.status(job.id) == .completed }
    for _ in 0..<5 { try bench.step() }
    let calls = bench.ledger.books.withLock { $0.calls.count }
    for _ in 0..<5 { try bench.step() }
    #expect(bench.ledger.books.withLock { $0.calls.count } == calls)
    let detail = try bench.coordinator.detail(try bench.job(job.id))
    #expect(detail["costs"]?["settlement"]?["state"] == "refused")
    #expect(try bench.coordinator.health().state == .degraded)
  }

  @Test("a settlement the ledger cannot read, or that fails alone, does not hold up the others")
  func oneBadSettlement() throws {
    let bench = try FogBench()
    let first = try bench.submit()
    try bench.run { try bench.status(first.id) == .running }
    bench.ledger.books.withLock { $0.refusal = .failed(-1) }
    try bench.run { try bench.status(first.id) == .completed }
    _ = bench.coordinator.settle()
    bench.ledger.books.withLock { $0.refusal = nil }
    let second = try bench.submit()
    bench.ledger.books.withLock { $0.malformed = [first.id] }
    try bench.run { try bench.status(second.id) == .completed }
    try bench.run { bench.ledger.settled.map(\.key).contains(second.id) }
    #expect(try bench.coordinator.figures().settlementsRefused == 1)
  }

  @Test("what an earlier generation still writes while it ends is found by the next")
  func twoGenerations() throws {
    let bench = try FogBench { $0.leaseSeconds = 60 }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let first = try bench.submit()
    let second = try bench.submit()
    try bench.run { try bench.status(second.id) == .running }
    let old = bench.coordinator
    old.quiesce()
    try bench.replace()
    // Both see the same rows; what was under way ends in the old one.
    let late = try old.submit(FogBench.body(), key: nil, owner: "bob").job
    _ = try old.cancel(first.id, owner: "ada")
    _ = try old.remove(try #require(try bench.job(second.id).node))
    #expect(
      bench.coordinator.state.withLock { $0.jobs.keys.sorted() } == [first.id, second.id].sorted()
    )
    bench.coordinator.reconcile()
    #expect(
      bench.coordinator.state.withLock { $0.jobs.keys.sorted() } == [late.id, second.id].sorted()
    )
    #expect(bench.coordinator.state.withLock { $0.leases.isEmpty && $0.waitingCount == 2 })
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .works(100) }
    try bench.run {
      try bench.status(late.id) == .completed && bench.status(second.id) == .completed
        && bench.ledger.openLocks == 0
    }
    #expect(bench.ledger.settled.map(\.key).sorted() == [first.id, late.id, second.id].sorted())
  }

  @Test("a step that another generation has taken already is not taken again")
  func stepTaken() throws {
    let bench = try FogBench()
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    let old = bench.coordinator
    try bench.replace()
    _ = try old.cancel(job.id, owner: "ada")
    // The new one does not know yet; its own end finds the row closed.
    #expect(try bench.coordinator.cancel(job.id, owner: "ada").status == .cancelled)
    #expect(bench.coordinator.state.withLock { $0.jobs.isEmpty && $0.leases.isEmpty })
    try bench.run { bench.ledger.openLocks == 0 }
    #expect(bench.ledger.settled.count == 1)
  }
}
