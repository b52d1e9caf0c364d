import Peering
import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("The market")
struct MarketTests {
  static let rule = FogSettings().prices

  @Test("amounts are read and written without loss, and anything else is refused")
  func amounts() {
    let texts = ["0", "1", "12.5", "0.000000001", "9223372036.854775807"]
    for text in texts { #expect(Amount(text)?.text == text) }
    #expect(Amount("1.50")?.text == "1.5")
    #expect(Amount("0.0000000019")?.text == "0.000000001")
    #expect(Amount("1.000000000000000001") == Amount(Amount.unit))
    for bad in [
      "", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1 ", "1.2.3", "0x1", "９",
      "1.0000000000000000001", "9223372036.854775808", "99999999999",
    ] { #expect(Amount(bad) == nil, "\(bad)") }
    #expect(Amount.max + Amount(1) == .max)
    #expect(Amount(1) - Amount(2) == .zero)
    #expect(Amount(199).percent(50) == Amount(99))
  }

  @Test("the cost is size times time times price, rounded up, and never wraps")
  func costs() {
    let hour = Cost.of(size: 1000, milliseconds: 3_600_000, price: Amount(Amount.unit))
    #expect(hour == Amount(Amount.unit))
    let cheap = Cost.of(
      size: 2000,
      milliseconds: 1_800_000,
      price: Amount(Amount.unit),
      percent: 50
    )
    #expect(cheap == Amount(Amount.unit / 2))
    #expect(Cost.of(size: 100, milliseconds: 1, price: Amount(1)) == Amount(1))
    #expect(Cost.of(size: 100, milliseconds: 0, price: Amount(1)) == .zero)
    #expect(Cost.of(size: 4_000_000, milliseconds: 604_800_000, price: .max) == .max)
  }

  @Test(
    "a price follows demand up and down, by at most a tenth an hour, and never leaves its bounds"
  )
  func prices() {
    var full = PriceRule.Conditions()
    full.supply = 1000
    full.demand = 100_000
    full.utilisation = 1
    var idle = PriceRule.Conditions()
    idle.supply = 1000
    for tier in FogTier.allCases {
      let start = Self.rule.start(tier)
      let bounds = Self.rule.bounds(tier)
      let up = Self.rule.step(start, tier, full, elapsed: 3_600_000)
      #expect(up == start + start.percent(10))
      let down = Self.rule.step(start, tier, idle, elapsed: 3_600_000)
      #expect(down == start - start.percent(10))
      let later = Self.rule.step(start, tier, full, elapsed: 1_000_000_000)
      #expect(later == up)
      #expect(Self.rule.step(start, tier, full, elapsed: 0) == start)
      #expect(Self.rule.step(start, tier, full, elapsed: -5) == start)
      var price = start
      var sum = start
      for _ in 0..<360 {
        price = Self.rule.step(price, tier, full, elapsed: 10_000)
        sum = price
      }
      // Sixty steps of a minute's part come to no more than compound growth of a tenth an hour allows.
      #expect(sum > start && sum.number <= start.number * 1.1052)
      price = start
      for _ in 0..<1000 { price = Self.rule.step(price, tier, full, elapsed: 3_600_000) }
      #expect(bounds.contains(price) && price == Self.rule.target(tier, full))
      for _ in 0..<1000 { price = Self.rule.step(price, tier, idle, elapsed: 3_600_000) }
      #expect(bounds.contains(price) && price == Self.rule.target(tier, idle))
      #expect(Self.rule.step(.max, tier, full, elapsed: 1) <= bounds.upperBound)
      #expect(Self.rule.step(.zero, tier, full, elapsed: 1) >= bounds.lowerBound)
      // Without any node there is no market, and nothing moves.
      #expect(Self.rule.step(start, tier, PriceRule.Conditions(), elapsed: 3_600_000) == start)
    }
  }

  @Test("prices move with the queue, and survive a restart")
  func livePrices() throws {
    let bench = try FogBench { $0.maxWaitingPerUser = 1000 }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    for _ in 0..<40 { try bench.submit() }
    let before = bench.coordinator.price(.bronze)
    bench.pass(600_000)
    bench.beat()
    bench.coordinator.keepHouse()
    let after = bench.coordinator.price(.bronze)
    #expect(after > before && after <= before + before.percent(10))
    #expect(bench.coordinator.price(.gold) < Self.rule.start(.gold))
    bench.kill()
    try bench.restart()
    #expect(bench.coordinator.price(.bronze) == after)
    let market = bench.coordinator.marketAnswer()
    #expect(market["tiers"]?["bronze"]?["price_per_core_hour"]?.asString == after.text)
    #expect(market["tiers"]?["bronze"]?["demand_cores"]?.asNumber ?? 0 > 40)
  }

  // MARK: - Quotes

  @Test("a quote binds its price while the market moves, once, for its owner, tier, size and time")
  func quotes() throws {
    let bench = try FogBench()
    let need: JSON = ["cpu_cores": 2, "memory_mb": 1024, "max_duration_s": 60]
    let ask: JSON = ["tier": "gold", "requirements": need]
    let quote = try bench.coordinator.quote(ask, owner: "ada")
    let id = try #require(quote["quote_id"])
    let price = try #require(quote["price_per_core_hour"]?.asString.flatMap { Amount($0) })
    #expect(quote["available"] == true)
    bench.coordinator.state.withLock { $0.prices[.gold] = price + price }
    let more: [(String, JSON)] = [("tier", "gold"), ("requirements", need), ("quote_id", id)]
    #expect(bench.refusal(more, owner: "bob")?.badFields == ["quote_id"])
    #expect(bench.refusal(more + [("tier", "silver")])?.badFields == ["quote_id"])
    for bigger: JSON in [
      ["cpu_cores": 2.1, "memory_mb": 1024, "max_duration_s": 60],
      ["cpu_cores": 2, "memory_mb": 1025, "max_duration_s": 60],
      ["cpu_cores": 2, "memory_mb": 1024, "max_duration_s": 61],
    ] {
      #expect(bench.refusal(more + [("requirements", bigger)])?.badFields == ["quote_id"])
    }
    let job = try bench.submit(more)
    #expect(job.price == price)
    #expect(quote["cost_estimate"]?["total_cost"]?.asString == job.estimate.text)
    #expect(bench.refusal(more)?.reasons == ["was used already; ask for a new one"])
    let old = try #require(try bench.coordinator.quote(ask, owner: "ada")["quote_id"])
    bench.pass(300_000)
    bench.beat()
    let late = more.filter { $0.0 != "quote_id" } + [("quote_id", old)]
    #expect(bench.refusal(late)?.reasons == ["has expired; ask for a new one"])
    #expect(bench.refusal([("quote_id", "nothing")])?.badFields == ["quote_id"])
  }

  @Test("a quote whose submission failed binds again, and a user's quotes are bounded")
  func quoteBounds() throws {
    let bench = try FogBench { $0.maxQuotesPerUser = 2 }
    let id = try #require(try bench.coordinator.quote([:], owner: "eve")["quote_id"])
    bench.ledger.books.withLock { $0.balances["eve"] = .zero }
    let small: JSON = ["cpu_cores": 1, "memory_mb": 512]
    let more: [(String, JSON)] = [("quote_id", id), ("requirements", small)]
    #expect(bench.refusal(more, owner: "eve")?.status == 402)
    bench.ledger.books.withLock { $0.balances["eve"] = Amount(Amount.unit) }
    #expect(bench.refusal(more, owner: "eve") == nil)
    for _ in 0..<2 { _ = try bench.coordinator.quote([:], owner: "eve") }
    #expect(throws: Failure.self) { try bench.coordinator.quote([:], owner: "eve") }
    _ = try bench.coordinator.quote([:], owner: "bob")
  }

  // MARK: - Settlements

  @Test("a job that began too late gives its tier's part back, one in time does not")
  func credits() throws {
    for (wait, isLate) in [(0, false), (30_000, true)] {
      let bench = try FogBench(nodes: [ScriptedNode(1)])
      bench.nodes[0].manner = .refuses("NO_ROOM")
      let job = try bench.submit([("tier", "gold")])
      bench.pass(wait)
      bench.beat()
      bench.nodes[0].manner = .works(2000)
      try bench.run { try bench.status(job.id) == .completed && bench.ledger.openLocks == 0 }
      let ended = try bench.job(job.id)
      let cost = try #require(ended.cost)
      let settled = try #require(bench.ledger.settled.first?.argument["payments"]?.asArray)
      let credit = cost.percent(FogTier.gold.creditPercent)
      let started = try #require(ended.startMilliseconds)
      #expect((started > FogTier.gold.startMilliseconds) == isLate)
      if isLate {
        #expect(settled.map { $0["reason"] } == ["payment", "sla_credit"])
        #expect(settled[0]["amount"]?.asString == (cost - credit).text)
        #expect(settled[1]["amount"]?.asString == credit.text && settled[1]["to"] == "ada")
      } else {
        #expect(settled.map { $0["amount"]?.asString } == [cost.text])
      }
    }
  }

  @Test("what a node says it used counts only up to the time it had the lease, and up to the lock")
  func overstatedUsage() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .hangs
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    bench.pass(2000)
    var usage = Usage()
    usage.wallMilliseconds = 1 << 40
    usage.cpuMilliseconds = 1 << 40
    let lease = try #require(try bench.job(job.id).lease)
    let finish: JSON = [
      "lease_id": .string(lease), "outcome": "succeeded", "reason": "", "usage": usage.json,
    ]
    _ = try bench.send(bench.nodes[0].id, "fog.finish", CallBody(finish))
    // Once more is answered the same, and changes nothing.
    _ = try bench.send(bench.nodes[0].id, "fog.finish", CallBody(finish))
    let ended = try bench.job(job.id)
    let most = Cost.of(
      size: Capacity(ended.requirements).coreEquivalent,
      milliseconds: 4000,
      price: ended.price
    )
    #expect(try #require(ended.cost) <= most)
    try bench.run { bench.ledger.openLocks == 0 }
    let reward = bench.ledger.settled.first?.argument["reward"]
    #expect(reward?["tasks_completed"] == 1)
    #expect(reward?["compute_hours"]?.asNumber ?? 1 < 4.0 / 3600)
  }

  @Test("a node that asks for less is preferred and paid less, its account is the one it names")
  func cheaperNode() throws {
    let bench = try FogBench()
    bench.nodes[1].report.pricePercent = 50
    bench.nodes[1].report.account = "carol"
    bench.beat()
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .completed && bench.ledger.openLocks == 0 }
    let ended = try bench.job(job.id)
    #expect(ended.node == bench.nodes[1].id)
    #expect(bench.ledger.balance("carol") == ended.cost)
  }

  @Test("lost leases cost the node that lost them, by the setting")
  func penalties() throws {
    let bench = try FogBench {
      $0.lostLeasePenalty = Amount(Amount.unit * 2)
      $0.leaseSeconds = 3
    }
    bench.nodes.indices.forEach { bench.nodes[$0].manner = .hangs }
    let job = try bench.submit()
    try bench.run { try bench.status(job.id) == .running }
    let lost = try #require(try bench.job(job.id).node)
    for index in bench.nodes.indices {
      bench.nodes[index].manner = bench.nodes[index].id == lost ? .dead : .works(100)
    }
    try bench.run { try bench.status(job.id) == .completed && bench.ledger.openLocks == 0 }
    let penalty = bench.ledger.settled.first?.argument["penalty"]
    #expect(penalty == ["from": .string("fog:\(lost)"), "amount": "2"])
  }

  @Test("trust grows with success, falls with failure and slowness, and fades toward the prior")
  func trust() {
    var trust = Trust(at: 0)
    #expect(trust.score(0) == 0.5)
    for _ in 0..<8 { trust.succeed(startMilliseconds: 10, promised: 100, 0) }
    #expect(trust.score(0) == 0.9 && trust.latencyMilliseconds == 10)
    let year: Int64 = 365 * 86_400_000
    #expect(trust.score(year) < 0.9 && trust.score(year) > 0.84)
    #expect(trust.score(100 * year) < 0.51)
    var slow = Trust(at: 0)
    for _ in 0..<8 { slow.succeed(startMilliseconds: 101, promised: 100, 0) }
    #expect(slow.score(0) == 0.75)
    trust.fail(0)
    #expect(trust.score(0) == 9.0 / 11)
  }
}
