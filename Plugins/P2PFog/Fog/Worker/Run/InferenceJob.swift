import GatewayPlugin
import Glibc
import PluginStorage

/// Answers of a model of this node.
///
/// A job that was submitted at this gateway asks its submitter's own models; any other asks what the operator shares.
struct InferenceJob {
  static let service = "forge.generate"
  /// Prompts of one job.
  static let maxPrompts = 1000

  let lease: ActiveLease
  let calls: LeaseCalls
  let around: WorkerSurroundings
  let settings: WorkerSettings
  let folder: LeaseFolder
  let log: LeaseLog

  /// Asks every prompt, or as many as the job's time allows.
  ///
  /// - Returns: How it ended.
  /// - Throws: `LeaseStopped`, `NodeFault`.
  func run() throws -> LeaseResult {
    var fields = Fields(lease.offer.parameters)
    let model = fields.string("model_id", 1...64)
    let prompts = fields.strings("prompts", 1...Self.maxPrompts, length: 1...100_000)
    do { try fields.finish(unknown: .ignored) } catch {
      return LeaseResult(.failed, reason: "parameters: \(error.message)")
    }
    guard
      let subject = Self.subject(lease, calls.calls.own == lease.key.coordinator, model, settings)
    else { throw NodeFault("this node has no model \(model) for the coordinator") }
    let forge = ForgeCalls(calls: calls, around: around, subject: subject)
    let began = Clock.monotonic()
    lease.begin()
    var answers: [JSON] = []
    // Milliseconds of processor time; those of an answer that did not come are not known.
    var spent = 0.0
    for (number, prompt) in prompts.enumerated() {
      let left = Int(lease.offer.requirements.maxDurationSeconds) - seconds(since: began)
      guard left > 0 else { return overrun(began, spent) }
      do {
        let answer = try forge.ask(
          Self.service,
          "generate",
          Self.argument(lease.offer.parameters, prompt),
          timeout: .seconds(min(left, 300))
        )
        answers.append(Self.numbered(number, answer))
        spent += answer["cpu_ms"]?.asNumber ?? 0
      } catch let refusal as ForgeCalls.Refusal {
        return LeaseResult(
          .failed,
          reason: "inference: prompt \(number): \(refusal.message)",
          usage: usage(began, spent)
        )
      } catch let fault as NodeFault {
        guard seconds(since: began) < lease.offer.requirements.maxDurationSeconds else {
          return overrun(began, spent)
        }
        throw fault
      }
      log.add(.stdout, Array("answered \(number + 1) of \(prompts.count)\n".utf8))
      lease.advance(usage(began, spent), progress: Double(number + 1) / Double(prompts.count))
      try log.sendSoon()
    }
    return try finish(model, answers, usage(began, spent))
  }

  /// Whose model is asked; `nil` when the coordinator may not ask it.
  ///
  /// - Parameters:
  ///   - lease: Says who submitted the job, when that is known here.
  ///   - isOwn: Whether this gateway itself is the coordinator.
  ///   - model: The model's id.
  ///   - settings: Say what is shared.
  /// - Returns: A subject.
  static func subject(
    _ lease: ActiveLease,
    _ isOwn: Bool,
    _ model: String,
    _ settings: WorkerSettings
  ) -> String? {
    // Ids of models are of one user alone: one that is shared is none of the submitter's own but for the same.
    if let shared = settings.sharedModels.first(where: { $0.modelID == model }) {
      return shared.subject
    }
    return isOwn && !lease.offer.subject.isEmpty ? lease.offer.subject : nil
  }

  private static func argument(_ parameters: JSON, _ prompt: String) -> JSON {
    let own = (parameters.asMembers ?? []).filter { $0.name != "prompts" }
    return .object(own + [.init(name: "prompt", value: .string(prompt))])
  }

  private static func numbered(_ number: Int, _ answer: JSON) -> JSON {
    .object(
      [.init(name: "index", value: .integer(Int64(number)))]
        + (answer.asMembers ?? []).filter { $0.name != "model_id" && $0.name != "cpu_ms" }
    )
  }

  private func finish(_ model: String, _ answers: [JSON], _ usage: Usage) throws -> LeaseResult {
    let place = folder.work + "/outputs"
    try Folder.make(place)
    let text = JSON.object([
      .init(name: "model_id", value: .string(model)),
      .init(name: "answers", value: .array(answers)),
    ]).text
    try OpenFile(path: place + "/answers.json", flags: O_WRONLY | O_CREAT | O_EXCL)
      .write(Array(text.utf8).span)
    do {
      let outputs = try LeaseOutputs.find(in: place, limit: lease.offer.outputBytes)
      return LeaseResult(.succeeded, usage: usage, outputs: outputs)
    } catch { return LeaseResult(.failed, reason: error.reason, usage: usage) }
  }

  private func overrun(_ began: UInt64, _ spent: Double) -> LeaseResult {
    let most = lease.offer.requirements.maxDurationSeconds
    return LeaseResult(
      .failed,
      reason: "time: the job ran longer than \(most) s",
      usage: usage(began, spent)
    )
  }

  private func seconds(since began: UInt64) -> Int {
    Int((Clock.monotonic() - began) / 1_000_000_000)
  }

  /// The memory of a model that may answer others at the same time is no job's alone.
  private func usage(_ began: UInt64, _ spent: Double) -> Usage {
    var usage = Usage()
    usage.cpuMilliseconds = Int(min(max(spent, 0), 1e15))
    usage.wallMilliseconds = Int((Clock.monotonic() - began) / 1_000_000)
    return usage
  }
}
