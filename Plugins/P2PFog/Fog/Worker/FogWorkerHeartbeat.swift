import GatewayPlugin
import Peering
import Synchronization

/// Calls to coordinators, when they are due.
extension FogWorker {
  /// A heartbeat may take so long.
  static let heartbeatTimeout: Duration = .seconds(3)

  /// Does what is due; called every `tick` on a worker, never twice at once.
  package func advance() {
    let now = around.now()
    for lease in book.withLock({ $0.lost(at: now) }) { lease.end(.lost) }
    lookForForge(now)
    let due = book.withLock { $0.due(at: now) }
    guard !due.isEmpty else { return }
    let measured = around.measure()
    machine.withLock { $0 = measured }
    for (peer, isRegistered) in due {
      // Each on a worker of its own: one that does not answer keeps no other waiting.
      do {
        try around.submit { [self] in
          if isRegistered { beat(peer) } else { register(peer) }
        }
      } catch {
        book.withLock { $0.failed(peer, .unreachable("\(error)"), at: now) }
      }
    }
  }

  /// Between two looks whether Agent Forge is there.
  private static let forgePause: UInt64 = 5_000_000_000

  /// Finds out whether Agent Forge is there, and once has it remove what an earlier life of this node left.
  private func lookForForge(_ now: UInt64) {
    guard book.withLock({ !$0.isResting }) else { return }
    let (isDue, isSwept) = forge.withLock { standing in
      guard standing.nextLook <= now else { return (false, true) }
      standing.nextLook = now + Self.forgePause
      return (true, standing.isSwept)
    }
    guard isDue else { return }
    // When no worker is free, the next look is soon enough.
    try? around.submit { [self] in
      let trains = look(TrainJob.service, isSwept ? "describe" : "sweep")
      // An empty question is answered with an error, by whoever is there to answer.
      let answers = look(InferenceJob.service, "generate")
      forge.withLock {
        if case .here(let answer) = trains, !isSwept, answer["left"] == 0 { $0.isSwept = true }
        $0.trains = trains.isHere(before: $0.trains) && $0.isSwept
        $0.answers = answers.isHere(before: $0.answers)
      }
    }
  }

  /// What a look for a service finds.
  private enum Look {
    case here(JSON)
    case absent
    /// Busy, or being replaced: as it was.
    case unknown

    func isHere(before: Bool) -> Bool {
      switch self {
      case .here: true
      case .absent: false
      case .unknown: before
      }
    }
  }

  private func look(_ service: String, _ method: String) -> Look {
    do throws(HostRefusal) {
      let call = WorkerSurroundings.ServiceCall(
        service,
        method,
        [:],
        subject: "fog:node",
        timeout: .seconds(3)
      )
      return .here(try around.service(call))
    } catch .notFound { return .absent } catch .unsupported { return .absent } catch {
      return .unknown
    }
  }

  private func register(_ peer: PeerID) {
    let sent = around.now()
    do throws(CallFailure) {
      let answer = try calls.call(
        peer,
        "fog.register",
        CallBody(["report": report(for: peer).json]),
        timeout: Self.heartbeatTimeout
      )
      let seconds = answer.json["heartbeat_seconds"]?.asNumber ?? 1
      let interval = UInt64(min(60, max(0.05, seconds)) * 1e9)
      book.withLock { $0.answered(peer, sent: sent, interval: interval) }
    } catch {
      book.withLock { $0.failed(peer, error, at: around.now()) }
    }
  }

  private func beat(_ peer: PeerID) {
    let held = book.withLock { $0.held(for: peer) }
    let sent = around.now()
    do throws(CallFailure) {
      let answer = try calls.call(
        peer,
        "fog.heartbeat",
        CallBody([
          "report": report(for: peer).json, "leases": .array(held.map(\.json)),
        ]),
        timeout: Self.heartbeatTimeout
      )
      for lease in held { lease.renew(at: sent) }
      for entry in answer.json["cancel"]?.asArray ?? [] {
        guard let id = entry["lease_id"]?.asString else { continue }
        held.first { $0.key.leaseID == id }?.end(.cancelled)
      }
      book.withLock { $0.answered(peer, sent: sent) }
    } catch {
      book.withLock { $0.failed(peer, error, at: around.now()) }
    }
  }
}
