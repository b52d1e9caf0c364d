package import GatewayPlugin
package import Peering

/// What the coordinator asks of others; tests give their own.
package struct Surroundings: Sendable {
  /// The network.
  package var calls: any PeerCalls
  /// Whether a peer may be a node at all.
  package var mayBeNode: @Sendable (PeerID) -> Bool
  /// Calls the service `tokens`; waits.
  package var ledger: @Sendable (_ method: String, _ argument: JSON) throws(HostRefusal) -> JSON
  /// Calls the service `utilities.files` on behalf of a user; waits.
  package var files:
    @Sendable (_ method: String, _ argument: JSON, _ subject: String) throws(HostRefusal) -> JSON
  /// Whether a user has a model here, by `forge.generate`; waits.
  package var hasModel: @Sendable (_ model: String, _ subject: String) throws(HostRefusal) -> Bool =
    {
      (_, _) throws(HostRefusal) in throw .notFound
    }
  /// Publishes `fog_update`, to a user or to everyone.
  package var publish: @Sendable (_ payload: JSON, _ subject: String?) -> Void
  /// Runs something that may wait for a peer, soon, on a thread of its own; false when none is to be had.
  package var later: @Sendable (_ work: @escaping @Sendable () -> Void) -> Bool
  package var now: @Sendable () -> Moment
  /// A line for the operator.
  package var warn: @Sendable (_ what: String, _ why: String) -> Void
  package var measure: @Sendable (Measure) -> Void

  /// What is counted and observed as it happens.
  package enum Measure: Sendable, Equatable {
    /// Seconds from submission to the first lease that a node took.
    case placed(seconds: Double)
    case ended(FogJob.Status)
    case leaseLost
    case offerRefused
    /// What became of a settlement: `done` or `refused`.
    case settled(String)
  }

  package init(
    calls: any PeerCalls,
    mayBeNode: @escaping @Sendable (PeerID) -> Bool,
    ledger: @escaping @Sendable (String, JSON) throws(HostRefusal) -> JSON,
    files: @escaping @Sendable (String, JSON, String) throws(HostRefusal) -> JSON,
    publish: @escaping @Sendable (JSON, String?) -> Void,
    later: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
    now: @escaping @Sendable () -> Moment,
    warn: @escaping @Sendable (String, String) -> Void,
    measure: @escaping @Sendable (Measure) -> Void
  ) {
    self.calls = calls
    self.mayBeNode = mayBeNode
    self.ledger = ledger
    self.files = files
    self.publish = publish
    self.later = later
    self.now = now
    self.warn = warn
    self.measure = measure
  }
}
