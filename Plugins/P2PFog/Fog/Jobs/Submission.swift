import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers
import Synchronization

/// How a job is taken.
extension Coordinator {
  /// What POST /v1/fog/jobs does.
  ///
  /// - Parameters:
  ///   - json: The body.
  ///   - key: The header field `Idempotency-Key`, if sent.
  ///   - owner: Who submits.
  /// - Returns: The job, queued, and whether it was there before.
  /// - Throws: `Failure` that says what is refused, `StorageError`.
  func submit(
    _ json: JSON,
    key: String?,
    owner: String
  ) throws -> (job: FogJob, isRepeated: Bool) {
    let now = around.now()
    if let key, !(1...128).contains(key.utf8.count) {
      throw Failure.badRequest("The field Idempotency-Key must have 1 to 128 characters.")
    }
    let digest = SHA256.hexadecimal(of: json.text)
    if let key, let job = try repeated(key, digest, owner) { return (job, true) }
    let request = try JobRequest(json, now: Int64(now.wall))
    guard try Folder.space(results.directory).free >= settings.minFreeBytes else {
      throw answering.noSpace
    }
    try checkNodes(request, owner: owner, now)
    let inputs = try describe(request.inputs, owner: owner)
    var job = FogJob(
      id: UUID4.make(),
      owner: owner,
      name: request.name,
      type: request.type,
      tier: request.tier,
      requirements: request.requirements,
      parameters: request.parameters,
      inputs: inputs,
      outputBytes: min(settings.maxOutputBytes, request.requirements.diskMegabytes << 20),
      logBytes: settings.maxLogBytes,
      price: try price(of: request, owner: owner, now),
      digest: digest,
      submittedAt: Int64(now.wall)
    )
    job.deadline = request.deadline
    job.key = key
    if let most = request.maxCost, settings.isPaid, job.estimate > most {
      throw Failure.overCost(job.estimate, most)
    }
    return try enter(job, request)
  }

  private func repeated(_ key: String, _ digest: String, _ owner: String) throws -> FogJob? {
    let known = try answering { () throws(StorageError) in
      try database.read { (connection) throws(StorageError) in
        try FogJob.find(key: key, owner: owner, &connection)
      }
    }
    guard let known else { return nil }
    guard known.digest == digest else {
      throw Failure(
        status: 409,
        code: "IDEMPOTENCY_CONFLICT",
        message: "This Idempotency-Key belongs to another job of yours; use a new one."
      )
    }
    guard known.status.isTaken else {
      throw Failure.conflict("The job of this Idempotency-Key is being taken; ask again shortly.")
    }
    return known
  }

  private func describe(_ ids: [String], owner: String) throws -> [LeaseOffer.Input] {
    var inputs: [LeaseOffer.Input] = []
    var errors: [FieldError] = []
    var total = 0
    for (index, id) in ids.enumerated() {
      let answer: JSON
      do throws(HostRefusal) {
        answer = try around.files("describe", ["file_id": .string(id)], owner)
      } catch .notFound where areFilesServed(owner) {
        errors.append(
          FieldError(field: "inputs[\(index)]", reason: "is no file of yours; upload it first")
        )
        continue
      } catch {
        throw Failure.noFiles
      }
      guard let filename = answer["filename"]?.asString, let size = answer["size"]?.asInteger,
        let digest = answer["sha256"]?.asString
      else { throw Failure.noFiles }
      total += Int(size)
      inputs.append(
        LeaseOffer.Input(fileID: id, filename: filename, size: Int(size), sha256: digest)
      )
    }
    if total > settings.maxInputBytes {
      errors.append(
        FieldError(
          field: "inputs",
          reason: "must have at most \(settings.maxInputBytes) bytes together, not \(total)"
        )
      )
    }
    guard errors.isEmpty else { throw Failure.validation(errors) }
    return inputs
  }

  /// Whether anyone serves files: "not found" is said of a file and of the whole service.
  func areFilesServed(_ owner: String) -> Bool {
    do throws(HostRefusal) {
      _ = try around.files("describe", [:], owner)
      return true
    } catch {
      return error == .argument
    }
  }

  /// The price that binds: the quote's, or the market's.
  private func price(of request: JobRequest, owner: String, _ now: Moment) throws -> Amount {
    guard let id = request.quote else { return price(request.tier) }
    func refused(_ reason: String) -> Failure {
      .validation([FieldError(field: "quote_id", reason: reason)])
    }
    let row = try answering { () throws(StorageError) in
      try database.read { (connection) throws(StorageError) in
        try connection.first(
          "SELECT tier, requirements, price, expires_at, job FROM fog_quotes WHERE id = ? AND owner = ?",
          [.text(id), .text(owner)]
        ) { row in
          (
            tier: row.text(0), requirements: row.text(1), price: row.count(2),
            expires: row.integer(3), job: row.optionalText(4)
          )
        }
      }
    }
    guard let row else { throw refused("is no quote of yours; ask for one at /v1/fog/quotes") }
    guard row.job == nil else { throw refused("was used already; ask for a new one") }
    guard row.expires > Int64(now.wall) else { throw refused("has expired; ask for a new one") }
    var fields = Fields((try? JSON.parse(row.requirements)) ?? [:])
    let quoted = Requirements(&fields)
    guard row.tier == request.tier.rawValue else { throw refused("is for the tier \(row.tier)") }
    guard Capacity(quoted).lacking(Capacity(request.requirements)).isEmpty,
      quoted.maxDurationSeconds >= request.requirements.maxDurationSeconds
    else { throw refused("is for less than this job asks for; ask for a quote of its size") }
    return Amount(row.price)
  }

  // MARK: - Entering

  private func enter(_ job: FogJob, _ request: JobRequest) throws -> (FogJob, Bool) {
    var job = job
    job.status = settings.isPaid ? .pending : .queued
    state.withLock { _ = $0.submitting.insert(job.id) }
    defer { state.withLock { _ = $0.submitting.remove(job.id) } }
    let entering = job
    let entry = try answering { () throws(StorageError) in
      try database.write { (connection) throws(StorageError) in
        try insert(entering, request.quote, &connection)
      }
    }
    switch entry {
    case .entered(let number): job.number = number
    case .refused(let failure): throw failure
    }
    if settings.isPaid {
      job.lockID = try lock(job)
      job.status = .queued
    }
    let queued = job
    let isQueued = try answering { () throws(StorageError) in
      try change { (state, effects) throws(StorageError) in
        if settings.isPaid {
          let isStored = try database.write { (connection) throws(StorageError) in
            try queued.update(from: [.pending], &connection)
          }
          guard isStored else { return false }
        }
        state.queue(queued)
        effects.tell(queued)
        return true
      }
    }
    guard isQueued else { throw Failure.conflict("The job was withdrawn meanwhile.") }
    advance()
    return (queued, false)
  }

  private enum Insertion: Sendable { case entered(Int), refused(Failure) }

  private func insert(
    _ job: FogJob,
    _ quote: String?,
    _ connection: inout Connection
  ) throws(StorageError) -> Insertion {
    let waiting = "SELECT count(*) FROM fog_jobs WHERE status IN ('pending', 'queued')"
    let own = try connection.first("\(waiting) AND owner = ?", [.text(job.owner)]) { $0.count(0) }
    guard own ?? 0 < settings.maxWaitingPerUser else {
      return .refused(
        .tooManyRequests(
          "You have \(own ?? 0) jobs that wait, of \(settings.maxWaitingPerUser) at most.",
          retryAfter: .seconds(30)
        )
      )
    }
    let all = try connection.first(waiting) { $0.count(0) }
    guard all ?? 0 < settings.maxWaiting else {
      return .refused(
        .tooManyRequests(
          "\(all ?? 0) jobs wait already, and no more are taken; try again later.",
          retryAfter: .seconds(30)
        )
      )
    }
    if let key = job.key,
      try FogJob.find(key: key, owner: job.owner, &connection) != nil
    {
      return .refused(
        .conflict("The job of this Idempotency-Key is being taken; ask again shortly.")
      )
    }
    // Last of what can refuse: a refusal rolls nothing back, and would leave the quote used.
    if let quote {
      let used = try connection.run(
        "UPDATE fog_quotes SET job = ?2 WHERE id = ?1 AND job IS NULL",
        [.text(quote), .text(job.id)]
      )
      guard used == 1 else {
        return .refused(
          .validation([FieldError(field: "quote_id", reason: "was used already; ask for a new one")]
          )
        )
      }
    }
    var job = job
    try job.insert(&connection)
    return .entered(job.number)
  }

  /// Locks the cost; without it the job's row goes again.
  private func lock(_ job: FogJob) throws -> String {
    let fault: Ledger.Fault
    do throws(Ledger.Fault) {
      return try ledger.lock(job)
    } catch {
      fault = error
    }
    switch fault {
    case .refused(let refused):
      try answering { () throws(StorageError) in try forget(pending: job.id) }
      if refused.code == "INSUFFICIENT_BALANCE" {
        throw Failure.noBalance(job.estimate, refused.message)
      }
      throw Failure(
        status: 409,
        code: refused.code,
        message: "The ledger refused to lock \(job.estimate.text) FOG: \(refused.message)"
      )
    case .host(let refusal):
      // It may have been locked: `settle` finds that out, gives it back, and removes the row. Not when nobody was there, or
      // the call was not understood.
      if refusal == .notFound || refusal == .argument {
        try answering { () throws(StorageError) in try forget(pending: job.id) }
      }
      throw Failure.noLedger(refusal)
    }
  }
}
