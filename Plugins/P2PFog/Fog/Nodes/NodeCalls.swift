import GatewayPlugin
import Peering
import PluginStorage

/// What nodes call.
extension Coordinator {
  /// Serves the calls of nodes.
  func serve() {
    answer("fog.register") { coordinator, peer, body throws(CallFailure) in
      try coordinator.register(peer, body)
    }
    answer("fog.heartbeat") { coordinator, peer, body throws(CallFailure) in
      try coordinator.heartbeat(peer, body)
    }
    answer("fog.input") { coordinator, peer, body throws(CallFailure) in
      try coordinator.input(peer, body)
    }
    answer("fog.log") { coordinator, peer, body throws(CallFailure) in
      try coordinator.log(peer, body)
    }
    answer("fog.output") { coordinator, peer, body throws(CallFailure) in
      try coordinator.output(peer, body)
    }
    answer("fog.finish") { coordinator, peer, body throws(CallFailure) in
      try coordinator.finish(peer, body)
    }
  }

  private func answer(
    _ method: String,
    _ handle: @escaping @Sendable (Coordinator, PeerID, CallBody) throws(CallFailure) -> CallBody
  ) {
    // Weak: the network may outlive the coordinator, and must not keep it.
    around.calls.serve(method) { [weak self] (peer, body) throws(CallFailure) in
      guard let self else { throw .refused(code: "UNAVAILABLE", message: "The gateway stops.") }
      return try handle(self, peer, body)
    }
  }

  private func register(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let report = try Self.read(body.json) { fields in
      fields.object("report") { Self.report(&$0) }
    }
    guard around.mayBeNode(peer) else { throw Self.notAdmitted }
    try storing { () throws(Refusal) in
      try change { (state, effects) throws(Refusal) in
        let now = around.now()
        var node = state.nodes[peer] ?? FogNode(id: peer, report: report, at: Int64(now.wall))
        guard node.removedAt == nil else { throw .call(Self.notAdmitted) }
        guard state.nodes[peer] != nil || state.known.count < settings.maxNodes else {
          throw .call(
            .refused(code: "NO_ROOM", message: "\(settings.maxNodes) nodes are known already.")
          )
        }
        node.hear(report, now, patience: patience)
        let heard = node
        try keep { (connection) throws(StorageError) in try NodeTable.put(heard, &connection) }
        state.nodes[peer] = node
        state.isDirty = true
        tellStatus(of: peer, now, &state, &effects)
      }
    }
    advance()
    return CallBody(["heartbeat_seconds": .integer(Int64(settings.heartbeatSeconds))])
  }

  private static func report(_ fields: inout Fields) -> NodeReport {
    let report = NodeReport(&fields)
    // By bytes, as the ledger reads it: a combining mark behind the colon would make another character of that.
    if report.account.utf8.starts(with: "system:".utf8) {
      fields.refuse("account", "must not be one of the ledger's own")
    }
    if !report.account.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) {
      // The ledger would refuse it at each settlement.
      fields.refuse("account", "must have neither spaces nor control characters")
    }
    if report.account.utf8.starts(with: "fog:".utf8) {
      fields.refuse("account", "must be a user's; leave it empty for the node's own")
    }
    return report
  }

  private struct Beat {
    let lease: String
    let isRunning: Bool
    let usage: Usage
    let progress: Double
  }

  private func heartbeat(_ peer: PeerID, _ body: CallBody) throws(CallFailure) -> CallBody {
    let (report, beats) = try Self.read(body.json) { fields in
      (
        fields.object("report") { Self.report(&$0) },
        fields.objects("leases", 0...1024) { beat in
          Beat(
            lease: beat.string("lease_id", 1...64),
            isRunning: beat.choice("state", ["preparing", "running"]) == "running",
            usage: beat.object("usage") { Usage(&$0) },
            progress: beat.number("progress", 0...1, default: 0)
          )
        }
      )
    }
    guard around.mayBeNode(peer) else { throw Self.notAdmitted }
    let now = around.now()
    let cancel = try storing { () throws(Refusal) in
      try change { (state, effects) throws(Refusal) in
        guard var node = state.nodes[peer] else { throw .call(Self.unknownNode) }
        guard node.removedAt == nil else { throw .call(Self.notAdmitted) }
        if node.report != report { state.isDirty = true }
        node.hear(report, now, patience: patience)
        state.nodes[peer] = node
        tellStatus(of: peer, now, &state, &effects)
        var cancel: [JSON] = []
        for beat in beats {
          guard var lease = state.leases[beat.lease], lease.node == peer else {
            cancel.append(["lease_id": .string(beat.lease), "reason": "the lease is over"])
            continue
          }
          lease.renewedAt = now.monotonic
          lease.isInherited = false
          lease.usage = beat.usage
          lease.progress = beat.progress
          if lease.state == .offered { lease.state = .preparing }
          state.leases[lease.id] = lease
          guard beat.isRunning, lease.state != .running else { continue }
          try keep { () throws(StorageError) in try begin(lease, now, &state, &effects) }
          state.leases[lease.id]?.run(now.monotonic)
        }
        offerAgain(peer, named: beats.map(\.lease), now, &state)
        return cancel
      }
    }
    return CallBody(["cancel": .array(cancel)])
  }

  /// Offers once more what an earlier life of the process assigned to a node that does not know of it; to one that took it
  /// meanwhile, the same lease is no second run.
  private func offerAgain(
    _ peer: PeerID,
    named: [String],
    _ now: Moment,
    _ state: inout FogState
  ) {
    guard !state.unanswered.isEmpty else { return }
    state.unanswered.subtract(named)
    for id in state.unanswered {
      guard let lease = state.leases[id] else {
        state.unanswered.remove(id)
        continue
      }
      guard lease.node == peer else { continue }
      state.unanswered.remove(id)
      state.leases[id]?.renewedAt = now.monotonic
      state.leases[id]?.isInherited = false
      state.offers[peer, default: []].append(id)
    }
  }

  // MARK: - Refusals

  /// What a handler ends with: a word for the peer, or a fault of our own disk.
  enum Refusal: Error {
    case call(CallFailure)
    case storage(StorageError)
  }

  static let notAdmitted = CallFailure.refused(
    code: "NOT_ADMITTED",
    message: "This peer may not be a node here."
  )
  private static let unknownNode = CallFailure.refused(
    code: "UNKNOWN_NODE",
    message: "Register first."
  )

  /// Makes a storage fault a refusal.
  func keep<Value>(_ body: () throws(StorageError) -> Value) throws(Refusal) -> Value {
    do { return try body() } catch { throw .storage(error) }
  }

  /// Writes, as `keep`.
  func keep<Value: Sendable>(
    _ body: (inout Connection) throws(StorageError) -> Value
  ) throws(Refusal) -> Value {
    do { return try database.write(body) } catch { throw .storage(error) }
  }

  /// Runs a handler; the operator learns of a storage fault, the peer gets no answer and tries again.
  ///
  /// A refusal would be taken for the node's own failure at the job.
  func storing<Value>(_ body: () throws(Refusal) -> Value) throws(CallFailure) -> Value {
    do {
      return try body()
    } catch {
      switch error {
      case .call(let failure): throw failure
      case .storage(let fault):
        around.warn("A node's call could not be kept.", "\(fault)")
        throw .timeout
      }
    }
  }

  /// Reads the JSON of a call.
  static func read<Value>(
    _ json: JSON,
    _ read: (inout Fields) -> Value
  ) throws(CallFailure) -> Value {
    var fields = Fields(json)
    let value = read(&fields)
    do {
      // A newer peer may say more than this one knows.
      try fields.finish(unknown: .ignored)
    } catch {
      throw .refused(code: "VALIDATION_ERROR", message: error.message)
    }
    return value
  }
}
