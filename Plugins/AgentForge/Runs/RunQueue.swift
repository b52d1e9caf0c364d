import GatewayPlugin
package import PluginStorage
import Synchronization

/// Takes runs up in their order, a bounded number at once, and again after a restart.
///
/// What there is to do stands in the database alone; this looks there whenever a run is added or ends, and once a second
/// for what another generation of the plugin left.
package final class RunQueue: Sendable {
  /// What the operator allows.
  package struct Limits: Sendable, Equatable {
    package var maxRunning = 1
    package var waiting = RunStore.Limits(queuedPerUser: 16, queued: 256, keptPerUser: 100)
    package var checkpointSeconds = 30
    package var maxMemoryBytes = 1 << 30

    package init() {}
  }

  package let store: RunStore
  package let around: RunSurroundings
  package let limits: Limits
  private let locks: String
  private let active = Mutex<[String: RunSession.Wish]>([:])
  private let isResting = Atomic<Bool>(true)
  private let advancing = Mutex<Void>(())

  /// A queue that rests until `activate`.
  ///
  /// - Parameters:
  ///   - store: The runs.
  ///   - around: What they are given.
  ///   - limits: What the operator allows.
  ///   - directory: Of the plugin; the folder `runs` is made there.
  /// - Throws: `StorageError`.
  package init(
    _ store: RunStore,
    _ around: RunSurroundings,
    _ limits: Limits,
    directory: String
  ) throws(StorageError) {
    self.store = store
    self.around = around
    self.limits = limits
    locks = directory + "/runs"
    try Folder.make(locks)
  }

  /// How many runs this generation works on.
  package var running: Int { active.withLock { $0.count } }

  /// Whether this generation works on a run, which may be over already and about to end.
  package func isWorking(on id: String) -> Bool { active.withLock { $0[id] != nil } }

  // MARK: - What others ask

  /// Begins to take runs up, those first that were cut off.
  package func activate() {
    isResting.store(false, ordering: .sequentiallyConsistent)
    advance()
  }

  /// Takes no further run up; those that run see that they should stop.
  package func rest() { isResting.store(true, ordering: .sequentiallyConsistent) }

  /// Adds runs of one owner: one, or a pipeline in its order.
  ///
  /// - Parameter runs: At least one.
  /// - Returns: What became of them; accepted ones survive a crash.
  /// - Throws: `StorageError`.
  package func add(_ runs: [RunRecord]) throws(StorageError) -> RunStore.Admission {
    let admission = try store.add(runs, limits.waiting)
    if case .accepted(let removed) = admission {
      for id in removed { removeCheckpoint(id) }
      advance()
    }
    return admission
  }

  /// Ends a run, and with it the rest of its pipeline.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - owner: Whose it must be; `nil` for anyone's.
  /// - Returns: The run as it was until now; `nil` when it was over already, or is not there.
  /// - Throws: `StorageError`.
  package func cancel(_ id: String, owner: String?) throws(StorageError) -> RunRecord? {
    let sentence = "The run was cancelled by its owner."
    guard let run = try store.end(id, .cancelled, sentence, owner: owner) else { return nil }
    if let wish = active.withLock({ $0[id] }) {
      // Its own thread tells the end, after what it is just doing.
      wish.cancel()
    } else {
      tellEnd(run, .cancelled, sentence, number: run.events + 1)
      advance()
    }
    return run
  }

  /// Queues a failed or cancelled run again; it goes on from its checkpoint, if it has one.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - owner: Whose it must be; `nil` for anyone's.
  /// - Returns: What became of it.
  /// - Throws: `StorageError`.
  package func resume(_ id: String, owner: String?) throws(StorageError) -> RunStore.Resumption {
    let resumption = try store.resume(id, owner: owner, limits.waiting)
    if resumption == .queued { advance() }
    return resumption
  }

  // MARK: - Taking up

  /// Starts what may start; from any thread, may block.
  package func advance() {
    guard !isResting.load(ordering: .sequentiallyConsistent) else { return }
    do {
      try advancing.withLock { _ in try startAll() }
    } catch {
      around.warn("Runs could not be taken up; this is tried again.", "\(error)")
    }
  }

  private func startAll() throws {
    var free = limits.maxRunning - running
    guard free > 0 else { return }
    for id in try store.startable(limit: 2 * limits.maxRunning + 16) where free > 0 {
      if active.withLock({ $0[id] != nil }) { continue }
      free -= 1
      // Held by another generation, which is about to end: it counts, and is looked at again.
      guard let lock = try RunLock(locks, id), let run = try store.begin(id) else { continue }
      try start(run, lock)
    }
  }

  private func start(_ run: RunRecord, _ lock: RunLock) throws {
    let wish = RunSession.Wish()
    active.withLock { $0[run.id] = wish }
    do {
      try around.startJob("run \(run.id)") { [self] shouldStop in
        perform(run, lock, wish, shouldStop)
      }
    } catch {
      lock.release()
      active.withLock { _ = $0.removeValue(forKey: run.id) }
      try store.requeue(run.id)
      throw error
    }
  }

  /// The run's own thread.
  private func perform(
    _ run: RunRecord,
    _ lock: RunLock,
    _ wish: RunSession.Wish,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) {
    RunLife(self, run, wish, shouldStop).live()
    lock.release()
    active.withLock { _ = $0.removeValue(forKey: run.id) }
    // A plugin that stops takes nothing further up; what waits is for the next generation.
    if shouldStop() { rest() } else { advance() }
  }

  // MARK: - What a run's end needs

  func removeCheckpoint(_ id: String) {
    do { try around.checkpoints.remove(run: id) } catch {
      around.warn("A checkpoint could not be removed.", "\(error)")
    }
  }

  func tellEnd(_ run: RunRecord, _ status: RunRecord.Status, _ sentence: String, number: Int) {
    around.measure(.ended(status))
    around.publish(
      "training_error",
      [
        "task_id": .string(run.id), "phase": .string(run.phase.rawValue),
        "status": .string(status.rawValue), "error": .string(sentence),
        "number": .integer(Int64(number)),
      ],
      run.owner
    )
  }
}
