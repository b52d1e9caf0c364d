package import Peering

/// A node as the coordinator knows it.
package struct FogNode: Sendable, Equatable {
  /// Whether it gets work.
  package enum Status: String, Sendable, CaseIterable {
    /// Its heartbeats come.
    case active
    /// It ends what it has and gets nothing new.
    case draining
    /// No heartbeat came for three intervals.
    case offline
  }

  package let id: PeerID
  /// The newest one.
  package var report: NodeReport
  /// The operator of this coordinator wants it to end what it has.
  package var isDraining = false
  /// When an operator has sent it away, in milliseconds since 1970; it is let in again by an operator alone.
  package var removedAt: Int64?
  /// Milliseconds since 1970.
  package let registeredAt: Int64
  /// The last sign of life, in milliseconds since 1970.
  package var seenAt: Int64
  /// The same by the monotonic clock, in nanoseconds; `nil` before the first in this life of the process.
  package var heard: UInt64?
  /// Milliseconds that it was heard of without a gap.
  package var activeMilliseconds = 0
  package var trust: Trust
  /// Leases that ended well, ended by the node's own failure, and were lost.
  package var completed = 0
  package var failed = 0
  package var lost = 0
  /// What its leases hold.
  package var leased = Capacity()
  package var leases = 0
  /// Placement passes it over until then (monotonic): it did not answer an offer.
  package var restUntil: UInt64 = 0
  /// Offers in a row that it did not take.
  package var refusals = 0
  /// The status that was last told of.
  package var told = Status.offline

  package init(id: PeerID, report: NodeReport, at: Int64) {
    self.id = id
    self.report = report
    registeredAt = at
    seenAt = at
    trust = Trust(at: at)
  }

  /// What it is now.
  ///
  /// - Parameters:
  ///   - now: The present.
  ///   - patience: Nanoseconds without a heartbeat after which it is offline.
  /// - Returns: The status.
  package func status(_ now: Moment, patience: UInt64) -> Status {
    guard let heard, now.monotonic < heard + patience else { return .offline }
    return isDraining || report.isDraining ? .draining : .active
  }

  /// Who is paid for its work.
  package var account: String { report.account.isEmpty ? "fog:\(id)" : report.account }

  /// What it has that is not leased.
  package var free: Capacity { Capacity(report) - leased }

  /// Share of its life that it was heard of, in percent.
  package func uptimePercent(_ now: Int64) -> Double {
    let life = max(1, now - registeredAt)
    return min(100, Double(activeMilliseconds) / Double(life) * 100)
  }

  /// Takes a sign of life.
  package mutating func hear(_ report: NodeReport, _ now: Moment, patience: UInt64) {
    if let heard, now.monotonic < heard + patience {
      activeMilliseconds += Int((now.monotonic - min(heard, now.monotonic)) / 1_000_000)
    }
    heard = now.monotonic
    seenAt = Int64(now.wall)
    self.report = report
  }
}
