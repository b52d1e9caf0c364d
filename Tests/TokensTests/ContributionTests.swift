import TestSupport
import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("The rule of rewards")
struct ContributionTests {
  static func contribution(_ json: JSON) throws -> Contribution {
    var fields = Fields(json)
    let read = Contribution(&fields)
    try fields.finish()
    return read
  }

  @Test(
    "the reward follows the original's formula",
    arguments: [
      (["compute_hours": 1], 2_000_000_000, "10"), (["memory_gb_hours": 1], 2_000_000_000, "5"),
      (["bandwidth_gb": 1], 2_000_000_000, "15"), (["storage_gb_hours": 1], 2_000_000_000, "3"),
      (["gpu_hours": 1], 2_000_000_000, "20"), (["tasks_completed": 3], 2_000_000_000, "0.3"),
      (["compute_hours": 1], 99_999_999, "20"), (["compute_hours": 1], 100_000_000, "15"),
      (["compute_hours": 1], 999_999_999, "15"), (["compute_hours": 1], 1_000_000_000, "10"),
      (["compute_hours": 0.29], 2_000_000_000, "2.9"),
      // 4 + 15 + 3 = 22 %
      (
        ["compute_hours": 1, "uptime_percent": 100, "latency_avg_ms": 0, "success_rate": 100],
        2_000_000_000, "12.2"
      ),
      (
        ["compute_hours": 1, "uptime_percent": 79.9, "latency_avg_ms": 150, "success_rate": 84.9],
        2_000_000_000, "10"
      ),
      (
        ["compute_hours": 1, "uptime_percent": 83.7, "latency_avg_ms": 149, "success_rate": 86],
        2_000_000_000, "10.18"
      ),
      ([:], 0, "0"),
    ] as [(JSON, Int128, String)]
  )
  func formula(_ json: JSON, _ rewarded: Int128, _ reward: String) throws {
    #expect(try Self.contribution(json).reward(Policy(), rewarded: rewarded).description == reward)
  }

  @Test("the rule agrees with the original's code in floating point, on random contributions")
  func agrees() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<1000 {
      func draw(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &random) }
      let (c, m, b, s) = (draw(0...100), draw(0...100), draw(0...100), draw(0...100))
      let (up, ms, ok) = (draw(0...100), draw(0...300), draw(0...100))
      let tasks = Int.random(in: 0...100, using: &random)
      let read = try Self.contribution([
        "compute_hours": .number(c), "memory_gb_hours": .number(m), "bandwidth_gb": .number(b),
        "storage_gb_hours": .number(s),
        "tasks_completed": .integer(Int64(tasks)), "uptime_percent": .number(up),
        "latency_avg_ms": .number(ms), "success_rate": .number(ok),
      ])
      let uptime = up >= 80 ? min(20, Double(Int(up - 80)) / 5) : 0
      let success = ok >= 85 ? min(15, Double(Int(ok - 85)) / 5) : 0
      let bonus = min(50, uptime + Double(max(0, 15 - Int(ms / 10))) + success)
      let expected =
        ((c + m * 0.5 + b * 1.5 + s * 0.3) * 10 + 0.1 * Double(tasks)) * (1 + bonus / 100) * 1.5
      let got = Double(read.reward(Policy(), rewarded: 500_000_000).units) / 1e18
      #expect(abs(got - expected) < 0.001, "\(got) \(expected)")
    }
  }

  @Test("what is out of range is refused, at the edges and past them")
  func ranges() throws {
    for bad: JSON in [
      ["compute_hours": -0.1], ["compute_hours": 1_000_001], ["uptime_percent": 100.1],
      ["success_rate": -1], ["tasks_completed": 1_000_001], ["tasks_completed": 0.5],
      ["gpu_hours": "1"], ["nonsense": 1],
    ] {
      #expect(throws: Failure.self) { try Self.contribution(bad) }
    }
    let most = try Self.contribution([
      "compute_hours": 1_000_000, "memory_gb_hours": 1_000_000, "bandwidth_gb": 1_000_000,
      "storage_gb_hours": 1_000_000, "gpu_hours": 1_000_000, "tasks_completed": 1_000_000,
      "latency_avg_ms": 0, "uptime_percent": 100, "success_rate": 100,
    ])
    var policy = Policy()
    policy[.baseReward] = PolicyParameter.baseReward.range.upperBound
    policy[.taskReward] = PolicyParameter.taskReward.range.upperBound
    // Far above any maximum supply, and still no overflow.
    #expect(most.reward(policy, rewarded: 0) > Amount(whole: 10_000_000_000))
    _ = most.reward(policy, rewarded: 0).limbs
  }
}
