import GatewayPlugin
import Peering
import Testing

@testable import P2PFog

@Suite("Placement")
struct PlacementTests {
  static let now = Moment(monotonic: 100_000_000_000, wall: 1_800_000_000_000)
  static let patience: UInt64 = 3_000_000_000

  static func node(_ number: UInt8, _ change: (inout FogNode) -> Void = { _ in }) -> FogNode {
    let scripted = ScriptedNode(number)
    var node = FogNode(id: scripted.id, report: scripted.report, at: Int64(now.wall))
    node.heard = now.monotonic
    change(&node)
    return node
  }

  static func need(_ tier: FogTier = .bronze, cores: Int = 1000) -> Placement.Need {
    var requirements = Requirements()
    requirements.cpuMillicores = cores
    let job = FogJob(
      id: "j",
      owner: "ada",
      name: "n",
      type: .train,
      tier: tier,
      requirements: requirements,
      parameters: [:],
      inputs: [],
      outputBytes: 0,
      logBytes: 0,
      price: Amount(1),
      digest: "",
      submittedAt: 0
    )
    return Placement.Need(job)
  }

  static func placement(_ tier: FogTier = .bronze, cores: Int = 1000) -> Placement {
    Placement(need(tier, cores: cores), now: now, patience: patience)
  }

  @Test("each constraint keeps a node from a job, at its edge it does not")
  func constraints() {
    let placement = Self.placement()
    #expect(placement.obstacle(Self.node(1)) == nil)
    let silent = Self.node(1) { $0.heard = Self.now.monotonic - Self.patience }
    #expect(placement.obstacle(silent) == .status(.offline))
    let nearly = Self.node(1) { $0.heard = Self.now.monotonic - Self.patience + 1 }
    #expect(placement.obstacle(nearly) == nil)
    #expect(placement.obstacle(Self.node(1) { $0.isDraining = true }) == .status(.draining))
    let leaving = Self.node(1) { $0.report.isDraining = true }
    #expect(placement.obstacle(leaving) == .status(.draining))
    let unable = Self.node(1) { $0.report.capabilities = ["process"] }
    #expect(placement.obstacle(unable) == .capabilities(["train"]))
    #expect(placement.obstacle(Self.node(1) { $0.leased.cpuMillicores = 3000 }) == nil)
    let full = Self.node(1) { $0.leased.cpuMillicores = 3001 }
    #expect(placement.obstacle(full) == .full(["cpu_millicores"]))
    let small = Self.node(1) { $0.report.cpuMillicores = 999 }
    #expect(placement.obstacle(small) == .tooSmall(["cpu_millicores"]))
    let resting = Self.node(1) { $0.restUntil = Self.now.monotonic + 1 }
    #expect(placement.obstacle(resting) == .resting)
    var other = placement
    other.reserved = Self.node(1).id
    #expect(other.obstacle(Self.node(1)) == .reserved)
    #expect(other.obstacle(Self.node(2)) == nil)
    other.avoided = [Self.node(2).id]
    #expect(other.obstacle(Self.node(2)) == .avoided)
  }

  @Test("a tier takes only nodes of enough trust, and a new node may have all of them")
  func trust() {
    for tier in FogTier.allCases {
      #expect(Self.placement(tier).obstacle(Self.node(1)) == nil, "\(tier)")
    }
    let once = Self.node(1) { $0.trust.fail(Int64(Self.now.wall)) }
    #expect(Self.placement(.platinum).obstacle(once) != nil)
    #expect(Self.placement(.gold).obstacle(once) != nil)
    #expect(Self.placement(.silver).obstacle(once) == nil)
    let often = Self.node(1) { node in
      for _ in 0..<3 { node.trust.fail(Int64(Self.now.wall)) }
    }
    #expect(Self.placement(.silver).obstacle(often) != nil)
    #expect(Self.placement(.bronze).obstacle(often) == nil)
  }

  @Test(
    "the cheaper, the more trusted, the less loaded and the nearer node is chosen, all else equal"
  )
  func scores() {
    let placement = Self.placement()
    let plain = Self.node(9)
    let better: [(String, FogNode)] = [
      ("cheaper", Self.node(1) { $0.report.pricePercent = 50 }),
      (
        "trusted",
        Self.node(1) {
          $0.trust.succeed(startMilliseconds: 0, promised: 1, Int64(Self.now.wall))
        }
      ),
    ]
    for (why, node) in better {
      #expect(placement.choose([plain, node])?.node.id == node.id, "\(why)")
      #expect(placement.choose([node, plain])?.node.id == node.id, "\(why)")
    }
    let loaded = Self.node(1) { $0.leased.cpuMillicores = 2000 }
    #expect(placement.choose([loaded, plain])?.node.id == plain.id)
    let busy = Self.node(1) { $0.report.cpuLoad = 0.9 }
    #expect(placement.choose([busy, plain])?.node.id == plain.id)
    var near = placement
    near = Placement(
      {
        var need = Self.need()
        need.localities = ["input:abc"]
        return need
      }(),
      now: Self.now,
      patience: Self.patience
    )
    let holder = Self.node(9) { $0.report.capabilities.append("input:abc") }
    #expect(near.choose([Self.node(1), holder])?.node.id == holder.id)
    #expect(placement.choose([plain, Self.node(1)])?.node.id == Self.node(1).id)
    #expect(placement.choose([Self.node(1) { $0.isDraining = true }]) == nil)
  }

  @Test("inference needs a node with its model, and training is drawn to its base models")
  func models() {
    let inference = Placement.Need.capabilities(.inference, Requirements(), ["model_id": "m7"])
    #expect(inference == ["inference", "model:m7"])
    var requirements = Requirements()
    requirements.capabilities = ["train", "region:x"]
    #expect(Placement.Need.capabilities(.train, requirements, [:]) == ["train", "region:x"])
  }

  @Test("a placement says what it considered and why, and a waiting job why it waits")
  func explained() throws {
    let bench = try FogBench()
    let job = try bench.submit()
    let placed = try #require(try bench.job(job.id).placement)
    #expect(placed["considered"]?.asArray?.count == 2)
    #expect(placed["score"]?.asNumber ?? 0 > 0)
    #expect(placed["reasons"]?["price"]?["weight"] == 0.4)
    let whole: JSON = ["cpu_cores": 4, "memory_mb": 1024]
    let large = try bench.submit([("requirements", whole)])
    let next = try bench.submit([("requirements", whole)])
    _ = large
    let detail = try bench.coordinator.detail(try bench.job(next.id))
    #expect(detail["status"] == "queued")
    let why = detail["placement"]?["considered"]?.asArray?.compactMap { $0["why"]?.asString }
    #expect(why?.allSatisfy { $0.contains("cpu_millicores is free") } == true)
  }

  @Test("a large job that has waited long gets a node kept free, and is not passed for ever")
  func reservation() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)]) { $0.reserveSeconds = 5 }
    bench.nodes[0].manner = .works(1500)
    let small: JSON = ["cpu_cores": 1, "memory_mb": 256, "max_duration_s": 10]
    for _ in 0..<4 { try bench.submit([("requirements", small)]) }
    let large = try bench.submit(
      [("requirements", ["cpu_cores": 4, "memory_mb": 256, "max_duration_s": 10])],
      owner: "bob"
    )
    // Small jobs keep coming, staggered, so that all cores are never free together by themselves.
    for step in 0..<200 where try bench.status(large.id) != .completed {
      if step.isMultiple(of: 2) { try bench.submit([("requirements", small)], owner: "eve") }
      try bench.step()
    }
    #expect(try bench.status(large.id) == .completed)
  }
}
