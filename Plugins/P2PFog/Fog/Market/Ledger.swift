import GatewayPlugin
import PluginStorage
import Synchronization

/// The service `tokens`, as the coordinator uses it.
struct Ledger: Sendable {
  /// What the ledger says no with.
  struct Refused: Error, Equatable {
    let code: String
    let message: String
  }

  /// Why there is no answer.
  enum Fault: Error, Equatable {
    case refused(Refused)
    /// Nobody serves it, or not in time: it may have happened.
    case host(HostRefusal)
  }

  let call: @Sendable (String, JSON) throws(HostRefusal) -> JSON

  /// Calls a method.
  func ask(_ method: String, _ argument: JSON) throws(Fault) -> JSON {
    let answer: JSON
    do { answer = try call(method, argument) } catch { throw .host(error) }
    guard let refused = answer["refused"] else { return answer }
    throw .refused(
      Refused(
        code: refused["code"]?.asString ?? "NOT_ALLOWED",
        message: refused["message"]?.asString ?? ""
      )
    )
  }

  /// Locks the most that a job can cost.
  func lock(_ job: FogJob) throws(Fault) -> String {
    let answer = try ask(
      "lock",
      [
        "account": .string(job.owner), "amount": .string(job.estimate.text),
        "reference": .string("fog job \(job.id)"), "idempotency_key": .string("\(job.id):lock"),
      ]
    )
    guard let id = answer["lock_id"]?.asString else { throw .host(.argument) }
    return id
  }
}

/// How settlements reach the ledger.
extension Coordinator {
  /// Refusals that no later try can change.
  private static let finalRefusals: Set<String> = [
    "LOCK_CLOSED", "UNKNOWN_LOCK", "INVALID_AMOUNT", "IDEMPOTENCY_CONFLICT", "UNKNOWN_ACCOUNT",
  ]

  var ledger: Ledger { Ledger(call: around.ledger) }

  /// Sends settlements that wait, the oldest first, and takes back what half-made submissions have locked.
  ///
  /// Never twice at once. A settlement that was sent and not answered is sent again: its key makes it one.
  ///
  /// - Returns: False when the ledger did not answer: the next try should wait.
  package func settle() -> Bool {
    do throws(StorageError) {
      guard try takeBack() else { return false }
      return try sendSettlements()
    } catch {
      around.warn("Settlements could not be sent.", "\(error)")
      return false
    }
  }

  /// A settlement as it stands in the table.
  private struct Sending: Sendable {
    let job: String
    let method: String
    let argument: JSON
    /// Why the ledger does not take it; then it is a release that gives back what is locked.
    let refusal: JSON?
  }

  private func sendSettlements() throws(StorageError) -> Bool {
    let waiting = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT job, method, argument, answer FROM fog_settlements WHERE state = 'waiting'
        ORDER BY tries, created_at LIMIT 32
        """
      ) { row -> Sending? in
        guard let argument = try? JSON.parse(row.text(2)) else { return nil }
        let answer = row.optionalText(3).flatMap { try? JSON.parse($0) }
        return Sending(
          job: row.text(0),
          method: row.text(1),
          argument: argument,
          // Only of a release that `giveUp` made: a plain one may have been refused for a while as well.
          refusal: argument["idempotency_key"] == .string(row.text(0)) ? nil : answer?["refused"]
        )
      }
    }
    for settlement in waiting {
      guard let settlement else { continue }
      let outcome: Result<JSON, Ledger.Fault>
      do throws(Ledger.Fault) {
        outcome = .success(try ledger.ask(settlement.method, settlement.argument))
      } catch {
        outcome = .failure(error)
      }
      guard try take(outcome, of: settlement) else { return false }
    }
    return true
  }

  /// Keeps what the ledger said; false when it is to be asked again later.
  private func take(
    _ outcome: Result<JSON, Ledger.Fault>,
    of settlement: Sending
  ) throws(StorageError) -> Bool {
    let job = settlement.job
    switch outcome {
    case .success(let answer):
      // What was refused is still shown as that, beside what came back.
      let refusal = settlement.refusal
      let told: JSON =
        refusal.map { ["refused": $0, "refunded": answer["refunded"] ?? .null] } ?? answer
      try note(job, refusal == nil ? "done" : "refused", told)
      around.measure(.settled(refusal == nil ? "done" : "refused"))
      return true
    case .failure(.host(.argument)):
      around.warn("The ledger does not understand the settlement of a job.", job)
      try giveUp(settlement, ["code": "MALFORMED", "message": "See the log."])
      return true
    case .failure(.host(let refusal)):
      // Behind those that were tried less often, should it be this one alone that fails.
      if refusal != .notFound { try note(job, "waiting", Self.told(settlement.refusal)) }
      return false
    case .failure(.refused(let refused)):
      let refusal: JSON = ["code": .string(refused.code), "message": .string(refused.message)]
      around.warn(
        "The ledger refused the settlement of a job.",
        "\(job): \(refused.code): \(refused.message)"
      )
      guard Self.finalRefusals.contains(refused.code) else {
        try note(job, "waiting", Self.told(settlement.refusal ?? refusal))
        return false
      }
      try giveUp(settlement, refusal)
      return true
    }
  }

  private static func told(_ refusal: JSON?) -> JSON { refusal.map { ["refused": $0] } ?? .null }

  /// Notes that no later try can help; what is still locked is given back, or it would be held for ever.
  private func giveUp(_ settlement: Sending, _ refusal: JSON) throws(StorageError) {
    let answer = Self.told(settlement.refusal ?? refusal)
    let isClosed = refusal["code"] == "LOCK_CLOSED" || refusal["code"] == "UNKNOWN_LOCK"
    guard settlement.method == "settle", !isClosed, let lock = settlement.argument["lock_id"] else {
      try note(settlement.job, "refused", answer)
      around.measure(.settled("refused"))
      return
    }
    // Another key: that of the job belongs to what was refused.
    let argument: JSON = [
      "lock_id": lock, "idempotency_key": .string("\(settlement.job):release"),
    ]
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        """
        UPDATE fog_settlements SET method = 'release', argument = ?2, answer = ?3, tries = tries + 1
        WHERE job = ?1
        """,
        [.text(settlement.job), .text(argument.text), .text(answer.text)]
      )
    }
  }

  private func note(_ job: String, _ state: String, _ answer: JSON) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        "UPDATE fog_settlements SET state = ?2, answer = ?3, tries = tries + 1 WHERE job = ?1",
        [.text(job), .text(state), .text(answer.text)]
      )
    }
  }

  /// Undoes submissions that were cut off between the job's row and the lock's answer.
  ///
  /// Nobody was told that such a job is accepted. What may have been locked is found by locking once more with the same key,
  /// and released; then the row goes, and with it the submitter's idempotency key.
  private func takeBack() throws(StorageError) -> Bool {
    let pending = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        "SELECT \(FogJob.columns) FROM fog_jobs WHERE status IN ('pending', 'withdrawn') LIMIT 32",
        [],
        FogJob.init
      ).compactMap(\.self)
    }
    for job in pending where !state.withLock({ $0.submitting.contains(job.id) }) {
      // The row may have been queued since it was read, also by another generation, which knows nothing of `submitting`:
      // then its lock is its own.
      guard try withdraw(job.id) else { continue }
      do throws(Ledger.Fault) {
        let lock = try ledger.lock(job)
        let argument: JSON = ["lock_id": .string(lock), "idempotency_key": .string(job.id)]
        _ = try ledger.ask("release", argument)
      } catch {
        // Refused, or not understood: nothing is locked, or it is released already.
        if case .host(let refusal) = error, refusal != .argument, settings.isPaid { return false }
      }
      try forget(pending: job.id)
    }
    return true
  }

  /// Makes sure that a submission cannot go on; false when it has.
  private func withdraw(_ job: String) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      try connection.run(
        "UPDATE fog_jobs SET status = 'withdrawn' WHERE id = ? AND status IN ('pending', 'withdrawn')",
        [.text(job)]
      ) == 1
    }
  }

  /// Removes a submission that came to nothing; its quote binds again.
  func forget(pending job: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      try connection.run("UPDATE fog_quotes SET job = NULL WHERE job = ?", [.text(job)])
      _ = try connection.run(
        "DELETE FROM fog_jobs WHERE id = ? AND status IN ('pending', 'withdrawn')",
        [.text(job)]
      )
    }
  }
}
