import Glibc
import PluginStorage
import Synchronization
import GatewayPlugin
import Testing

@testable import AgentForge

/// A phase whose steps a test counts and steers; it makes one model and resumes from its step.
struct SteppedPhase: Phase {
  static let name = PhaseName.cognate
  static let inputs = 0...2

  /// What a test does at a step, by the `script` parameter: scripts are looked up, for a phase is made from JSON.
  static let scripts = Mutex<[String: @Sendable (Int) throws -> Void]>([:])

  let order: PhaseOrder
  let memory: Int
  let script: String

  init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    memory = fields.integer("memory", 0...(1 << 40), default: 1000)
    script = fields.string("script", 0...64, default: "")
  }

  func plan(_ context: any PhaseContext) throws -> PhasePlan {
    PhasePlan(
      parameterCount: 7,
      memoryBytes: memory,
      steps: order.maxSteps,
      seconds: 1.5,
      details: ["documents": .integer(Int64(try context.documents()?.count ?? 0))]
    )
  }

  func run(_ context: any PhaseContext) throws -> JSON {
    let act = Self.scripts.withLock { $0[script] }
    let first = try context.checkpoint()?.state["step"]?.asInteger ?? 0
    context.log("from step \(first)")
    let buffer = Floats(100, context.account)
    for step in (Int(first) + 1)..<(order.maxSteps + 1) {
      try act?(step)
      buffer[0] = Float(step)
      let loss = 1 / Double(step)
      context.report(ProgressPoint(step: step, steps: order.maxSteps, loss: loss))
      let state = Checkpoint(state: ["step": .integer(Int64(step))])
      if context.isCheckpointDue { try context.save(state) }
      do { try context.checkStop() } catch {
        try context.save(state)
        throw error
      }
    }
    let id = try context.store(
      tinyModel(),
      name: order.modelName,
      parents: try context.models().map(\.id),
      metrics: ["loss": .number(1 / Double(order.maxSteps))],
      dataFingerprint: ""
    )
    return ["from": .integer(first), "model": .string(id)]
  }
}

/// A second one, for pipelines: it needs exactly one model.
struct FollowingPhase: Phase {
  static let name = PhaseName.bitnet
  static let inputs = 1...1

  private let stepped: SteppedPhase

  init(_ order: PhaseOrder, _ fields: inout Fields) { stepped = SteppedPhase(order, &fields) }

  func plan(_ context: any PhaseContext) throws -> PhasePlan { try stepped.plan(context) }
  func run(_ context: any PhaseContext) throws -> JSON {
    guard try context.models().count == 1 else { throw RunFailure("one model was expected") }
    return try stepped.run(context)
  }
}

func tinyModel() -> LanguageModel {
  let shape = ModelShape(vocabulary: 272, width: 8, layers: 1, heads: 2, hidden: 8, context: 8)
  return LanguageModel(parameters: Parameters(shape), tokenizer: .bytes, template: .plain)
}

/// A queue over a database of its own, whose jobs run when the test says so, on the test's thread.
///
/// `@unchecked Sendable`: what changes is behind one lock.
final class RunBench: @unchecked Sendable {
  struct Shared {
    var jobs: [RunSurroundings.Work] = []
    var events: [(topic: String, payload: JSON, owner: String)] = []
    var measures: [RunSurroundings.Measure] = []
    var warnings: [String] = []
    var models: [String: LanguageModel] = [:]
    var stops = false
    var refusesJobs = false
    var clock: UInt64 = 1_000_000_000
    /// Added to the clock whenever someone looks.
    var tick: UInt64 = 0
  }

  let shared = Mutex(Shared())
  let folder: TemporaryFolder
  let store: RunStore
  let queue: RunQueue

  /// A bench; another one of the same folder is another generation of the plugin.
  init(
    _ folder: TemporaryFolder = TemporaryFolder(),
    files: [String: (type: String, text: String)] = [:],
    isActive: Bool = true,
    _ change: (inout RunQueue.Limits) -> Void = { _ in }
  ) throws {
    self.folder = folder
    var limits = RunQueue.Limits()
    change(&limits)
    let box = Weak()
    store = RunStore(try Database(path: folder.path + "/forge.sqlite", schema: .forge))
    queue = try RunQueue(
      store,
      Self.surroundings(box, try CheckpointStore(directory: folder.path), files),
      limits,
      directory: folder.path
    )
    box.bench.withLock { $0 = Unowned(self) }
    if isActive { queue.activate() }
  }

  final class Weak: Sendable {
    let bench = Mutex<Unowned?>(nil)
    func with<Value>(_ body: (inout Shared) throws -> Value) rethrows -> Value {
      guard let bench = bench.withLock({ $0?.bench }) else { fatalError("the bench is gone") }
      return try bench.shared.withLock { (shared: inout Shared) in try body(&shared) }
    }
  }

  /// Breaks the cycle between a bench and its queue.
  final class Unowned: @unchecked Sendable {
    weak var bench: RunBench?
    init(_ bench: RunBench) { self.bench = bench }
  }

  private static func surroundings(
    _ box: Weak,
    _ checkpoints: CheckpointStore,
    _ files: [String: (type: String, text: String)]
  ) -> RunSurroundings {
    RunSurroundings(
      catalogue: [SteppedPhase.self, FollowingPhase.self],
      load: { id, owner, _ in box.with { $0.models["\(owner)/\(id)"] } },
      hasModel: { id, owner in box.with { $0.models["\(owner)/\(id)"] != nil } },
      store: { model, facts in
        box.with {
          let id = "model-\($0.models.count + 1)"
          $0.models["\(facts.owner)/\(id)"] = model
          return id
        }
      },
      checkpoints: checkpoints,
      files: TrainingFiles { (method, argument, subject) throws(HostRefusal) in
        try Self.serve(files, method, argument, subject)
      },
      startJob: { _, work in
        try box.with {
          if $0.refusesJobs { throw HostRefusal.limit }
          $0.jobs.append(work)
        }
      },
      publish: { topic, payload, owner in box.with { $0.events.append((topic, payload, owner)) } },
      measure: { measure in box.with { $0.measures.append(measure) } },
      parallel: .serial,
      warn: { what, why in box.with { $0.warnings.append("\(what) \(why)") } },
      now: {
        box.with {
          $0.clock += $0.tick
          return $0.clock
        }
      }
    )
  }

  private static func serve(
    _ files: [String: (type: String, text: String)],
    _ method: String,
    _ argument: JSON,
    _ subject: String
  ) throws(HostRefusal) -> JSON {
    guard let id = argument["file_id"]?.asString else { throw .argument }
    guard subject == "ada", let file = files[id] else { throw .notFound }
    let bytes = Array(file.text.utf8)
    if method == "describe" {
      return [
        "file_id": .string(id), "filename": .string("\(id).txt"),
        "size": .integer(Int64(bytes.count)), "content_type": .string(file.type), "sha256": "",
      ]
    }
    let offset = Int(argument["offset"]?.asInteger ?? 0)
    let part = Array(bytes[offset..<min(bytes.count, offset + 5)])
    return ["data": .string(Base64.encode(part)), "size": .integer(Int64(bytes.count))]
  }

  // MARK: - What tests do

  /// Adds a run of `ada` with a script.
  @discardableResult
  func add(
    owner: String = "ada",
    steps: Int = 5,
    isReal: Bool = true,
    _ parameters: JSON = [:],
    _ script: (@Sendable (Int) throws -> Void)? = nil
  ) throws -> String {
    let id = UUID4.make()
    var parameters = parameters
    if let script {
      SteppedPhase.scripts.withLock { $0[id] = script }
      parameters = parameters.adding([("script", .string(id))])
    }
    let order = PhaseOrder(maxSteps: steps, batchSize: 2, seed: 1, modelName: "test")
    let run = RunRecord(
      id: id,
      owner: owner,
      phase: .cognate,
      isReal: isReal,
      order: order,
      parameters: parameters,
      models: [],
      files: parameters["data"]?.asArray?.compactMap(\.asString) ?? [],
      shards: 2
    )
    guard case .accepted = try queue.add([run]) else { throw RunFailure("not accepted") }
    return id
  }

  /// Runs the jobs that were started, and those that they start.
  func work() {
    while let job = shared.withLock({ $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) {
      job { [self] in shared.withLock { $0.stops } }
    }
  }

  func run(_ id: String) throws -> RunRecord {
    guard let run = try store.run(id, owner: nil) else { throw RunFailure("no run") }
    return run
  }

  func status(_ id: String) throws -> RunRecord.Status { try run(id).status }

  func events(_ topic: String) -> [JSON] {
    shared.withLock { $0.events.filter { $0.topic == topic }.map(\.payload) }
  }

  /// Expects that the events of a run are numbered from 1 on.
  func expectNumbersWithoutGaps(_ id: String) {
    let numbers = shared.withLock { shared in
      shared.events.filter { $0.payload["task_id"]?.asString == id }
        .compactMap { $0.payload["number"]?.asInteger }
    }
    #expect(numbers.count > 1 && numbers == Array(1...Int64(numbers.count)))
  }

  var jobs: Int { shared.withLock { $0.jobs.count } }
}
