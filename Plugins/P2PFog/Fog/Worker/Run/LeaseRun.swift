import GatewayPlugin
import PluginStorage

/// One lease from its beginning to its end, on a thread of its own.
struct LeaseRun {
  let lease: ActiveLease
  let calls: LeaseCalls
  let around: WorkerSurroundings
  let settings: WorkerSettings
  /// Folder of all leases.
  let directory: String
  let sandbox: Sandbox?

  /// Works until the job is over and the coordinator knows it, or the lease is.
  func live() {
    let folder: LeaseFolder
    do { folder = try LeaseFolder(in: directory) } catch {
      return end(LeaseResult(.failed, reason: "node: no folder for the job: \(error)"))
    }
    defer {
      do { try folder.remove() } catch {
        around.warn("The folder of a job could not be removed.", "\(folder.path): \(error)")
      }
    }
    let log = LeaseLog(calls, submit: around.submit, limit: lease.offer.logBytes)
    var training: TrainJob?
    end(work(folder, log, &training))
    training?.clear()
  }

  /// Runs the job and sends what it made.
  ///
  /// - Returns: How it ended; `nil` when it was stopped from outside.
  private func work(
    _ folder: LeaseFolder,
    _ log: LeaseLog,
    _ training: inout TrainJob?
  ) -> LeaseResult? {
    do {
      try calls.checkStop()
      let disk = lease.offer.requirements.diskMegabytes << 20
      let size = lease.offer.inputs.reduce(0) { $0 + min($1.size, disk + 1) }
      guard size <= disk else {
        return LeaseResult(
          .failed,
          reason: "disk: the job's inputs have more than the \(disk) bytes that it asked for"
        )
      }
      let inputs = try LeaseInputs(calls: calls, folder: folder).fetch()
      var result = try run(folder, log, inputs, &training)
      result.usage.outputBytes = result.outputs.reduce(0) { $0 + $1.size }
      if !result.reason.isEmpty { log.note(result.reason) }
      try log.sendAll()
      do { try LeaseOutputs(calls: calls).send(result.outputs) } catch let fault
        as LeaseOutputs.Fault
      {
        result.outcome = .failed
        result.reason = fault.reason
      }
      return result
    } catch is LeaseStopped {
      return nil
    } catch let fault as NodeFault {
      return LeaseResult(.failed, reason: "node: \(fault)", usage: lease.usage)
    } catch {
      around.warn("A job failed on this node.", "\(lease.key.leaseID): \(error)")
      return LeaseResult(.failed, reason: "node: \(error)", usage: lease.usage)
    }
  }

  private func run(
    _ folder: LeaseFolder,
    _ log: LeaseLog,
    _ inputs: [String: String],
    _ training: inout TrainJob?
  ) throws -> LeaseResult {
    switch lease.offer.type {
    case .process:
      guard let sandbox else { throw NodeFault("this node cannot isolate") }
      return try ProcessJob(
        lease: lease,
        calls: calls,
        folder: folder,
        sandbox: sandbox,
        log: log,
        inputs: inputs
      ).run()
    case .train:
      let job = TrainJob(
        lease: lease,
        calls: calls,
        around: around,
        folder: folder,
        log: log,
        inputs: inputs
      )
      training = job
      return try job.run()
    case .inference:
      return try InferenceJob(
        lease: lease,
        calls: calls,
        around: around,
        settings: settings,
        folder: folder,
        log: log
      ).run()
    }
  }

  // MARK: - The end

  private func end(_ result: LeaseResult?) {
    lease.leaveRoom()
    if let result, tell(result, untilAnswered: true) { return }
    switch lease.stop {
    case .leaving(let why):
      _ = tell(LeaseResult(.failed, reason: "node: \(why)", usage: lease.usage))
    case .cancelled:
      _ = tell(LeaseResult(.cancelled, reason: "cancelled", usage: lease.usage))
    case .lost, nil: return
    }
  }

  /// Tells the coordinator how the job ended.
  ///
  /// - Parameters:
  ///   - result: How.
  ///   - untilAnswered: Again and again while the lease stands, otherwise twice.
  /// - Returns: Whether it knows.
  private func tell(_ result: LeaseResult, untilAnswered: Bool = false) -> Bool {
    var members: [JSON.Member] = [
      .init(name: "outcome", value: .string(result.outcome.rawValue)),
      .init(name: "reason", value: .string(result.reason)),
      .init(name: "usage", value: result.usage.json),
    ]
    if let code = result.exitCode {
      members.append(.init(name: "exit_code", value: .integer(Int64(code))))
    }
    do {
      if untilAnswered {
        _ = try calls.ask("fog.finish", members)
        return true
      }
      for _ in 0..<2 where try calls.askOnce("fog.finish", members, timeout: .seconds(1)) != nil {
        return true
      }
      return false
    } catch let failure as CallFailure {
      around.warn("The end of a job was refused by its coordinator.", "\(failure)")
      return true
    } catch {
      return false
    }
  }
}
