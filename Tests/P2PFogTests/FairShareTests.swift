import GatewayPlugin
import Testing

@testable import P2PFog

@Suite("Fair share")
struct FairShareTests {
  /// Places jobs one after another, each user always having another one.
  private static func place(
    _ users: [(name: String, share: Double, tier: FogTier)],
    rounds: Int
  ) -> [String: Int] {
    var fair = FairShare()
    var counts: [String: Int] = [:]
    for _ in 0..<rounds {
      let waiting = Dictionary(
        uniqueKeysWithValues: users.enumerated().map { ($0.element.name, $0.offset) }
      )
      guard let next = fair.next(waiting), let user = users.first(where: { $0.name == next })
      else { return counts }
      fair.charge(next, share: user.share, seconds: 60, user.tier)
      counts[next, default: 0] += 1
    }
    return counts
  }

  @Test("users with equal jobs get equally many, whoever has more waiting")
  func equal() {
    let counts = Self.place([("ada", 0.1, .bronze), ("bob", 0.1, .bronze)], rounds: 100)
    #expect(counts == ["ada": 50, "bob": 50])
  }

  @Test("users of different demands get equal dominant shares")
  func dominant() {
    // As in the paper's example: one needs a ninth of the memory, the other a third of the processors.
    let counts = Self.place([("ada", 1.0 / 9, .bronze), ("bob", 1.0 / 3, .bronze)], rounds: 400)
    #expect(counts == ["ada": 300, "bob": 100])
  }

  @Test("a higher tier gets more by its weight, and the lowest still gets its part")
  func weights() {
    let counts = Self.place([("ada", 0.1, .platinum), ("bob", 0.1, .bronze)], rounds: 900)
    #expect(counts == ["ada": 800, "bob": 100])
  }

  @Test("short jobs one after another do not starve a user who waits")
  func noStarvation() {
    var fair = FairShare()
    var waited = 0
    // Eve's platinum job ends before the next one comes, so she never has anything running.
    for _ in 0..<100 {
      let next = fair.next(["eve": 2, "bob": 1])
      if next == "bob" { break }
      waited += 1
      fair.charge("eve", share: 0.5, seconds: 60, .platinum)
      fair.giveBack("eve", share: 0.5, seconds: 1, ofSeconds: 60, .platinum)
    }
    #expect(waited == 0)
    fair.charge("bob", share: 0.5, seconds: 60, .bronze)
    var passed = 0
    while fair.next(["eve": 2, "bob": 3]) == "eve", passed < 1000 {
      passed += 1
      fair.charge("eve", share: 0.5, seconds: 60, .platinum)
    }
    #expect((1...8).contains(passed))
  }

  @Test("one who was away has saved up nothing")
  func noSaving() {
    var fair = FairShare()
    for _ in 0..<50 { fair.charge("ada", share: 0.1, seconds: 60, .bronze) }
    var counts: [String: Int] = [:]
    for _ in 0..<20 {
      guard let next = fair.next(["ada": 1, "bob": 2]) else { return }
      fair.charge(next, share: 0.1, seconds: 60, .bronze)
      counts[next, default: 0] += 1
    }
    #expect((9...11).contains(counts["bob"] ?? 0))
  }

  @Test("a user's own jobs go by tier with a head start, so that none waits for ever")
  func ownOrder() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .refuses("NO_ROOM")
    let bronze = try bench.submit()
    let gold = try bench.submit([("tier", "gold")])
    func order() -> [String] {
      bench.coordinator.state.withLock { $0.waiting["ada"]?.map(\.job) ?? [] }
    }
    #expect(order() == [gold.id, bronze.id])
    bench.pass(Int(FairShare.headStart(.platinum)) + 1)
    bench.beat()
    let late = try bench.submit([("tier", "platinum")])
    #expect(order() == [gold.id, bronze.id, late.id])
  }

  @Test("two users share the nodes, though one came first with ten times as many jobs")
  func together() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .works(250)
    let one: JSON = ["cpu_cores": 2, "memory_mb": 256, "max_duration_s": 10]
    for _ in 0..<40 { try bench.submit([("requirements", one)]) }
    let late = try (0..<4).map { _ in
      try bench.submit([("requirements", one)], owner: "bob").id
    }
    try bench.run { try late.allSatisfy { try bench.status($0) == .completed } }
    var listing = Coordinator.Listing(owner: "ada")
    listing.status = .completed
    #expect(try bench.coordinator.list(listing).total < 12)
  }
}
