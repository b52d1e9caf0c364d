package import GatewayPlugin
package import Peering

/// Which node a job runs on: constraints first, then a score.
///
/// The score is the original's for matching (0.4 price + 0.3 trust + 0.2 latency + 0.1 tier, aivillage-api 10.2) with load in
/// the place of latency and data locality in that of the tier, which is a constraint here.
package struct Placement: Sendable {
  /// What a job needs to know of itself here.
  package struct Need: Sendable, Equatable {
    package var capacity: Capacity
    package var tier: FogTier
    /// All of which a node must have.
    package var capabilities: [String]
    /// The capability of the model that is asked; `nil` for other types.
    package var model: String?
    /// Capabilities that tell that a node has some of the job's data.
    package var localities: [String]

    /// The need of a job.
    package init(_ job: FogJob) {
      capacity = Capacity(job.requirements)
      tier = job.tier
      capabilities = Self.capabilities(job.type, job.requirements, job.parameters)
      model = Self.model(job.type, job.parameters)
      localities = job.inputs.map { "input:\($0.sha256)" }
      if let base = job.parameters["parameters"]?["base_models"]?.asArray {
        localities += base.compactMap(\.asString).map { "model:\($0)" }
      }
    }

    /// The capability of the model that a job asks; `nil` when it asks none.
    package static func model(_ type: JobType, _ parameters: JSON) -> String? {
      guard type == .inference else { return nil }
      return parameters["model_id"]?.asString.map { "model:\($0)" }
    }

    /// What a node must be able to do for a job of a type.
    package static func capabilities(
      _ type: JobType,
      _ requirements: Requirements,
      _ parameters: JSON
    ) -> [String] {
      var all = [type.rawValue]
      if let model = model(type, parameters) { all.append(model) }
      for capability in requirements.capabilities where !all.contains(capability) {
        all.append(capability)
      }
      return all
    }
  }

  /// Why a node does not get a job now.
  package enum Obstacle: Sendable, Equatable {
    case status(FogNode.Status)
    case capabilities([String])
    case trust(Double, least: Double)
    /// Has less of these than the job needs, even when nothing else runs there.
    case tooSmall([String])
    /// Has too little of these free.
    case full([String])
    /// Runs as many jobs as it takes at once.
    case busy(Int)
    case reserved
    case resting
    case avoided

    /// In words, after "it".
    package var sentence: String {
      switch self {
      case .status(let status): "it is \(status.rawValue)"
      case .capabilities(let names): "it lacks the capability \(names.joined(separator: ", "))"
      case .trust(let score, let least):
        "its trust \((score * 1000).rounded() / 1000) is below the tier's \(least)"
      case .tooSmall(let names): "it has less \(names.joined(separator: ", ")) than the job needs"
      case .full(let names): "too little \(names.joined(separator: ", ")) is free"
      case .busy(let count): "it runs \(count) jobs, and takes no more at once"
      case .reserved: "it is kept free for a job that has waited long"
      case .resting: "it did not take its last offer, and is passed over for a moment"
      case .avoided: "it failed or refused this job before, and others go first"
      }
    }
  }

  /// Leases of one node: its heartbeat names all of them in one call.
  package static let mostLeases = 512

  package let need: Need
  package let now: Moment
  /// See `FogNode.status`.
  package let patience: UInt64
  /// Nodes that failed this job before.
  package var avoided: Set<PeerID> = []
  /// A node that waits for another job.
  package var reserved: PeerID?
  /// The coordinator's own node, where it may ask the submitter's models without having named them.
  package var asksOwnModels: PeerID?

  package init(_ need: Need, now: Moment, patience: UInt64) {
    self.need = need
    self.now = now
    self.patience = patience
  }

  /// Why `node` cannot have the job now; `nil` when it can.
  package func obstacle(_ node: FogNode) -> Obstacle? {
    let status = node.status(now, patience: patience)
    guard status == .active else { return .status(status) }
    if let lasting = lastingObstacle(node) { return lasting }
    let full = node.free.lacking(need.capacity)
    guard full.isEmpty else { return .full(full) }
    guard node.leases < Self.mostLeases else { return .full(["room for leases"]) }
    guard node.leases < node.report.maxJobs else { return .busy(node.leases) }
    guard reserved != node.id else { return .reserved }
    guard now.monotonic >= node.restUntil else { return .resting }
    guard !avoided.contains(node.id) else { return .avoided }
    return nil
  }

  /// Whether `node` can have the job now: `obstacle`, with the cheapest questions first.
  package func fits(_ node: FogNode) -> Bool {
    let free = node.free
    return free.cpuMillicores >= need.capacity.cpuMillicores
      && free.memoryMegabytes >= need.capacity.memoryMegabytes && obstacle(node) == nil
  }

  /// What will not change by waiting for other jobs to end.
  package func lastingObstacle(_ node: FogNode) -> Obstacle? {
    let lacking = need.capabilities.filter { name in
      !node.report.capabilities.contains(name)
        && !(node.id == asksOwnModels && name == need.model)
    }
    guard lacking.isEmpty else { return .capabilities(lacking) }
    let small = Capacity(node.report).lacking(need.capacity)
    guard small.isEmpty else { return .tooSmall(small) }
    let trust = node.trust.score(Int64(now.wall))
    guard trust >= need.tier.minimumTrust else {
      return .trust(trust, least: need.tier.minimumTrust)
    }
    return nil
  }

  /// What a node's score is made of; each 0 to 1.
  package struct Score: Sendable, Equatable {
    package var price: Double
    package var trust: Double
    package var load: Double
    package var locality: Double

    /// The weighted sum, 0 to 1.
    package var total: Double { 0.4 * price + 0.3 * trust + 0.2 * load + 0.1 * locality }
  }

  /// The score of a node that can have the job.
  ///
  /// - Parameters:
  ///   - node: Without obstacle.
  ///   - cheapest: The least that any of them asks of the price, in percent.
  /// - Returns: Its parts.
  package func score(_ node: FogNode, cheapest: Int) -> Score {
    let whole = Capacity(node.report)
    let load = max((node.leased + need.capacity).dominantShare(of: whole), node.report.cpuLoad)
    let here = need.localities.count { node.report.capabilities.contains($0) }
    return Score(
      price: Double(cheapest) / Double(max(1, node.report.pricePercent)),
      trust: node.trust.score(Int64(now.wall)),
      load: 1 - min(1, load),
      locality: need.localities.isEmpty ? 0 : Double(here) / Double(need.localities.count)
    )
  }

  /// The best node, and its score; `nil` when none can have the job now.
  ///
  /// - Parameter nodes: In any order; equals are decided by identity, so that the same state gives the same answer.
  /// - Returns: The node with its score.
  package func choose(_ nodes: some Collection<FogNode>) -> (node: FogNode, score: Score)? {
    let able = nodes.filter(fits)
    guard let cheapest = able.map(\.report.pricePercent).min() else { return nil }
    return able.map { (node: $0, score: score($0, cheapest: cheapest)) }
      .max { left, right in
        (left.score.total, right.node.id) < (right.score.total, left.node.id)
      }
  }
}
