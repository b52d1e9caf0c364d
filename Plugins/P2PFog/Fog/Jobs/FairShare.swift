/// Whose job is next: fair queueing over dominant shares (DRFQ, Ghodsi et al., SIGCOMM 2012).
///
/// Each user has a virtual time, which every job moves on by its dominant share × its seconds / its tier's weight: by its
/// longest seconds while it runs, by those it has used once it is over. The user whose time is least is next: whoever waits
/// cannot be passed for ever, because each job of the others moves their time on. One whose queue was empty begins where the
/// least of those who wait is, counting ended jobs alone, so that nobody saves up time by staying away; no debt beyond
/// `mostDebt` is kept.
///
/// Deficit round robin was rejected: its quantum would have to be as large as the largest job. The plain rule of least dominant
/// share was rejected too: a user with nothing running would always go first, and short jobs one after another could starve
/// everyone else. So was a clock that only goes forward (start-time fair queueing): what running jobs may still use would
/// have moved it, and whoever comes next would begin behind users whose jobs turn out short.
package struct FairShare: Sendable {
  /// Seconds that a running job is charged for at most.
  package static let maxSeconds = 3600
  /// How far behind the others one may begin who comes back: all nodes together for a minute.
  package static let mostDebt = 60.0
  /// Users remembered that have nothing here.
  private static let mostRemembered = 4096

  // Of jobs that are over, and of those that run.
  private var used: [String: Double] = [:]
  private var held: [String: Double] = [:]

  package init() {}

  /// How much a tier's jobs weigh.
  package static func weight(_ tier: FogTier) -> Double {
    switch tier {
    case .bronze: 1
    case .silver: 2
    case .gold: 4
    case .platinum: 8
    }
  }

  /// Milliseconds by which a tier's jobs pass earlier jobs of the same user.
  package static func headStart(_ tier: FogTier) -> Int64 {
    switch tier {
    case .bronze: 0
    case .silver: 10_000
    case .gold: 30_000
    case .platinum: 60_000
    }
  }

  /// A user's queue is no longer empty.
  ///
  /// - Parameters:
  ///   - owner: Whose.
  ///   - waiting: The others whose jobs wait.
  ///   - running: All whose jobs run.
  package mutating func arrive(
    _ owner: String,
    waiting: some Collection<String>,
    running: some Collection<String>
  ) {
    if used.count > Self.mostRemembered {
      let here = Set(waiting).union(running)
      used = used.filter { here.contains($0.key) || $0.key == owner }
    }
    let others = waiting.filter { $0 != owner }
    let active = others.isEmpty ? running.filter { $0 != owner } : others
    // Alone here, a user owes nobody anything.
    let base = active.map { used[$0] ?? 0 }.min()
    used[owner] = base.map { min(max(used[owner] ?? 0, $0), $0 + Self.mostDebt) }
  }

  /// The user who is next.
  ///
  /// - Parameter waiting: Each with the number of the first job, which decides between equals.
  /// - Returns: `nil` for nobody.
  package func next(_ waiting: [String: Int]) -> String? {
    waiting.min { left, right in
      (time(left.key), left.value) < (time(right.key), right.value)
    }?.key
  }

  /// A job was placed.
  ///
  /// - Parameters:
  ///   - owner: Whose.
  ///   - share: Its dominant share of all active nodes.
  ///   - seconds: Its longest duration.
  ///   - tier: Its own.
  package mutating func charge(_ owner: String, share: Double, seconds: Int, _ tier: FogTier) {
    held[owner, default: 0] += Self.charge(share, seconds, tier)
  }

  /// A job that was charged for is over.
  ///
  /// - Parameters:
  ///   - owner: Whose.
  ///   - share: As it was charged, like `seconds`.
  ///   - seconds: Its longest duration.
  ///   - usedSeconds: That it held its node.
  ///   - tier: Its own.
  package mutating func settle(
    _ owner: String,
    share: Double,
    seconds: Int,
    usedSeconds: Double,
    _ tier: FogTier
  ) {
    let charged = Self.charge(share, seconds, tier)
    let left = (held[owner] ?? 0) - charged
    // Sums of doubles do not come back to 0 exactly.
    held[owner] = left > 1e-9 ? left : nil
    let part = min(1, usedSeconds / Double(max(1, min(seconds, Self.maxSeconds))))
    used[owner, default: 0] += charged * part
  }

  private static func charge(_ share: Double, _ seconds: Int, _ tier: FogTier) -> Double {
    share * Double(min(seconds, maxSeconds)) / weight(tier)
  }

  /// Where a user is in virtual time.
  package func time(_ owner: String) -> Double { (used[owner] ?? 0) + (held[owner] ?? 0) }
}
