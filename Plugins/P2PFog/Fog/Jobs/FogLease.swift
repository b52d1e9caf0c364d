package import Peering

/// A lease that a node has or is offered.
package struct FogLease: Sendable, Equatable {
  /// How far it is.
  package enum State: String, Sendable {
    /// The node was not asked yet, or has not answered.
    case offered
    /// The node fetches what the job needs.
    case preparing
    case running
  }

  package let id: String
  package let job: String
  package let node: PeerID
  package let need: Capacity
  /// Of all active nodes when it was given; what `FairShare` was charged.
  package let share: Double
  package var state = State.offered
  /// Monotonic nanoseconds, as the other two.
  package let since: UInt64
  package var renewedAt: UInt64
  package var runningSince: UInt64?
  package var usage = Usage()
  package var progress = 0.0
  /// It was given in an earlier life of the process, and not renewed since: its loss is nobody's fault.
  package var isInherited = false
  /// Milliseconds that it was held in earlier lives of the process.
  package var heldBefore: Int64 = 0

  package init(
    id: String,
    job: String,
    node: PeerID,
    need: Capacity,
    share: Double,
    since: UInt64
  ) {
    self.id = id
    self.job = job
    self.node = node
    self.need = need
    self.share = share
    self.since = since
    renewedAt = since
  }

  /// Milliseconds since it was given.
  package func held(_ now: UInt64) -> Int {
    Int(heldBefore) + Int((max(now, since) - since) / 1_000_000)
  }

  /// It runs, for as long as its usage says, but not longer than it was held in this life of the process.
  package mutating func run(_ now: UInt64) {
    state = .running
    guard runningSince == nil else { return }
    // In milliseconds first: a node may say any number of them, and their nanoseconds need not fit.
    let held = (max(now, since) - since) / 1_000_000
    runningSince = now - min(UInt64(usage.wallMilliseconds), held) * 1_000_000
  }

  /// Why it is lost; `nil` while it holds.
  ///
  /// - Parameters:
  ///   - now: Monotonic nanoseconds.
  ///   - settings: How long anything may take.
  ///   - maxDuration: Of the job, in seconds.
  /// - Returns: The reason.
  package func loss(_ now: UInt64, _ settings: FogSettings, maxDuration: Int) -> String? {
    func seconds(_ count: Int) -> UInt64 { UInt64(count) * 1_000_000_000 }
    if now >= renewedAt + seconds(settings.leaseSeconds) {
      return "node: no heartbeat renewed the lease for \(settings.leaseSeconds) s"
    }
    if let runningSince {
      let most = maxDuration + settings.graceSeconds
      guard now >= runningSince + seconds(most) else { return nil }
      return "node: it did not end the job at its longest duration of \(maxDuration) s"
    }
    guard now >= since + seconds(settings.prepareSeconds) else { return nil }
    return "node: it did not begin within \(settings.prepareSeconds) s"
  }
}
