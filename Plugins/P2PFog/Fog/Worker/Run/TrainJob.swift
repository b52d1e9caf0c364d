import GatewayPlugin
import Glibc
import PluginStorage

/// A run of Agent Forge on this node; the model is its result.
///
/// Everything of it belongs to a subject of its own, so that no user here sees it; in the end all of that is removed.
struct TrainJob {
  static let service = "forge.train"

  let lease: ActiveLease
  let calls: LeaseCalls
  let around: WorkerSurroundings
  let folder: LeaseFolder
  let log: LeaseLog
  /// Where each input stands, by its file id.
  let inputs: [String: String]
  private let forge: ForgeCalls

  init(
    lease: ActiveLease,
    calls: LeaseCalls,
    around: WorkerSurroundings,
    folder: LeaseFolder,
    log: LeaseLog,
    inputs: [String: String]
  ) {
    self.lease = lease
    self.calls = calls
    self.around = around
    self.folder = folder
    self.log = log
    self.inputs = inputs
    forge = ForgeCalls(
      calls: calls,
      around: around,
      subject: "fog:\(lease.key.coordinator):\(folder.name)"
    )
  }

  /// Trains to the end, or to the job's time.
  ///
  /// - Returns: How it ended.
  /// - Throws: `LeaseStopped`, `NodeFault`.
  func run() throws -> LeaseResult {
    do {
      let began = Clock.monotonic()
      lease.begin()
      let body = try lend()
      guard
        let run = try forge.ask(Self.service, "start", ["body": body])["run_id"]?.asString
      else { throw NodeFault("Agent Forge started no run") }
      return try follow(run, began)
    } catch let refusal as ForgeCalls.Refusal {
      // Too many runs, no room on the disk, and what else another node may not have.
      guard refusal.status == 422 || refusal.status == 400 else {
        throw NodeFault("Agent Forge refused: \(refusal.message)")
      }
      return LeaseResult(.failed, reason: "parameters: \(refusal.message)", usage: lease.usage)
    }
  }

  // MARK: - Beginning

  /// Brings the data to Agent Forge, and gives the body that names it there.
  private func lend() throws -> JSON {
    let body = lease.offer.parameters
    let parameters = body["parameters"] ?? [:]
    guard let ids = parameters["data"]?.asArray, !ids.isEmpty else { return body }
    var lent: [JSON] = []
    for id in ids {
      guard let name = id.asString, let path = inputs[name] else {
        throw ForgeCalls.Refusal(
          status: 422,
          code: "VALIDATION_ERROR",
          message: "parameters.data names a file that is none of the job's inputs."
        )
      }
      lent.append(.string(try lend(path)))
    }
    return Self.replacing(
      "parameters",
      in: body,
      with: Self.replacing("data", in: parameters, with: .array(lent))
    )
  }

  private func lend(_ path: String) throws -> String {
    let file = try OpenFile(path: path, flags: O_RDONLY)
    let id = UUID4.make()
    var offset = 0
    while true {
      let bytes = try file.read(at: offset, count: ForgeCalls.piece)
      if bytes.isEmpty, offset > 0 { return id }
      _ = try forge.ask(
        Self.service,
        "put",
        [
          "file_id": .string(id), "offset": .integer(Int64(offset)),
          "data": .string(Base64.encode(bytes)),
        ]
      )
      if bytes.isEmpty { return id }
      offset += bytes.count
    }
  }

  private static func replacing(_ name: String, in object: JSON, with value: JSON) -> JSON {
    .object(
      (object.asMembers ?? []).filter { $0.name != name } + [.init(name: name, value: value)]
    )
  }

  // MARK: - Going on

  private func follow(_ run: String, _ began: UInt64) throws -> LeaseResult {
    let most = UInt64(lease.offer.requirements.maxDurationSeconds) * 1_000_000_000
    var line = 0
    var step: JSON = 0
    while true {
      let status = try forge.ask(
        Self.service,
        "status",
        ["run_id": .string(run), "after": .integer(Int64(line))]
      )
      for entry in status["lines"]?.asArray ?? [] {
        line = max(line, Int(entry["sequence"]?.asInteger ?? 0))
        log.add(.stdout, Array(((entry["line"]?.asString ?? "") + "\n").utf8))
      }
      if let now = status["step"], now != step, let text = Self.progress(status) {
        step = now
        log.add(.stdout, Array((text + "\n").utf8))
      }
      let usage = note(status, began)
      switch status["status"]?.asString {
      case "completed": return try finish(status, usage)
      case "failed":
        let why = status["error"]?.asString ?? "no reason"
        return LeaseResult(.failed, reason: "train: \(why)", usage: usage)
      case "cancelled": throw NodeFault("the run was cancelled on the node")
      default: break
      }
      if Clock.monotonic() - began >= most {
        let seconds = lease.offer.requirements.maxDurationSeconds
        return LeaseResult(
          .failed,
          reason: "time: the job ran longer than \(seconds) s",
          usage: usage
        )
      }
      try log.sendSoon()
      try calls.rest(milliseconds: 300)
    }
  }

  /// A line of how far a run is.
  private static func progress(_ status: JSON) -> String? {
    guard let step = status["step"]?.asInteger, let steps = status["steps"]?.asInteger,
      let loss = status["loss"]?.asNumber
    else { return nil }
    let thousandths = Int((min(max(loss, 0), 1e12) * 1000).rounded())
    let rest = String(thousandths % 1000 + 1000).dropFirst()
    return "step \(step) of \(steps), loss \(thousandths / 1000).\(rest)"
  }

  private func note(_ status: JSON, _ began: UInt64) -> Usage {
    var usage = Usage()
    usage.wallMilliseconds = Int((Clock.monotonic() - began) / 1_000_000)
    usage.cpuMilliseconds = Int(status["cpu_ms"]?.asInteger ?? 0)
    let peak = status["memory_bytes_peak"]?.asInteger ?? 0
    usage.memoryPeakMegabytes = Int((peak + (1 << 20) - 1) >> 20)
    let step = status["step"]?.asNumber ?? 0
    let steps = status["steps"]?.asNumber ?? 0
    lease.advance(usage, progress: steps > 0 ? step / steps : nil)
    return usage
  }

  // MARK: - The result

  private func finish(_ status: JSON, _ usage: Usage) throws -> LeaseResult {
    let place = folder.work + "/outputs"
    try Folder.make(place)
    let report = Array((status["report"] ?? .null).text.utf8)
    try OpenFile(path: place + "/report.json", flags: O_WRONLY | O_CREAT | O_EXCL)
      .write(report.span)
    let models = (status["models"]?.asArray ?? []).compactMap(\.asString)
    var left = lease.offer.outputBytes - report.count
    for (number, model) in models.enumerated() {
      let name = number == 0 ? "model.tar" : "model-\(number + 1).tar"
      guard try fetch(model, to: "\(place)/\(name)", &left) else {
        let reason = "output: the models have more than \(lease.offer.outputBytes) bytes"
        return LeaseResult(.failed, reason: reason, usage: usage)
      }
    }
    do {
      return LeaseResult(
        .succeeded,
        usage: usage,
        outputs: try LeaseOutputs.find(in: place, limit: lease.offer.outputBytes)
      )
    } catch { return LeaseResult(.failed, reason: error.reason, usage: usage) }
  }

  /// Fetches a model's archive; false when it is larger than what is left.
  private func fetch(_ model: String, to path: String, _ left: inout Int) throws -> Bool {
    let file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_EXCL)
    var offset = 0
    while true {
      let answer = try forge.ask(
        Self.service,
        "export",
        [
          "model_id": .string(model), "offset": .integer(Int64(offset)),
          "length": .integer(Int64(ForgeCalls.piece)),
        ]
      )
      guard let size = answer["size"]?.asInteger, let text = answer["data"]?.asString,
        let bytes = Base64.decode(Array(text.utf8).span)
      else { throw NodeFault("Agent Forge gave no archive of the model") }
      guard size <= left else { return false }
      try file.write(bytes.span)
      offset += bytes.count
      if offset >= size {
        left -= offset
        return true
      }
      guard !bytes.isEmpty else { throw NodeFault("the archive of the model ended early") }
    }
  }

  /// Removes everything of the job from Agent Forge, its run included; after the coordinator knows how it ended.
  func clear() {
    // A gateway that ends is not kept waiting: the next start removes what is left.
    let isLeaving = if case .leaving = lease.stop { true } else { false }
    let deadline = Clock.monotonic() + (isLeaving ? 3_000_000_000 : ForgeCalls.patience)
    while Clock.monotonic() < deadline {
      if let answer = try? forge.askOnce(Self.service, "clear", [:]),
        answer["left"]?.asInteger == 0
      {
        return
      }
      _ = poll(nil, 0, 100)
    }
    around.warn("A run of the fog could not be removed; the next start does.", forge.subject)
  }
}
