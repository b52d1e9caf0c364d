package import GatewayPlugin
package import Peering

/// A job as its row has it.
package struct FogJob: Sendable, Equatable {
  /// Where a job is in its life.
  package enum Status: String, Sendable, CaseIterable {
    /// Being taken: its cost is not locked yet, and nobody was told that it is accepted.
    case pending
    /// Its submission was cut off: what may be locked for it goes back, and then the row.
    case withdrawn
    case queued
    /// A node was chosen, or prepares it.
    case assigned
    case running
    case completed
    case failed
    case cancelled

    /// Whether a client was told of it.
    package var isTaken: Bool { self != .pending && self != .withdrawn }

    /// Whether nothing more happens to it.
    package var isOver: Bool { self == .completed || self == .failed || self == .cancelled }
  }

  /// Order of submission.
  package var number = 0
  /// A UUID.
  package var id: String
  package var owner: String
  package var name: String
  package var type: JobType
  package var tier: FogTier
  package var status = Status.pending
  package var requirements: Requirements
  package var parameters: JSON
  package var inputs: [LeaseOffer.Input]
  package var outputBytes: Int
  package var logBytes: Int
  /// Milliseconds since 1970, as all times here.
  package var deadline: Int64?
  /// Of a core-hour, as it was at submission.
  package var price: Amount
  /// What is locked for it at most.
  package var estimate: Amount
  /// The ledger's; `nil` when nothing was locked.
  package var lockID: String?
  /// The submitter's idempotency key.
  package var key: String?
  /// SHA-256 of the request that goes with `key`.
  package var digest: String
  /// Leases so far, without those that were the fault of nobody.
  package var attempts = 0
  package var submittedAt: Int64
  /// When it first ran.
  package var startedAt: Int64?
  /// Milliseconds from submission to running, measured here.
  package var startMilliseconds: Int?
  package var finishedAt: Int64?
  /// The lease that it has or ended with.
  package var lease: String?
  package var node: PeerID?
  package var leasedAt: Int64?
  /// Why it failed, was cancelled or is queued again; empty for none.
  package var reason = ""
  package var exitCode: Int?
  package var usage = Usage()
  package var progress = 0.0
  /// What it cost in the end.
  package var cost: Amount?
  /// How its node was chosen.
  package var placement: JSON?
  /// Nodes that lost a lease of it or failed at it, in order; one may stand there more than once.
  package var losses: [PeerID] = []

  package init(
    id: String,
    owner: String,
    name: String,
    type: JobType,
    tier: FogTier,
    requirements: Requirements,
    parameters: JSON,
    inputs: [LeaseOffer.Input],
    outputBytes: Int,
    logBytes: Int,
    price: Amount,
    digest: String,
    submittedAt: Int64
  ) {
    self.id = id
    self.owner = owner
    self.name = name
    self.type = type
    self.tier = tier
    self.requirements = requirements
    self.parameters = parameters
    self.inputs = inputs
    self.outputBytes = outputBytes
    self.logBytes = logBytes
    self.price = price
    estimate = Cost.estimate(requirements, price: price)
    self.digest = digest
    self.submittedAt = submittedAt
  }

  /// What a node is offered.
  ///
  /// - Parameters:
  ///   - lease: The new lease's id.
  ///   - seconds: Without renewal, after which it is lost.
  ///   - isOwn: For this peer's own node, which works on the submitter's behalf.
  /// - Returns: The offer.
  package func offer(_ lease: String, seconds: Int, isOwn: Bool) -> LeaseOffer {
    LeaseOffer(
      leaseID: lease,
      jobID: id,
      type: type,
      requirements: requirements,
      parameters: parameters,
      inputs: inputs,
      outputBytes: outputBytes,
      logBytes: logBytes,
      leaseSeconds: seconds,
      subject: isOwn ? owner : ""
    )
  }
}
