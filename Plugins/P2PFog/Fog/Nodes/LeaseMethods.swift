import GatewayPlugin
import Peering
import PluginStorage
import Synchronization

/// What nodes call for a lease that they have.
extension Coordinator {
  private static let leaseLost = CallFailure.refused(
    code: "LEASE_LOST",
    message: "The lease is over; stop, and drop what was made."
  )

  /// The job and the lease that a node names, if it still has it.
  private func held(
    _ id: String,
    by peer: PeerID
  ) throws(CallFailure) -> (job: FogJob, lease: FogLease) {
    let found = state.withLock { state -> (job: FogJob, lease: FogLease)? in
      guard let lease = state.leases[id], lease.node == peer, let job = state.jobs[lease.job]
      else { return nil }
      return (job, lease)
    }
    guard let found else { throw Self.leaseLost }
    return found
  }

  func input(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let (id, file, offset, length) = try Self.read(body.json) { fields in
      (
        fields.string("lease_id", 1...64), fields.string("file_id", 1...128),
        fields.integer("offset", 0...(1 << 40)), fields.integer("length", 1...262_144)
      )
    }
    let (job, lease) = try held(id, by: peer)
    guard job.inputs.contains(where: { $0.fileID == file }) else {
      throw .refused(code: "VALIDATION_ERROR", message: "The job has no input \(file).")
    }
    let argument: JSON = [
      "file_id": .string(file), "offset": .integer(Int64(offset)),
      "length": .integer(Int64(length)),
    ]
    let answer: JSON
    do throws(HostRefusal) {
      answer = try around.files("read", argument, job.owner)
    } catch .notFound where areFilesServed(job.owner) {
      // Nobody's fault but the submitter's, who has deleted it: no other node could have it either.
      var ending = JobEnding(
        status: .failed,
        reason: "input: the file \(file) is not there any more",
        attemptState: "stopped"
      )
      ending.isPaid = true
      try finish(lease, ending)
      throw Self.leaseLost
    } catch {
      // The other plugin is being replaced, or busy: without an answer the node tries again.
      throw .timeout
    }
    guard let text = answer["data"]?.asString, let bytes = Base64.decode(Array(text.utf8).span),
      let size = answer["size"]
    else { throw .timeout }
    return CallBody(["size": size], bytes: bytes)
  }

  func log(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let (id, offset) = try Self.read(body.json) { fields in
      _ = fields.choice("stream", ["stdout", "stderr", "node"], default: "node")
      return (fields.string("lease_id", 1...64), fields.integer("offset", 0...(1 << 40)))
    }
    guard body.bytes.count <= 64 << 10 else {
      throw .refused(code: "VALIDATION_ERROR", message: "Send at most 65536 bytes of log at once.")
    }
    let job = try held(id, by: peer).job
    let taken = try storing { () throws(Refusal) in
      try keep { () throws(StorageError) in
        try results.log(job.id, id, at: offset, body.bytes, limit: job.logBytes)
      }
    }
    return CallBody(["offset": .integer(Int64(taken))])
  }

  func output(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let (id, path, offset, size, digest) = try Self.read(body.json) { fields in
      (
        fields.string("lease_id", 1...64), fields.string("path", 1...1024),
        fields.integer("offset", 0...(1 << 40)), fields.integer("size", 0...(1 << 40)),
        fields.string("sha256", 64...64)
      )
    }
    guard let path = ResultPath(path) else {
      throw .refused(
        code: "VALIDATION_ERROR",
        message: """
          path must be relative, without '.', '..' and control characters, of at most \
          \(ResultPath.limit) bytes and \(ResultPath.depth) names.
          """
      )
    }
    guard body.bytes.count <= 256 << 10 else {
      throw .refused(code: "VALIDATION_ERROR", message: "Send at most 262144 bytes at once.")
    }
    let (job, lease) = try held(id, by: peer)
    let piece = ResultFiles.Piece(
      job: job.id,
      lease: id,
      path: path,
      offset: offset,
      size: size,
      sha256: digest,
      bytes: body.bytes,
      quota: job.outputBytes
    )
    let outcome = try storing { () throws(Refusal) in
      try keep { () throws(StorageError) in try results.write(piece) }
    }
    switch outcome {
    case .has(let count): return CallBody(["offset": .integer(Int64(count))])
    case .refused(let code, let message): throw .refused(code: code, message: message)
    case .overQuota(let reason):
      var ending = JobEnding(status: .failed, reason: reason, attemptState: "failed")
      ending.isPaid = true
      try finish(lease, ending)
      throw .refused(code: "QUOTA", message: reason)
    }
  }

  func finish(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let (id, ending) = try Self.read(body.json) { fields in
      let outcome = fields.choice("outcome", ["succeeded", "failed", "cancelled"])
      var ending = JobEnding(
        status: outcome == "succeeded" ? .completed : .failed,
        attemptState: outcome
      )
      // Cut, not refused: a job whose end is refused would run again.
      let reason = fields.string("reason", default: "").unicodeScalars.prefix(1024)
      ending.reason = String(reason)
      ending.exitCode = fields.optionalInteger("exit_code", Int(Int32.min)...Int(Int32.max))
      ending.usage = fields.object("usage") { Usage(&$0) }
      ending.isPaid = true
      ending.stopsNode = false
      return (fields.string("lease_id", 1...64), ending)
    }
    if try hasFinished(id, peer) { return CallBody() }
    let (job, lease) = try held(id, by: peer)
    if ending.status == .completed {
      let files = try storing { () throws(Refusal) in
        try keep { () throws(StorageError) in try results.list(id) }
      }
      if let file = files.first(where: { !$0.isComplete }) {
        throw .refused(code: "INCOMPLETE", message: "The rest of \(file.path) is missing.")
      }
    }
    try storing { () throws(Refusal) in
      try keep { () throws(StorageError) in try results.synchronizeLog(job.id, id) }
    }
    try finish(lease, ending)
    advance()
    return CallBody()
  }

  /// Whether a lease was ended by its own node, so that the same call once more is answered the same.
  private func hasFinished(_ lease: String, _ peer: PeerID) throws(CallFailure) -> Bool {
    try storing { () throws(Refusal) in
      try keep { () throws(StorageError) in
        try database.read { (connection) throws(StorageError) in
          try connection.first(
            """
            SELECT 1 FROM fog_attempts WHERE lease = ? AND node = ?
            AND state IN ('succeeded', 'failed', 'cancelled', 'node failed') AND ended_at IS NOT NULL
            """,
            [.text(lease), .text("\(peer)")]
          ) { _ in true } ?? false
        }
      }
    }
  }

  /// Ends a lease as its node says.
  private func finish(_ lease: FogLease, _ ending: JobEnding) throws(CallFailure) {
    let now = around.now()
    try storing { () throws(Refusal) in
      try change { (state, effects) throws(Refusal) in
        guard let lease = state.leases[lease.id], let job = state.jobs[lease.job] else {
          throw .call(Self.leaseLost)
        }
        try keep { () throws(StorageError) in
          let isNodeFault =
            ending.status == .failed
            && (ending.attemptState == "cancelled" || ending.reason.hasPrefix("node: "))
          // A job that ended between two heartbeats has run all the same.
          if job.status == .assigned, !isNodeFault, let usage = ending.usage {
            var lease = lease
            lease.usage = usage
            state.leases[lease.id] = lease
            try begin(lease, now, &state, &effects)
          }
          guard let job = state.jobs[lease.job] else { return }
          guard isNodeFault else {
            return try end(job, ending, state.nodes[lease.node], now, &state, &effects)
          }
          let reason =
            ending.reason.hasPrefix("node: ") ? ending.reason : "node: it gave the job up"
          try lose(lease, Loss(reason: reason, state: "node failed"), now, &state, &effects)
        }
      }
    }
  }
}
