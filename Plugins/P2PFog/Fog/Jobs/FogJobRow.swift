import GatewayPlugin
import Peering
import PluginStorage

/// A job's row.
extension FogJob {
  static let columns = """
    number, id, owner, name, type, tier, status, requirements, parameters, inputs, output_bytes,
    log_bytes, deadline, price, estimate, lock_id, key, digest, attempts, submitted_at, started_at,
    start_ms, finished_at, lease, node, leased_at, reason, exit_code, usage, progress, cost,
    placement, losses
    """

  /// The job of a row of `columns`; `nil` when this build does not know its type, tier or status.
  init?(_ row: Row) {
    guard let type = JobType(rawValue: row.text(4)), let tier = FogTier(rawValue: row.text(5)),
      let status = Status(rawValue: row.text(6))
    else { return nil }
    var requirements = Fields(Self.stored(row.text(7)))
    var inputs = Fields(["inputs": Self.stored(row.text(9))])
    self.init(
      id: row.text(1),
      owner: row.text(2),
      name: row.text(3),
      type: type,
      tier: tier,
      requirements: Requirements(&requirements),
      parameters: Self.stored(row.text(8)),
      inputs: inputs.objects("inputs", 0...64) { LeaseOffer.Input(&$0) },
      outputBytes: row.count(10),
      logBytes: row.count(11),
      price: Amount(row.count(13)),
      digest: row.text(17),
      submittedAt: row.integer(19)
    )
    number = row.count(0)
    self.status = status
    deadline = row.optionalInteger(12)
    estimate = Amount(row.count(14))
    lockID = row.optionalText(15)
    key = row.optionalText(16)
    readLife(row)
  }

  private mutating func readLife(_ row: Row) {
    attempts = row.count(18)
    startedAt = row.optionalInteger(20)
    startMilliseconds = row.optionalInteger(21).map { Int($0) }
    finishedAt = row.optionalInteger(22)
    lease = row.optionalText(23)
    node = row.optionalText(24).flatMap { PeerID(text: $0) }
    leasedAt = row.optionalInteger(25)
    reason = row.text(26)
    exitCode = row.optionalInteger(27).map { Int($0) }
    if let text = row.optionalText(28) {
      var fields = Fields(Self.stored(text))
      usage = Usage(&fields)
    }
    progress = row.real(29)
    cost = row.optionalInteger(30).map { Amount(Int($0)) }
    placement = row.optionalText(31).map(Self.stored)
    losses =
      Self.stored(row.text(32)).asArray?
      .compactMap { $0.asString.flatMap { PeerID(text: $0) } } ?? []
  }

  /// JSON that this plugin wrote itself.
  private static func stored(_ text: String) -> JSON { (try? JSON.parse(text)) ?? .null }

  /// Adds a new job, and gives it its number.
  mutating func insert(_ connection: inout Connection) throws(StorageError) {
    try connection.run(
      """
      INSERT INTO fog_jobs (id, owner, name, type, tier, status, requirements, parameters, inputs,
        output_bytes, log_bytes, deadline, price, estimate, lock_id, key, digest, submitted_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(id), .text(owner), .text(name), .text(type.rawValue), .text(tier.rawValue),
        .text(status.rawValue), .text(requirements.json.text), .text(parameters.text),
        .text(JSON.array(inputs.map(\.json)).text), .count(outputBytes), .count(logBytes),
        deadline.map(SQLValue.integer) ?? .null, .count(price.parts), .count(estimate.parts),
        .optional(lockID), .optional(key), .text(digest), .integer(submittedAt),
      ]
    )
    number = try connection.first("SELECT last_insert_rowid()") { $0.count(0) } ?? 0
  }

  /// Writes all that changes in a job's life, if it is still in one of `states`.
  ///
  /// - Parameters:
  ///   - states: Where it must be in the database.
  ///   - connection: In a transaction.
  /// - Returns: Whether it was.
  /// - Throws: `StorageError`.
  func update(
    from states: [Status],
    _ connection: inout Connection
  ) throws(StorageError) -> Bool {
    let words = states.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    let changed = try connection.run(
      """
      UPDATE fog_jobs SET status = ?2, lock_id = ?3, attempts = ?4, started_at = ?5, start_ms = ?6,
        finished_at = ?7, lease = ?8, node = ?9, leased_at = ?10, reason = ?11, exit_code = ?12,
        usage = ?13, progress = ?14, cost = ?15, placement = ?16, losses = ?17
      WHERE id = ?1 AND status IN (\(words))
      """,
      [
        .text(id), .text(status.rawValue), .optional(lockID), .count(attempts),
        .milliseconds(startedAt),
        startMilliseconds.map(SQLValue.count) ?? .null, .milliseconds(finishedAt), .optional(lease),
        .optional(node?.description), .milliseconds(leasedAt), .text(reason),
        exitCode.map(SQLValue.count) ?? .null, .text(usage.json.text), .real(progress),
        (cost?.parts).map(SQLValue.count) ?? .null, .optional(placement?.text),
        .text(JSON.array(losses.map { .string("\($0)") }).text),
      ]
    )
    return changed == 1
  }

  /// One job.
  static func find(_ id: String, _ connection: inout Connection) throws(StorageError) -> FogJob? {
    try connection.first(
      "SELECT \(columns) FROM fog_jobs WHERE id = ?",
      [.text(id)],
      FogJob.init
    ) ?? nil
  }

  /// The job of a submitter's key.
  static func find(
    key: String,
    owner: String,
    _ connection: inout Connection
  ) throws(StorageError) -> FogJob? {
    try connection.first(
      "SELECT \(columns) FROM fog_jobs WHERE owner = ? AND key = ?",
      [.text(owner), .text(key)],
      FogJob.init
    ) ?? nil
  }
}

extension SQLValue {
  /// A time, or NULL.
  static func milliseconds(_ time: Int64?) -> SQLValue { time.map(SQLValue.integer) ?? .null }
}
