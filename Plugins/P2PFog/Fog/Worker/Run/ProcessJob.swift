import GatewayPlugin
import Glibc
import PluginStorage

/// A command of a bundle in a sandbox.
struct ProcessJob {
  /// Processes and threads of one job.
  static let maxProcesses = 512
  /// Nanoseconds between two looks at the disk; more where a look takes long.
  static let lookPause: UInt64 = 100_000_000

  let lease: ActiveLease
  let calls: LeaseCalls
  let folder: LeaseFolder
  let sandbox: Sandbox
  let log: LeaseLog
  /// Where each input stands, by its file id.
  let inputs: [String: String]

  private var offer: LeaseOffer { lease.offer }
  private var disk: Int { offer.requirements.diskMegabytes << 20 }

  /// Runs the command to its end, or to its limits.
  ///
  /// - Returns: How it ended.
  /// - Throws: `LeaseStopped`; `NodeFault` for what is no fault of the job's.
  func run() throws -> LeaseResult {
    let order: ProcessOrder
    do {
      var fields = Fields(offer.parameters)
      order = ProcessOrder(&fields)
      try fields.finish()
      try prepare(order)
    } catch let failure as Failure {
      return LeaseResult(.failed, reason: "parameters: \(failure.message)")
    } catch let fault as BundleFault {
      return LeaseResult(.failed, reason: "bundle: \(fault)")
    }
    let limits = ControlGroup.Limits(
      memoryBytes: offer.requirements.memoryMegabytes << 20,
      millicores: offer.requirements.cpuMillicores,
      processes: Self.maxProcesses
    )
    do {
      let group = try ControlGroup(making: folder.name, in: sandbox.place, limits)
      defer { group.remove() }
      return try run(
        SandboxOrder(
          command: order.command,
          environment: order.environment,
          work: folder.work,
          temporary: folder.temporary,
          users: folder.users,
          devices: GPUFacts.devices(lease.gpus).filter(SystemFile.exists),
          limits: limits,
          fileBytes: disk
        ),
        group
      )
    } catch let refusal as IsolationRefusal {
      throw NodeFault("\(refusal)")
    }
  }

  // MARK: - Before

  /// Unpacks the bundle and puts the other inputs beside it.
  private func prepare(_ order: ProcessOrder) throws {
    if let bundle = order.bundle {
      guard let path = inputs[bundle] else {
        throw BundleFault("parameters.bundle is none of the job's inputs.")
      }
      try BundleUnpacker.unpack(path, into: folder.work, BundleRules.Limits(bytes: disk))
      _ = unsafe unlink(path)
    }
    for name in ["inputs", "outputs"] {
      guard unsafe mkdir("\(folder.work)/\(name)", 0o755) == 0 || errno == EEXIST else {
        throw StorageError.last("mkdir")
      }
    }
    // A link of the bundle's under this name is refused here.
    let place: DirectoryEntries
    do { place = try DirectoryEntries(path: "\(folder.work)/inputs") } catch {
      throw BundleFault("The bundle's entry inputs is no folder.")
    }
    for input in offer.inputs where input.fileID != order.bundle {
      guard let path = inputs[input.fileID] else { continue }
      guard let names = try? BundleRules.names(input.filename), names.count == 1 else {
        throw BundleFault("The input \(input.filename.debugDescription) has no usable name.")
      }
      // The same file system, so that it is moved without a copy.
      let code = unsafe linkat(AT_FDCWD, path, place.descriptor, names[0], 0)
      guard code == 0 else {
        if errno == EEXIST {
          throw BundleFault("There are two inputs \(input.filename.debugDescription).")
        }
        throw StorageError.last("linkat")
      }
      _ = unsafe unlink(path)
    }
    try folder.giveToJob()
  }

  // MARK: - While it runs

  private func run(_ order: SandboxOrder, _ group: ControlGroup) throws -> LeaseResult {
    let began = Clock.monotonic()
    lease.begin()
    let process = try SandboxProcess(order, sandbox, in: group)
    var watch = DiskWatch(folder, group, disk: disk, output: offer.outputBytes)
    var verdict: String?
    var end: SandboxProcess.End?
    var silentSince: UInt64?
    var complaint: [UInt8] = []
    while end == nil || !process.isSilent {
      // Throws when the job must end; the process goes with its object.
      try calls.checkStop()
      if log.isFull {
        _ = poll(nil, 0, 20)
      } else {
        process.read(within: end == nil ? 20 : 0) { stream, bytes in
          log.add(stream == .stdout ? .stdout : .stderr, bytes)
          if stream == .stderr, complaint.count < 64 { complaint += bytes.prefix(64) }
        }
      }
      try log.sendSoon()
      let now = Clock.monotonic()
      note(group, began, now)
      if verdict == nil, end == nil {
        verdict = overrun(began, now) ?? watch.overrun(now)
        if verdict != nil { process.kill() }
      }
      if end == nil { end = process.end() }
      // A pipe that a dead process left is read to its end at once; nobody holds its other side.
      if end != nil {
        silentSince = silentSince ?? now
        if now > (silentSince ?? now) + 2_000_000_000, !log.isFull { break }
      }
    }
    let usage = note(group, began, Clock.monotonic())
    // bubblewrap says this of a command that it could not start, and then tells no exit code.
    if verdict == nil, end == .broken(status: 1), complaint.starts(with: "bwrap: execvp ".utf8) {
      return LeaseResult(
        .failed,
        exitCode: 127,
        reason: "exit: the command could not be started",
        usage: usage
      )
    }
    return try judge(end ?? .broken(status: -1), verdict ?? watch.last(), group.use, usage)
  }

  private func overrun(_ began: UInt64, _ now: UInt64) -> String? {
    let most = UInt64(offer.requirements.maxDurationSeconds) * 1_000_000_000
    guard now - began >= most else { return nil }
    return "time: the job ran longer than \(offer.requirements.maxDurationSeconds) s"
  }

  @discardableResult
  private func note(_ group: ControlGroup, _ began: UInt64, _ now: UInt64) -> Usage {
    let use = group.use
    var usage = Usage()
    usage.cpuMilliseconds = use.cpuMilliseconds
    usage.memoryPeakMegabytes = (use.memoryPeakBytes + (1 << 20) - 1) >> 20
    usage.wallMilliseconds = Int((now - began) / 1_000_000)
    let most = Double(offer.requirements.maxDurationSeconds) * 1000
    // A command says nothing of its progress; what is known is the share of its time that has gone.
    lease.advance(usage, progress: Double(usage.wallMilliseconds) / most)
    return usage
  }

  // MARK: - After

  private func judge(
    _ end: SandboxProcess.End,
    _ verdict: String?,
    _ use: ControlGroup.Use,
    _ usage: Usage
  ) throws -> LeaseResult {
    if let verdict { return LeaseResult(.failed, reason: verdict, usage: usage) }
    let ranOut = use.memoryKills > 0
    let memory = "memory: the job needed more than \(offer.requirements.memoryMegabytes) MiB"
    switch end {
    case .broken(let status):
      if ranOut { return LeaseResult(.failed, reason: memory, usage: usage) }
      throw NodeFault("the sandbox ended by itself, with status \(status)")
    case .exited(let code):
      if code != 0, ranOut {
        return LeaseResult(.failed, exitCode: code, reason: memory, usage: usage)
      }
      let outputs: [LeaseResult.Output]
      do {
        outputs = try LeaseOutputs.find(in: folder.work + "/outputs", limit: offer.outputBytes)
      } catch {
        return LeaseResult(.failed, exitCode: code, reason: error.reason, usage: usage)
      }
      let reason =
        switch code {
        case 0: ""
        case 128 + Int(SIGXFSZ): "disk: a file was to have more than \(disk) bytes"
        default: "exit: the command ended with code \(code)"
        }
      return LeaseResult(
        code == 0 ? .succeeded : .failed,
        exitCode: code,
        reason: reason,
        usage: usage,
        outputs: outputs
      )
    }
  }
}
