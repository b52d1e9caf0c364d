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
    fair.arrive("eve", waiting: [], running: [])
    fair.charge("eve", share: 0.5, seconds: 3600, .platinum)
    fair.arrive("bob", waiting: [], running: ["eve"])
    // Each job of Eve's ends before her next one comes, so she never has anything running; her numbers are always lower.
    fair.settle("eve", share: 0.5, seconds: 3600, usedSeconds: 1, .platinum)
    fair.arrive("eve", waiting: ["bob"], running: [])
    #expect(fair.next(["eve": 1, "bob": 2]) == "bob")
    fair.charge("bob", share: 0.5, seconds: 60, .bronze)
    fair.settle("bob", share: 0.5, seconds: 60, usedSeconds: 60, .bronze)
    var passed = 0
    while passed < 10_000 {
      guard fair.next(["eve": 1, "bob": 2]) == "eve" else { break }
      passed += 1
      fair.charge("eve", share: 0.5, seconds: 60, .platinum)
      fair.settle("eve", share: 0.5, seconds: 60, usedSeconds: 60, .platinum)
    }
    // What bob had been given, she gets eight times: by the tier's weight, and no more.
    #expect((8...9).contains(passed))
  }

  @Test("one who was away has saved up nothing, and owes little")
  func noSaving() {
    var fair = FairShare()
    fair.arrive("ada", waiting: [], running: [])
    func use(_ share: Double) {
      fair.charge("ada", share: share, seconds: 3600, .bronze)
      fair.settle("ada", share: share, seconds: 3600, usedSeconds: 4000, .bronze)
    }
    for _ in 0..<50 { use(0.1) }
    #expect(fair.time("ada") > 17_999)
    fair.arrive("bob", waiting: ["ada"], running: [])
    #expect(fair.time("bob") == fair.time("ada"))
    for _ in 0..<500 { use(1) }
    fair.arrive("ada", waiting: ["bob"], running: [])
    #expect(fair.time("ada") == fair.time("bob") + FairShare.mostDebt)
    // Alone, nobody owes anything.
    fair.arrive("ada", waiting: [], running: [])
    #expect(fair.time("ada") == 0)
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
