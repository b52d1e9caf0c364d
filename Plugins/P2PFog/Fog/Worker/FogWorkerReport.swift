package import GatewayPlugin
package import Peering
import Synchronization

/// What this node says of itself.
extension FogWorker {
  /// What is lent of the machine, as it was measured last.
  package var room: WorkerBook.Room {
    let machine = machine.withLock { $0 }
    return WorkerBook.Room(
      millicores: min(settings.millicores ?? machine.millicores, machine.millicores),
      memoryMegabytes: min(
        settings.memoryMegabytes ?? machine.memoryMegabytes * 3 / 4,
        machine.memoryMegabytes
      ),
      diskMegabytes: settings.diskMegabytes ?? max(0, machine.diskFreeMegabytes - 1024),
      gpus: machine.gpus.count,
      jobs: settings.maxJobs
    )
  }

  /// The report for a coordinator.
  ///
  /// - Parameter coordinator: Which; this gateway's own may ask every model of its users.
  /// - Returns: From the last measurement.
  package func report(for coordinator: PeerID) -> NodeReport {
    let machine = machine.withLock { $0 }
    let room = room
    var report = NodeReport()
    report.name = String((settings.name.isEmpty ? machine.hostname : settings.name).prefix(64))
    report.region = settings.region
    report.account = settings.account
    report.cpuMillicores = room.millicores
    report.memoryMegabytes = room.memoryMegabytes
    report.diskMegabytes = room.diskMegabytes
    report.gpus = machine.gpus
    report.maxJobs = room.jobs
    report.cpuLoad = machine.load
    report.memoryFreeMegabytes = machine.memoryFreeMegabytes
    report.diskFreeMegabytes = machine.diskFreeMegabytes
    report.isDraining = book.withLock { $0.isDraining || $0.isResting }
    var able: [String] = []
    if settings.types.contains(.process) {
      switch isolation.withLock({ $0 }) {
      case .success: able.append(JobType.process.rawValue)
      case .failure(let refusal):
        report.isolationRefusal = String(refusal.description.prefix(512))
      }
    } else {
      report.isolationRefusal = "the operator takes no process jobs"
    }
    let standing = forge.withLock { $0 }
    if settings.types.contains(.train), standing.trains { able.append(JobType.train.rawValue) }
    if settings.types.contains(.inference), standing.answers {
      // Its own users' models are no one else's business, and need not be named to it.
      if coordinator == calls.own || !settings.sharedModels.isEmpty {
        able.append(JobType.inference.rawValue)
      }
      able += settings.sharedModels.map { "model:\($0.modelID)" }
    }
    if !machine.gpus.isEmpty { able.append("gpu") }
    if !settings.region.isEmpty { able.append("region:\(settings.region)") }
    report.capabilities = able
    return report
  }

  /// What this node contributes to `/health`.
  @ListBuilder<HealthCheck> package var checks: [HealthCheck] {
    HealthCheck("fog_node", every: .seconds(2)) { [self] in health }
  }

  /// Degraded when a coordinator cannot be reached; jobs go on, and others find their way without.
  var health: Health {
    guard settings.isEnabled else { return .healthy(["enabled": false]) }
    let (standing, jobs) = book.withLock { ($0.standing, $0.held.count) }
    var members: [JSON.Member] = [
      .init(name: "jobs", value: .integer(Int64(jobs))),
      .init(name: "draining", value: .bool(book.withLock { $0.isDraining })),
      .init(
        name: "coordinators",
        value: .array(
          standing.map { standing in
            [
              "peer": .string(standing.peer.short), "registered": .bool(standing.isRegistered),
              "trouble": standing.trouble.map { .string($0) } ?? .null,
            ]
          }
        )
      ),
    ]
    if case .failure(let refusal) = isolation.withLock({ $0 }) {
      members.append(.init(name: "isolation_refusal", value: .string(refusal.description)))
    }
    let isWhole = standing.allSatisfy { $0.trouble == nil }
    return isWhole ? .healthy(.object(members)) : .degraded(.object(members))
  }
}
