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

  private func sendSettlements() throws(StorageError) -> Bool {
    let waiting = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT job, method, argument FROM fog_settlements WHERE state = 'waiting'
        ORDER BY tries, created_at LIMIT 32
        """
      ) { (job: $0.text(0), method: $0.text(1), argument: $0.text(2)) }
    }
    for settlement in waiting {
      guard let argument = try? JSON.parse(settlement.argument) else { continue }
      let outcome: Result<JSON, Ledger.Fault>
      do throws(Ledger.Fault) {
        outcome = .success(try ledger.ask(settlement.method, argument))
      } catch {
        outcome = .failure(error)
      }
      guard try take(outcome, of: settlement.job) else { return false }
    }
    return true
  }

  /// Keeps what the ledger said; false when it is to be asked again later.
  private func take(
    _ outcome: Result<JSON, Ledger.Fault>,
    of job: String
  ) throws(StorageError) -> Bool {
    switch outcome {
    case .success(let answer):
      try note(job, "done", answer)
      around.measure(.settled("done"))
      return true
    case .failure(.host(.argument)):
      try note(job, "refused", ["refused": ["code": "MALFORMED", "message": "See the log."]])
      around.warn("The ledger does not understand the settlement of a job.", job)
      around.measure(.settled("refused"))
      return true
    case .failure(.host(let refusal)):
      // Behind those that were tried less often, should it be this one alone that fails.
      if refusal != .notFound { try note(job, "waiting", .null) }
      return false
    case .failure(.refused(let refused)):
      let isFinal = Self.finalRefusals.contains(refused.code)
      let answer: JSON = [
        "refused": ["code": .string(refused.code), "message": .string(refused.message)]
      ]
      try note(job, isFinal ? "refused" : "waiting", answer)
      around.warn(
        "The ledger refused the settlement of a job.",
        "\(job): \(refused.code): \(refused.message)"
      )
      if isFinal { around.measure(.settled("refused")) }
      return isFinal
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
        "SELECT \(FogJob.columns) FROM fog_jobs WHERE status = 'pending' LIMIT 32",
        [],
        FogJob.init
      ).compactMap(\.self)
    }
    for job in pending where !state.withLock({ $0.submitting.contains(job.id) }) {
      do throws(Ledger.Fault) {
        let lock = try ledger.lock(job)
        let argument: JSON = ["lock_id": .string(lock), "idempotency_key": .string(job.id)]
        _ = try ledger.ask("release", argument)
      } catch {
        // Refused: nothing is locked, or it is released already.
        if case .host = error, settings.isPaid { return false }
      }
      try forget(pending: job.id)
    }
    return true
  }

  /// Removes a submission that came to nothing; its quote binds again.
  func forget(pending job: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      try connection.run("UPDATE fog_quotes SET job = NULL WHERE job = ?", [.text(job)])
      _ = try connection.run(
        "DELETE FROM fog_jobs WHERE id = ? AND status = 'pending'",
        [.text(job)]
      )
    }
  }
}
