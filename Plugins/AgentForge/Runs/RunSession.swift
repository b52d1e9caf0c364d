package import GatewayPlugin
import PluginStorage
import Synchronization

/// One attempt at a run, as its phase sees it.
///
/// Belongs to the run's thread; only `wish` is shared.
package final class RunSession: PhaseContext {
  /// What others ask of a session while it runs.
  package final class Wish: Sendable {
    private let cancelled = Atomic<Bool>(false)

    package init() {}

    /// Whether the owner wants no more of it.
    package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// The owner wants no more of it.
    package func cancel() { cancelled.store(true, ordering: .relaxed) }
  }

  let run: RunRecord
  let wish: Wish
  private let store: RunStore
  private let around: RunSurroundings
  private let checkpointNanoseconds: UInt64
  package let memoryLimit: Int
  private let shouldStop: @Sendable () -> Bool
  private var history: RunProgress
  package let parallel: Parallel
  private var lastCheckpoint: UInt64
  private var modelBytes = 0
  private var names: Set<String> = []

  /// Told of every buffer; begins anew with `beginMeasuring`.
  package private(set) var account = MemoryAccount()

  /// A session of `run`, made on the run's thread.
  ///
  /// - Parameters:
  ///   - run: As `begin` gave it.
  ///   - store: Where its progress is kept.
  ///   - around: Models, data and threads.
  ///   - limits: What the operator allows.
  ///   - wish: What others ask of it.
  ///   - shouldStop: Whether the plugin stops.
  package init(
    _ run: RunRecord,
    _ store: RunStore,
    _ around: RunSurroundings,
    _ limits: RunQueue.Limits,
    wish: Wish,
    shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.run = run
    self.store = store
    self.around = around
    self.wish = wish
    self.shouldStop = shouldStop
    checkpointNanoseconds = UInt64(limits.checkpointSeconds) * 1_000_000_000
    memoryLimit = limits.maxMemoryBytes
    let time = ProcessorTime()
    parallel = around.parallel.counted(by: time)
    history = RunProgress(run, store, around, time)
    lastCheckpoint = around.now()
  }

  /// Counts memory from zero: what the plan measured is gone by now.
  func beginMeasuring() { account = MemoryAccount() }

  // MARK: - What a phase is given

  package var shards: Int { run.shards }

  /// Bytes of what a phase is given beside its own: the models it asked for, once, and the checkpoint it goes on from.
  func givenBytes() throws -> Int { modelBytes + (try checkpointBytes()) }

  /// Bytes of the checkpoint it goes on from; 0 at its first start.
  func checkpointBytes() throws -> Int { try around.checkpoints.bytes(run: run.id) }

  package func models() throws -> [(id: String, model: LanguageModel)] {
    let before = account.current
    defer { modelBytes = max(modelBytes, account.current - before) }
    return try run.models.map { id in
      guard let model = try around.load(id, run.owner, account) else {
        throw RunFailure("The model \(id) is not there any more; start a run with another one.")
      }
      return (id, model)
    }
  }

  package func documents() throws -> [Document]? {
    guard !run.files.isEmpty else { return nil }
    do {
      return try around.files.documents(run.files, owner: run.owner)
    } catch let failure as Failure {
      throw RunFailure(failure.message)
    }
  }

  package func checkStop() throws(RunStopped) {
    if wish.isCancelled || history.isOver || shouldStop() { throw RunStopped() }
  }

  // MARK: - Checkpoints

  package var isCheckpointDue: Bool {
    around.now() >= lastCheckpoint + checkpointNanoseconds
  }

  package func checkpoint() throws -> Checkpoint? {
    let found = try around.checkpoints.read(run: run.id, account)
    for reason in found?.refused ?? [] {
      log("A checkpoint is damaged; the one before it is used. \(reason)")
    }
    return found?.checkpoint
  }

  package func save(_ checkpoint: Checkpoint) throws {
    try around.checkpoints.write(checkpoint, run: run.id)
    try store.gotFurther(run.id)
    lastCheckpoint = around.now()
  }

  // MARK: - What a phase tells

  package func report(_ point: ProgressPoint) {
    history.memoryPeak = account.peak
    history.add(point)
  }

  package func log(_ line: String) { history.log(line) }

  package func store(
    _ model: LanguageModel,
    name: String,
    parents: [String],
    metrics: JSON,
    dataFingerprint: String
  ) throws -> String {
    precondition(names.insert(name).inserted, "a run stores one model of each name")
    let facts = ModelFacts(
      name: name,
      owner: run.owner,
      phase: run.phase.rawValue,
      run: run.id,
      parents: parents,
      metrics: metrics,
      dataFingerprint: dataFingerprint
    )
    let id = try around.store(model, facts)
    try store.made(run.id, model: id)
    log("Stored the model \(name) as \(id).")
    return id
  }

  /// Brings the last point and all lines to the disk and to the owner.
  ///
  /// - Throws: `StorageError`.
  func flush() throws(StorageError) { try history.flush() }

  /// Whether someone else has ended the run, as the last write found.
  var isOver: Bool { history.isOver }

  /// The number of the next event.
  func nextEvent() -> Int { history.nextEvent() }
}
