/// Whose job is next: fair queueing over dominant shares (DRFQ, Ghodsi et al., SIGCOMM 2012).
///
/// Each user has a virtual time, which every job that is placed moves on by its dominant share × its seconds / its tier's
/// weight; the user whose time is least is next. One who comes (back) starts at the clock, which is the start time of the job
/// that was placed last (start-time fair queueing, Goyal et al. 1996): nobody saves up time by staying away, and nobody who
/// waits can be passed for ever, because each job of the others moves their time on. Deficit round robin was rejected: its
/// quantum would have to be as large as the largest job. The plain rule of least dominant share was rejected too: a user
/// with nothing running would always go first, and short jobs one after another could starve everyone else.
package struct FairShare: Sendable {
  /// Seconds that a job's time is charged for at most; what it did not use is given back.
  package static let maxSeconds = 3600

  private var times: [String: Double] = [:]
  private var clock = 0.0

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

  /// The user who is next.
  ///
  /// - Parameter waiting: Each with the number of the first job, which decides between equals.
  /// - Returns: `nil` for nobody.
  package func next(_ waiting: [String: Int]) -> String? {
    waiting.min { left, right in
      (start(left.key), left.value) < (start(right.key), right.value)
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
    let start = start(owner)
    clock = max(clock, start)
    times[owner] = start + share * Double(min(seconds, Self.maxSeconds)) / Self.weight(tier)
    // Whoever is behind the clock starts there anyway.
    if times.count > 1024 { times = times.filter { $0.value > clock } }
  }

  /// A job ended before the time it was charged for.
  package mutating func giveBack(
    _ owner: String,
    share: Double,
    seconds: Int,
    ofSeconds whole: Int,
    _ tier: FogTier
  ) {
    let unused = min(whole, Self.maxSeconds) - seconds
    guard unused > 0, let time = times[owner] else { return }
    times[owner] = time - share * Double(unused) / Self.weight(tier)
  }

  /// When a user's next job would start, in virtual time.
  package func start(_ owner: String) -> Double { max(times[owner] ?? 0, clock) }
}
