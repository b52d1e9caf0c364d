package import GatewayPlugin
import PluginStorage

/// What a node gave to one job, and what that earns.
package struct Contribution: Sendable, Equatable {
  /// Hours of one kind, in millionths: measured numbers come as JSON numbers and are rounded to that once, here.
  package typealias Micro = Int128

  package var computeHours: Micro = 0
  package var memoryHours: Micro = 0
  package var storageHours: Micro = 0
  package var bandwidth: Micro = 0
  package var gpuHours: Micro = 0
  package var tasks: Int128 = 0
  /// Whole percent, rounded down; `nil` when not measured, which earns no bonus.
  package var uptimePercent: Int128?
  /// Whole milliseconds, rounded down.
  package var latencyMilliseconds: Int128?
  /// Whole percent, rounded down.
  package var successPercent: Int128?
  /// As it was given.
  package var record: JSON = [:]

  package init() {}

  /// The rule, as `GET /v1/tokens/policy` shows it.
  ///
  /// The original's (`fog_token_system.py`), in integers; its weight of GPU hours, which it declared and did not use,
  /// counts here.
  static let rule: JSON = [
    "weights": [
      "compute_hours": "1", "memory_gb_hours": "0.5", "bandwidth_gb": "1.5",
      "storage_gb_hours": "0.3", "gpu_hours": "2",
    ],
    "bonus_percent": [
      "uptime": "min(20, floor(uptime_percent - 80) / 5) from 80 on",
      "latency": "max(0, 15 - floor(latency_avg_ms / 10))",
      "success": "min(15, floor(success_rate - 85) / 5) from 85 on", "cap": "50",
    ],
    "scarcity": "by compute hours rewarded in the last 7 days: below 100 2, below 1000 1.5, else 1",
    "reward":
      "(weighted hours * base_reward + tasks_completed * task_reward) * (1 + bonus / 100) * scarcity",
    "limit": "reward_limit_percent of what others than the node's own account paid for the job",
    "rounding": "hours to millionths, the reward down to 0.000000000000000001 FOG",
  ]

  /// The bonus, in fifths of a percent: the smallest step of the rule.
  package var bonusFifths: Int128 {
    var fifths: Int128 = 0
    if let uptimePercent, uptimePercent >= 80 { fifths += min(100, uptimePercent - 80) }
    if let latencyMilliseconds { fifths += 5 * max(0, 15 - latencyMilliseconds / 10) }
    if let successPercent, successPercent >= 85 { fifths += min(75, successPercent - 85) }
    return min(250, fifths)
  }

  /// How scarce compute is, in halves, by what was rewarded of it in the last seven days.
  package static func scarcityHalves(rewarded: Micro) -> Int128 {
    if rewarded < 100_000_000 { return 4 }
    return rewarded < 1_000_000_000 ? 3 : 2
  }

  /// What it earns.
  ///
  /// - Parameters:
  ///   - policy: Base and task reward.
  ///   - rewarded: Compute hours rewarded in the last seven days, before this.
  /// - Returns: The reward, rounded down.
  package func reward(_ policy: Policy, rewarded: Micro) -> Amount {
    let tenths =
      10 * computeHours + 5 * memoryHours + 15 * bandwidth + 3 * storageHours + 20 * gpuHours
    let base = policy.amount(.baseReward).share(tenths, of: 10_000_000)
    let forTasks = Amount(units: policy[.taskReward] * tasks)
    let factor = (500 + bonusFifths) * Self.scarcityHalves(rewarded: rewarded)
    return (base + forTasks).share(factor, of: 1000)
  }
}

extension Contribution {
  /// Reads the member `reward` of a settlement.
  ///
  /// Hours, gigabytes and tasks are 0 when absent. A million of each is the most.
  ///
  /// - Parameter fields: The object's members; every bad one is noted there.
  package init(_ fields: inout Fields) {
    func micro(_ name: String) -> Micro {
      // Half a millionth is added: 0.29 is stored a little below and would lose a millionth.
      Micro((fields.number(name, 0...1_000_000, default: 0) * 1e6) + 0.5)
    }
    func floor(_ name: String, _ range: ClosedRange<Double>) -> Int128? {
      fields.optionalNumber(name, range).map { Int128($0) }
    }
    computeHours = micro("compute_hours")
    memoryHours = micro("memory_gb_hours")
    storageHours = micro("storage_gb_hours")
    bandwidth = micro("bandwidth_gb")
    gpuHours = micro("gpu_hours")
    tasks = Int128(fields.integer("tasks_completed", 0...1_000_000, default: 0))
    uptimePercent = floor("uptime_percent", 0...100)
    latencyMilliseconds = floor("latency_avg_ms", 0...1e9)
    successPercent = floor("success_rate", 0...100)
  }
}

extension Connection {
  /// Compute hours rewarded since a time, in millionths.
  mutating func rewardedCompute(since time: Int64) throws(LedgerError) -> Contribution.Micro {
    let sql = "SELECT SUM(compute_microhours) FROM contributions WHERE at >= ?"
    return Int128(try find(sql, [.integer(time)]) { $0.integer(0) } ?? 0)
  }

  mutating func insert(
    _ contribution: Contribution,
    entry: Int64,
    account: String,
    at: Int64
  ) throws(LedgerError) {
    try execute(
      "INSERT INTO contributions(entry, account, at, compute_microhours, record) VALUES (?, ?, ?, ?, ?)",
      [
        .integer(entry), .text(account), .integer(at),
        .integer(Int64(contribution.computeHours)), .text(contribution.record.text),
      ]
    )
  }
}
