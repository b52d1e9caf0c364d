package import GatewayPlugin
package import Peering
import Synchronization

/// A lease that this node holds: what the coordinator offered, and where its job stands.
package final class ActiveLease: Sendable {
  /// Names a lease; two coordinators may use the same text.
  package struct Key: Hashable, Sendable {
    package var coordinator: PeerID
    package var leaseID: String

    package init(_ coordinator: PeerID, _ leaseID: String) {
      self.coordinator = coordinator
      self.leaseID = leaseID
    }
  }

  /// Why a job is ended from outside.
  package enum Stop: Sendable, Equatable {
    /// The coordinator says so: nothing of the job is wanted.
    case cancelled
    /// The lease ran out, or belongs to another node by now.
    case lost
    /// This node cannot go on with it, for this reason; it is to run elsewhere at once.
    case leaving(String)
  }

  private struct State {
    var isRunning = false
    var usesRoom = true
    var usage = Usage()
    var progress = 0.0
    var stop: Stop?
    var renewedAt: UInt64
  }

  package let key: Key
  package let offer: LeaseOffer
  /// Numbers of the GPUs that are this lease's alone.
  package let gpus: [Int]
  private let state: Mutex<State>

  /// A lease whose job has not begun.
  package init(_ key: Key, _ offer: LeaseOffer, gpus: [Int] = [], at now: UInt64) {
    self.key = key
    self.offer = offer
    self.gpus = gpus
    state = Mutex(State(renewedAt: now))
  }

  /// Why the job must end; `nil` while it may go on.
  package var stop: Stop? { state.withLock { $0.stop } }

  /// What the job has used.
  package var usage: Usage { state.withLock { $0.usage } }

  /// Ends the job soon; the first reason stands.
  package func end(_ reason: Stop) {
    state.withLock { if $0.stop == nil { $0.stop = reason } }
  }

  /// The job runs from now on.
  package func begin() { state.withLock { $0.isRunning = true } }

  /// Whether the job still uses what was lent to it.
  package var usesRoom: Bool { state.withLock { $0.usesRoom } }

  /// The job has ended, and uses nothing any more; the coordinator is still to be told, and may then offer the next at once.
  package func leaveRoom() { state.withLock { $0.usesRoom = false } }

  /// Notes where the job stands.
  ///
  /// - Parameters:
  ///   - usage: So far.
  ///   - progress: From 0 to 1; `nil` leaves it.
  package func advance(_ usage: Usage, progress: Double? = nil) {
    state.withLock {
      $0.usage = usage
      if let progress { $0.progress = min(1, max(0, progress)) }
    }
  }

  /// A heartbeat sent at that moment has renewed the lease.
  package func renew(at sent: UInt64) {
    state.withLock { $0.renewedAt = max($0.renewedAt, sent) }
  }

  /// Whether no heartbeat has renewed the lease in time.
  ///
  /// Counted from when the heartbeat was sent, and so before the coordinator counts it as lost: a job never runs twice at
  /// once for that reason.
  package func isLost(at now: UInt64) -> Bool {
    let most = UInt64(offer.leaseSeconds) * 1_000_000_000
    return state.withLock { now > $0.renewedAt && now - $0.renewedAt >= most }
  }

  /// As a heartbeat tells it.
  package var json: JSON {
    state.withLock {
      [
        "lease_id": .string(key.leaseID), "state": $0.isRunning ? "running" : "preparing",
        "usage": $0.usage.json, "progress": .number($0.progress),
      ]
    }
  }
}
