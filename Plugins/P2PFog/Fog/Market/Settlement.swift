package import GatewayPlugin
import Peering
package import PluginStorage

/// What the ledger is asked to do when a job is over; stored with the job's end, and sent until the ledger has it.
package struct Settlement: Sendable, Equatable {
  package let job: String
  /// `settle`, or `release` when nothing is to be paid.
  package let method: String
  package let argument: JSON

  /// What a job's end is made of.
  package struct Ending: Sendable {
    package var job: FogJob
    /// Whose node ran it to its end; `nil` when none did, or for nothing.
    package var node: FogNode?
    /// What it used, at most as much as could be measured here.
    package var milliseconds = 0
    package var cost = Amount.zero
    /// Bytes of results that came here; what a node says that it has made earns nothing.
    package var receivedBytes = 0
    package var now: Int64
    /// Each node that lost a lease, and what it pays.
    package var penalty: (from: String, amount: Amount)?

    package init(job: FogJob, now: Int64) {
      self.job = job
      self.now = now
    }
  }

  /// The settlement of an end; `nil` when nothing was locked.
  ///
  /// - Parameter ending: Of a job that is over.
  package init?(_ ending: Ending) {
    guard let lock = ending.job.lockID else { return nil }
    job = ending.job.id
    var members: [JSON.Member] = [
      .init(name: "lock_id", value: .string(lock)),
      .init(name: "idempotency_key", value: .string(ending.job.id)),
    ]
    let payments = Self.payments(ending)
    let reward = Self.reward(ending)
    guard !payments.isEmpty || reward != nil || ending.penalty != nil else {
      method = "release"
      argument = .object(members)
      return
    }
    method = "settle"
    members.append(.init(name: "payments", value: .array(payments)))
    if let reward { members.append(.init(name: "reward", value: reward)) }
    if let penalty = ending.penalty {
      members.append(
        .init(
          name: "penalty",
          value: ["from": .string(penalty.from), "amount": .string(penalty.amount.text)]
        )
      )
    }
    argument = .object(members)
  }

  /// What of a cost goes back to the submitter because the job began later than its tier promises.
  package static func credit(_ cost: Amount, _ job: FogJob) -> Amount {
    guard let start = job.startMilliseconds, start > job.tier.startMilliseconds else {
      return .zero
    }
    return cost.percent(job.tier.creditPercent)
  }

  private static func payments(_ ending: Ending) -> [JSON] {
    guard let node = ending.node, ending.cost > .zero else { return [] }
    let credit = credit(ending.cost, ending.job)
    func payment(_ to: String, _ amount: Amount, _ reason: String) -> JSON? {
      guard amount > .zero else { return nil }
      return ["to": .string(to), "amount": .string(amount.text), "reason": .string(reason)]
    }
    return [
      payment(node.account, ending.cost - credit, "payment"),
      payment(ending.job.owner, credit, "sla_credit"),
    ].compactMap(\.self)
  }

  /// What the node did, for the policy to say what that is worth; of completed jobs alone.
  private static func reward(_ ending: Ending) -> JSON? {
    guard ending.job.status == .completed, let node = ending.node else { return nil }
    let job = ending.job
    let hours = Double(ending.milliseconds) / 3_600_000
    // Of what it held, no more than it can have computed.
    let held = Double(job.requirements.cpuMillicores) / 1000 * hours
    let computed = min(held, Double(job.usage.cpuMilliseconds) / 3_600_000)
    let ended = Double(node.completed + node.failed + node.lost)
    return [
      "to": .string(node.account), "compute_hours": .number(computed),
      "memory_gb_hours": .number(Double(job.requirements.memoryMegabytes) / 1024 * hours),
      "storage_gb_hours": .number(Double(job.requirements.diskMegabytes) / 1024 * hours),
      "bandwidth_gb": .number(Double(ending.receivedBytes) / 1e9),
      "gpu_hours": .number(Double(job.requirements.gpuCount) * hours), "tasks_completed": 1,
      "uptime_percent": .number(node.uptimePercent(ending.now)),
      "latency_avg_ms": .number(node.trust.latencyMilliseconds ?? 0),
      "success_rate": .number(ended > 0 ? Double(node.completed) / ended * 100 : 0),
    ]
  }

  /// Stores it, in the transaction of the job's end.
  package func insert(at: Int64, _ connection: inout Connection) throws(StorageError) {
    try connection.run(
      """
      INSERT INTO fog_settlements (job, method, argument, state, created_at)
      VALUES (?, ?, ?, 'waiting', ?)
      """,
      [.text(job), .text(method), .text(argument.text), .integer(at)]
    )
  }
}
