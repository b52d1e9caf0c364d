package import GatewayPlugin

/// What the operator has decided about fog jobs: the object `fog` of the plugin's settings.
package struct FogSettings: Sendable, Equatable {
  /// Whether jobs are paid for through the plugin `tokens`.
  ///
  /// Default true (`"payment": "on"`). Then submissions get 503 while nobody serves `tokens`; `"off"` runs jobs for nothing.
  package var isPaid = true

  /// Seconds between two heartbeats of a node; without any for three times as long, it is offline.
  ///
  /// Default 1.
  package var heartbeatSeconds = 1

  /// Seconds without a renewal after which a lease is lost.
  ///
  /// Default 10.
  package var leaseSeconds = 10

  /// Seconds from lease to running (inputs are fetched meanwhile) after which a lease is lost.
  ///
  /// Default 120.
  package var prepareSeconds = 120

  /// Seconds past a job's longest duration after which the lease of a node that does not end it is lost.
  ///
  /// Default 10.
  package var graceSeconds = 10

  /// Leases of a job that may fail by their node's fault; then the job fails.
  ///
  /// Default 5.
  package var maxAttempts = 5

  /// Jobs of one user that wait; more get 429.
  ///
  /// Default 256.
  package var maxWaitingPerUser = 256

  /// Jobs of one user that run at once; more wait.
  ///
  /// Default 64.
  package var maxRunningPerUser = 64

  /// Jobs of all users that wait; more get 429.
  ///
  /// Default 10,000.
  package var maxWaiting = 10_000

  /// Nodes that are known at once; a further one is refused.
  ///
  /// Default 4096.
  package var maxNodes = 4096

  /// Bytes of all result files of one job; a job that makes more fails.
  ///
  /// Default 1 GiB.
  package var maxOutputBytes = 1 << 30

  /// Result files of one job; a job that makes more fails.
  ///
  /// Default 1000.
  package var maxOutputFiles = 1000

  /// Bytes of log kept of each attempt.
  ///
  /// Default 1 MiB.
  package var maxLogBytes = 1 << 20

  /// Bytes of all inputs of one job.
  ///
  /// Default 1 GiB.
  package var maxInputBytes = 1 << 30

  /// Bytes that must stay free on the disk; below, submissions get 507 and results are refused.
  ///
  /// Default 256 MiB.
  package var minFreeBytes = 256 << 20

  /// Ended jobs of one user that are kept with log and results; the oldest go first.
  ///
  /// Default 1000.
  package var keptJobsPerUser = 1000

  /// Days that an ended job is kept.
  ///
  /// Default 30.
  package var keptDays = 30

  /// Seconds a job waits before a node is kept free for it.
  ///
  /// Default 30. Without that, small jobs would pass a large one for ever.
  package var reserveSeconds = 30

  /// How the price of a core-hour moves; bronze's.
  ///
  /// Default 0.5 FOG, within 0.1 and 5 (`price`, `price_floor`, `price_ceiling`).
  package var prices = PriceRule(
    base: Amount(Amount.unit / 2),
    floor: Amount(Amount.unit / 10),
    ceiling: Amount(Amount.unit * 5)
  )

  /// Seconds a quote binds.
  ///
  /// Default 300.
  package var quoteSeconds = 300

  /// Quotes of one user that bind at once; more get 429.
  ///
  /// Default 32.
  package var maxQuotesPerUser = 32

  /// What a node pays for each lease it lost.
  ///
  /// Default 0 FOG (`lost_lease_penalty`).
  package var lostLeasePenalty = Amount.zero

  package init() {}

  /// Reads the settings of this part.
  ///
  /// - Parameter fields: Of the object `fog`; errors are noted there.
  package init(_ fields: inout Fields) {
    var read = FogSettings()
    func set(_ path: WritableKeyPath<Self, Int>, _ name: String, _ range: ClosedRange<Int>) {
      read[keyPath: path] = fields.integer(name, range, default: read[keyPath: path])
    }
    read.isPaid = fields.choice("payment", ["on", "off"], default: "on") == "on"
    set(\.heartbeatSeconds, "heartbeat_seconds", 1...60)
    set(\.leaseSeconds, "lease_seconds", 1...3600)
    set(\.prepareSeconds, "prepare_seconds", 1...86_400)
    set(\.graceSeconds, "grace_seconds", 0...3600)
    set(\.maxAttempts, "max_attempts", 1...100)
    set(\.maxWaitingPerUser, "max_waiting_per_user", 1...10_000)
    set(\.maxRunningPerUser, "max_running_per_user", 1...10_000)
    set(\.maxWaiting, "max_waiting", 1...100_000)
    set(\.maxNodes, "max_nodes", 1...100_000)
    set(\.maxOutputBytes, "max_output_bytes", 0...(1 << 40))
    set(\.maxOutputFiles, "max_output_files", 0...100_000)
    set(\.maxLogBytes, "max_log_bytes", 1024...(1 << 30))
    set(\.maxInputBytes, "max_input_bytes", 0...(1 << 40))
    set(\.minFreeBytes, "min_free_bytes", 0...(1 << 50))
    set(\.keptJobsPerUser, "kept_jobs_per_user", 1...100_000)
    set(\.keptDays, "kept_days", 1...3650)
    set(\.reserveSeconds, "reserve_seconds", 0...86_400)
    set(\.quoteSeconds, "quote_seconds", 1...86_400)
    set(\.maxQuotesPerUser, "max_quotes_per_user", 1...10_000)
    read.lostLeasePenalty = Self.amount("lost_lease_penalty", &fields, read.lostLeasePenalty)
    read.prices = Self.prices(&fields, read.prices)
    if read.leaseSeconds < 3 * read.heartbeatSeconds {
      fields.refuse("lease_seconds", "must be at least three times heartbeat_seconds")
    }
    self = read
  }

  private static func prices(_ fields: inout Fields, _ standard: PriceRule) -> PriceRule {
    let rule = PriceRule(
      base: amount("price", &fields, standard.base),
      floor: amount("price_floor", &fields, standard.floor),
      ceiling: amount("price_ceiling", &fields, standard.ceiling)
    )
    guard rule.floor <= rule.base, rule.base <= rule.ceiling, rule.base > .zero else {
      fields.refuse("price", "must be above 0, from price_floor to price_ceiling")
      return standard
    }
    return rule
  }

  private static func amount(_ name: String, _ fields: inout Fields, _ standard: Amount) -> Amount {
    guard let text = fields.optionalString(name, 1...40) else { return standard }
    guard let amount = Amount(text), amount <= Amount(Amount.unit * 1_000_000) else {
      fields.refuse(name, "must be an amount of FOG as text, like \"0.5\", of at most 1000000")
      return standard
    }
    return amount
  }
}
