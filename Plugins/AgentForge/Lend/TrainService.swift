package import GatewayPlugin
import PluginStorage

/// The service `forge.train`: another plugin trains here for someone who is no user of this gateway.
///
/// A call's `subject` begins with `fog:` and names one job; runs, models and files of that subject are seen by no user, and
/// this service sees no user's.
///
/// | method | argument | result |
/// |---|---|---|
/// | `describe` | | `phases`: names |
/// | `put` | `file_id` (a new UUID), `offset`, `data` (base64) | `size` so far; repeating a call changes nothing |
/// | `start` | `body`: as of `POST /v1/models/train`, `data` naming files that were put | `run_id` |
/// | `status` | `run_id`, `after`: a line's number | `status, step, steps, loss, cpu_ms, memory_bytes_peak, error, report, models`, `lines: [{sequence, line}]` |
/// | `cancel` | `run_id` | `{}`, also when it is over |
/// | `export` | `model_id, offset, length` | `data` (base64) of the model's archive, `size` of all of it |
/// | `clear` | | `left`: runs that are just ending; the call is repeated until there are none |
/// | `sweep` | | the same for every such subject: what an earlier life of the caller left |
///
/// What the caller can do something about is a result too: `{error: {code, message, details?}}`.
package struct TrainService: Sendable {
  /// The name other plugins call it by.
  package static let name = "forge.train"
  /// How subjects begin.
  package static let prefix = "fog:"

  let runs: TrainAnswers
  let models: ModelStore
  let files: LentFiles
  let shards: Int
  /// Told of models that were deleted.
  let forget: @Sendable (String) -> Void

  /// Answers one call; on a worker, may block.
  ///
  /// - Parameters:
  ///   - method: What is wanted.
  ///   - argument: With what.
  ///   - subject: For whom.
  /// - Returns: The result, as the table above says.
  /// - Throws: `HostRefusal` for the caller, `StorageError` for the log.
  package func answer(_ method: String, _ argument: JSON, subject: String) throws -> JSON {
    guard subject.hasPrefix(Self.prefix), subject.utf8.count <= 256 else {
      throw HostRefusal.denied
    }
    do {
      switch method {
      case "describe":
        let phases = runs.queue.around.catalogue.map { JSON.string($0.name.rawValue) }
        return ["phases": .array(phases)]
      case "put": return try put(argument, subject)
      case "start": return try start(argument, subject)
      case "status": return try status(argument, subject)
      case "cancel":
        _ = try runs.queue.cancel(try text("run_id", argument), owner: subject)
        return [:]
      case "export": return try export(argument, subject)
      case "clear": return ["left": .integer(Int64(try clear(subject)))]
      case "sweep": return ["left": .integer(Int64(try sweep()))]
      default: throw HostRefusal.unsupported("\(Self.name) \(method)")
      }
    } catch let failure as Failure {
      return Self.error(failure)
    }
  }

  private static func error(_ failure: Failure) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "code", value: .string(failure.code)),
      .init(name: "status", value: .integer(Int64(failure.status))),
      .init(name: "message", value: .string(failure.message)),
    ]
    if let details = failure.details { members.append(.init(name: "details", value: details)) }
    return ["error": .object(members)]
  }

  private func text(_ name: String, _ argument: JSON) throws(HostRefusal) -> String {
    guard let text = argument[name]?.asString else { throw .argument }
    return text
  }

  private func number(_ name: String, _ argument: JSON) throws(HostRefusal) -> Int {
    guard let number = argument[name]?.asInteger, number >= 0 else { throw .argument }
    return Int(number)
  }

  // MARK: - Beginning

  private func put(_ argument: JSON, _ subject: String) throws -> JSON {
    guard let bytes = Base64.decode(Array(try text("data", argument).utf8).span) else {
      throw HostRefusal.argument
    }
    let size = try files.put(
      try text("file_id", argument),
      subject: subject,
      offset: try number("offset", argument),
      bytes
    )
    return ["size": .integer(Int64(size))]
  }

  private func start(_ argument: JSON, _ subject: String) throws -> JSON {
    var reader = TrainRequest(owner: subject, around: runs.queue.around, shards: shards)
    let run = try reader.run(argument["body"] ?? .null)
    try runs.add([run])
    return ["run_id": .string(run.id)]
  }

  // MARK: - Going on

  private func status(_ argument: JSON, _ subject: String) throws -> JSON {
    let id = try text("run_id", argument)
    let store = runs.queue.store
    guard let run = try store.run(id, owner: subject) else { throw TrainAnswers.noRun(id) }
    let after = try number("after", argument)
    let lines = try store.lines(id, after: after, limit: 500).map { line in
      JSON.object([
        .init(name: "sequence", value: .integer(Int64(line.sequence))),
        .init(name: "line", value: .string(line.text)),
      ])
    }
    return [
      "status": .string(run.status.rawValue), "step": .integer(Int64(run.step)),
      "steps": .integer(Int64(run.steps)), "loss": .optional(run.loss),
      "validation_loss": .optional(run.validationLoss),
      "tokens_per_second": .number(run.tokensPerSecond),
      "cpu_ms": .integer(Int64(run.processorTime / 1_000_000)),
      "memory_bytes_peak": .integer(Int64(run.memoryPeak)),
      "error": run.error.map { .string($0) } ?? .null, "report": run.report ?? .null,
      "models": .array(try store.models(id).map { .string($0) }), "lines": .array(lines),
    ]
  }

  private func export(_ argument: JSON, _ subject: String) throws -> JSON {
    let id = try text("model_id", argument)
    let offset = try number("offset", argument)
    let length = try number("length", argument)
    guard (1...LentFiles.pieceBytes).contains(length) else { throw HostRefusal.argument }
    guard let record = try models.record(id, owner: subject) else { throw Failure.noModel(id) }
    let archive = try ModelExport(record, models)
    let bytes = try archive.archive(at: offset, count: length)
    return [
      "data": .string(Base64.encode(bytes)), "size": .integer(Int64(archive.archiveBytes)),
    ]
  }

  // MARK: - Ending

  /// Ends and removes all that a subject has here.
  ///
  /// - Returns: Runs that still end.
  private func clear(_ subject: String) throws -> Int {
    let queue = runs.queue
    var left = 0
    for id in try queue.store.ids(owner: subject) {
      _ = try queue.cancel(id, owner: subject)
      if queue.isWorking(on: id) {
        left += 1
      } else {
        queue.removeCheckpoint(id)
        try queue.store.remove(id, owner: subject)
      }
    }
    guard left == 0 else { return left }
    while let record = try models.list(owner: subject, limit: 1).records.first {
      guard try models.delete(record.id, owner: subject) else { break }
      forget(record.id)
    }
    try files.remove(subject: subject)
    return 0
  }

  private func sweep() throws -> Int {
    var left = 0
    for owner in try runs.queue.store.owners(beginning: Self.prefix) { left += try clear(owner) }
    if left == 0 { try files.removeAll() }
    return left
  }
}
