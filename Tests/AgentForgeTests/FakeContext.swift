import Synchronization

@testable import AgentForge
@testable import GatewayPlugin

/// A run's surroundings for tests: everything is kept in memory.
final class FakeContext: PhaseContext {
  /// A model that was stored.
  struct Stored {
    let id: String
    let model: LanguageModel
    let name: String
    let parents: [String]
    let metrics: JSON
    let dataFingerprint: String
  }

  var given: [(id: String, model: LanguageModel)] = []
  var texts: [Document]?
  var parallel = Parallel.serial
  var shards = 1
  let account = MemoryAccount()
  var memoryLimit = Int.max
  /// Calls of `checkStop` that pass before one throws; `nil` for all.
  var stopAfter: Int?
  /// Calls of `isCheckpointDue` between two that say yes; 0 for never.
  var checkpointEvery = 0
  private(set) var saved: [Checkpoint] = []
  private(set) var points: [ProgressPoint] = []
  private(set) var lines: [String] = []
  private(set) var stored: [Stored] = []
  private var asked = 0

  init(texts: [Document]? = nil, models: [(id: String, model: LanguageModel)] = []) {
    self.texts = texts
    given = models
  }

  /// The context of the same run after a restart.
  func resumed() -> FakeContext {
    let next = FakeContext(texts: texts, models: given)
    next.parallel = parallel
    next.shards = shards
    next.saved = saved
    next.stored = stored
    return next
  }

  func models() throws -> [(id: String, model: LanguageModel)] { given }
  func documents() throws -> [Document]? { texts }
  func checkStop() throws(RunStopped) {
    guard let left = stopAfter else { return }
    if left == 0 { throw RunStopped() }
    stopAfter = left - 1
  }
  var isCheckpointDue: Bool {
    asked += 1
    return checkpointEvery > 0 && asked % checkpointEvery == 0
  }
  func checkpoint() throws -> Checkpoint? { saved.last }
  func save(_ checkpoint: Checkpoint) throws {
    // The phase goes on to change its numbers; what was saved must not move.
    let copies = checkpoint.tensors.map { tensor in
      let copy = Floats(tensor.values.count)
      copy.copy(from: tensor.values)
      return (name: tensor.name, values: copy)
    }
    saved.append(Checkpoint(state: checkpoint.state, tensors: copies))
  }
  func report(_ point: ProgressPoint) { points.append(point) }
  func log(_ line: String) { lines.append(line) }
  func store(
    _ model: LanguageModel,
    name: String,
    parents: [String],
    metrics: JSON,
    dataFingerprint: String
  ) throws -> String {
    let id = "model-\(stored.count + 1)"
    stored.append(
      Stored(
        id: id,
        model: model,
        name: name,
        parents: parents,
        metrics: metrics,
        dataFingerprint: dataFingerprint
      )
    )
    return id
  }
}

/// Threads of the test's own for `Parallel`: none; the parts run one after another in reverse, so that whatever depends
/// on their order shows.
extension Parallel {
  static let reversed = Parallel(width: 2) { count, work in
    for index in (0..<count).reversed() { try work(index) }
  }
}

/// A phase read from a request's `parameters`, which must have no fault.
func phase<P: Phase>(
  _ type: P.Type,
  steps: Int,
  batchSize: Int = 2,
  seed: UInt64 = 1,
  _ parameters: JSON
) throws -> P {
  var fields = Fields(parameters)
  let order = PhaseOrder(maxSteps: steps, batchSize: batchSize, seed: seed, modelName: "test")
  let made = P(order, &fields)
  try fields.finish()
  return made
}
