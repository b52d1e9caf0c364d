package import PluginStorage

/// The runs of everyone, and what becomes of them.
///
/// Every change is one transaction that is on the disk when it returns. A status is only ever left for the next one
/// of its life, so two who end the same run do not undo each other: the first has ended it.
package struct RunStore: Sendable {
  let database: Database
  let now: @Sendable () -> Int64

  /// Runs in `database`, whose schema is `forge`.
  ///
  /// - Parameters:
  ///   - database: Shared with the other stores.
  ///   - now: Nanoseconds since 1970.
  package init(_ database: Database, now: @escaping @Sendable () -> Int64 = Clock.wall) {
    self.database = database
    self.now = now
  }

  // MARK: - Coming in

  /// How many runs may wait, and how many are kept.
  package struct Limits: Sendable, Equatable {
    /// Runs of one owner that wait.
    package var queuedPerUser: Int
    /// Runs of all owners that wait.
    package var queued: Int
    /// Runs of one owner that are over and still shown; older ones are removed.
    package var keptPerUser: Int
  }

  /// What became of runs that were to be added.
  package enum Admission: Sendable, Equatable {
    /// They are stored; `removed` are old runs that made room.
    case accepted(removed: [String])
    /// The owner has `waiting` already.
    case ownerIsFull(waiting: Int)
    /// All owners together have `waiting` already.
    case isFull(waiting: Int)
  }

  /// Stores runs of one owner, all or none of them.
  ///
  /// - Parameters:
  ///   - runs: At least one; the first is queued, further ones wait for it.
  ///   - limits: Are held at this moment.
  /// - Returns: Whether they were taken.
  /// - Throws: `StorageError`; nothing is stored then.
  package func add(_ runs: [RunRecord], _ limits: Limits) throws(StorageError) -> Admission {
    let owner = runs[0].owner
    return try database.write { (connection) throws(StorageError) in
      if let refusal = try refusal(of: runs.count, owner: owner, limits, &connection) {
        return refusal
      }
      for var run in runs {
        run.createdAt = now()
        try run.insert(&connection)
      }
      return .accepted(removed: try removeOld(owner, keep: limits.keptPerUser, &connection))
    }
  }

  func refusal(
    of count: Int,
    owner: String,
    _ limits: Limits,
    _ connection: inout Connection
  ) throws(StorageError) -> Admission? {
    let waiting = "SELECT count(*) FROM runs WHERE status IN ('queued', 'waiting')"
    let own = try connection.first("\(waiting) AND owner = ?", [.text(owner)]) { $0.count(0) } ?? 0
    if own + count > limits.queuedPerUser { return .ownerIsFull(waiting: own) }
    let all = try connection.first(waiting) { $0.count(0) } ?? 0
    return all + count > limits.queued ? .isFull(waiting: all) : nil
  }

  private func removeOld(
    _ owner: String,
    keep: Int,
    _ connection: inout Connection
  ) throws(StorageError) -> [String] {
    let removed = try connection.rows(
      """
      SELECT id FROM runs WHERE owner = ?1 AND status IN ('completed', 'failed', 'cancelled')
      ORDER BY number DESC LIMIT -1 OFFSET ?2
      """,
      [.text(owner), .count(keep)]
    ) { $0.text(0) }
    for id in removed { try connection.run("DELETE FROM runs WHERE id = ?", [.text(id)]) }
    return removed
  }

  // MARK: - Looking

  /// A run, if `owner` may see it; `nil` owner sees all.
  package func run(_ id: String, owner: String?) throws(StorageError) -> RunRecord? {
    try database.read { (connection) throws(StorageError) in
      try Self.find(id, owner: owner, &connection)
    }
  }

  static func find(
    _ id: String,
    owner: String?,
    _ connection: inout Connection
  ) throws(StorageError) -> RunRecord? {
    try connection.rows(
      "SELECT \(RunRecord.columns) FROM runs WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)",
      [.text(id), .optional(owner)],
      RunRecord.init
    ).first ?? nil
  }

  /// Which runs are listed.
  package struct Listing: Sendable {
    /// `nil` lists everyone's.
    package var owner: String?
    package var status: RunRecord.Status?
    package var phase: PhaseName?
    package var limit = 20
    package var offset = 0

    package init(owner: String?) { self.owner = owner }
  }

  /// One page, the newest first, and how many there are in all.
  package func list(_ listing: Listing) throws(StorageError) -> (runs: [RunRecord], total: Int) {
    let values: [SQLValue] = [
      .optional(listing.owner), .optional(listing.status?.rawValue),
      .optional(listing.phase?.rawValue),
    ]
    // A separate text for one owner, so that SQLite can use the index on it.
    let owner = listing.owner == nil ? "?1 IS NULL" : "owner = ?1"
    let condition = "\(owner) AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR phase = ?3)"
    return try database.read { (connection) throws(StorageError) in
      let (runs, total) = try connection.page(
        RunRecord.columns,
        from: "runs WHERE \(condition)",
        values,
        orderedBy: "number DESC",
        limit: listing.limit,
        offset: listing.offset,
        RunRecord.init
      )
      return (runs.compactMap(\.self), total)
    }
  }

  /// The runs of a pipeline in their order, if `owner` may see them; none when there is no such pipeline.
  package func pipeline(_ id: String, owner: String?) throws(StorageError) -> [RunRecord] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT \(RunRecord.columns) FROM runs
        WHERE pipeline = ?1 AND (?2 IS NULL OR owner = ?2) ORDER BY place
        """,
        [.text(id), .optional(owner)],
        RunRecord.init
      ).compactMap(\.self)
    }
  }

  /// Ids of the models a run has made so far, in their order.
  package func models(_ id: String) throws(StorageError) -> [String] {
    try database.read { (connection) throws(StorageError) in
      try Self.models(id, &connection)
    }
  }

  static func models(_ id: String, _ connection: inout Connection) throws(StorageError) -> [String]
  {
    try connection.rows(
      "SELECT model FROM run_models WHERE run = ? ORDER BY number",
      [.text(id)]
    ) { $0.text(0) }
  }

  /// How many runs are queued up to and with this one; `nil` when it is not queued.
  package func position(_ id: String) throws(StorageError) -> Int? {
    try database.read { (connection) throws(StorageError) in
      try connection.first(
        """
        SELECT (SELECT count(*) FROM runs WHERE status = 'queued' AND number <= own.number)
        FROM runs AS own WHERE id = ? AND status = 'queued'
        """,
        [.text(id)]
      ) { $0.count(0) }
    }
  }

  /// Ids of runs to start, in this order: those cut off, then those that wait longest.
  package func startable(limit: Int) throws(StorageError) -> [String] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT id FROM runs WHERE status IN ('running', 'queued')
        ORDER BY status = 'queued', number LIMIT ?
        """,
        [.count(limit)]
      ) { $0.text(0) }
    }
  }

  /// How many runs there are of each status, and which failed last and when.
  package func totals() throws(StorageError) -> (
    counts: [RunRecord.Status: Int], lastFailure: (run: String, at: Int64)?
  ) {
    try database.read { (connection) throws(StorageError) in
      var counts: [RunRecord.Status: Int] = [:]
      let rows = try connection.rows("SELECT status, count(*) FROM runs GROUP BY status") {
        (RunRecord.Status(rawValue: $0.text(0)), $0.count(1))
      }
      for case (let status?, let count) in rows { counts[status] = count }
      let failure = try connection.first(
        "SELECT id, finished_at FROM runs WHERE status = 'failed' ORDER BY finished_at DESC LIMIT 1"
      ) { (run: $0.text(0), at: $0.integer(1)) }
      return (counts, failure)
    }
  }
}
